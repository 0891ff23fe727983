//! Every command in the workflows and in the Justfile exists: programs, subcommands, their arguments, packages,
//! recipes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs that a runner of GitHub has, or that the shell is made of.
const PROGRAMS: &[&str] = &[
    "awk", "case", "cat", "cp", "echo", "esac", "fi", "gh", "git", "grep", "head", "if", "jq", "mkdir", "printf", "rm",
    "rustup", "tee", "test", "then", "true", "unzip", "wc", "else", "exit", "!", "export", "set", "done", "do", "for",
    "node", "npm", "sudo", "apt-get",
];

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn workflows() -> Vec<(String, String)> {
    let folder = project().join(".github/workflows");
    let entries = std::fs::read_dir(&folder).expect("there are workflows");
    let mut found: Vec<(String, String)> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), read(&path)))
        .collect();
    found.sort();
    found
}

/// The scripts of a workflow: what stands behind `run:`, on its line or indented below it.
fn scripts(workflow: &str) -> Vec<String> {
    let lines: Vec<&str> = workflow.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(script) = line.trim_start().trim_start_matches("- ").strip_prefix("run: ") else { continue };
        if script != "|" {
            found.push(script.to_string());
            continue;
        }
        let block = lines[at + 1..].iter().take_while(|next| next.is_empty() || indent(next) > indent(line));
        found.push(block.copied().collect::<Vec<_>>().join("\n"));
    }
    found
}

/// The recipes of the Justfile with their lines.
fn recipes() -> Vec<(String, Vec<String>)> {
    let text = read(&project().join("Justfile"));
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        if line.starts_with(' ') {
            found
                .last_mut()
                .expect("a line belongs to a recipe")
                .1
                .push(line.trim().trim_start_matches('@').to_string());
        } else if let Some((head, "")) = line.split_once(':').map(|(head, rest)| (head, rest.trim())) {
            found.push((head.split(' ').next().expect("a name").to_string(), Vec::new()));
        }
    }
    found
}

/// Splits a script into commands: at line ends, pipes, `&&`, `||`, `;` and `$(`, outside quotation marks. What follows
/// the end of a `$(` belongs to the command around it and stands behind a `true`.
fn commands(script: &str) -> Vec<Vec<String>> {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    let script = lines.collect::<Vec<_>>().join("\n");
    let mut commands = vec![vec![String::new()]];
    let mut quote = None;
    let mut outside = Vec::new();
    let mut characters = script.chars().peekable();
    while let Some(c) = characters.next() {
        let last = commands.last_mut().expect("there is one");
        match (quote, c) {
            (Some('"') | None, '$') if characters.peek() == Some(&'(') => {
                characters.next();
                outside.push(quote.take());
                commands.push(vec![String::new()]);
            }
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ')') if !outside.is_empty() => {
                quote = outside.pop().expect("not empty");
                commands.push(vec!["true".to_string(), String::new()]);
            }
            (None, '\n' | ';' | '|' | '&' | ')' | '(') => commands.push(vec![String::new()]),
            (None, ' ') => last.push(String::new()),
            (_, c) => last.last_mut().expect("there is one").push(c),
        }
    }
    let words = |command: Vec<String>| command.into_iter().filter(|word| !word.is_empty()).collect();
    commands.into_iter().map(words).filter(|command: &Vec<String>| !command.is_empty()).collect()
}

/// `kverdict ARGUMENTS --help` succeeds exactly if the subcommand and all options are known and have good values.
fn kverdict_knows(arguments: &[String]) -> Result<(), String> {
    let of_text = |word: &String| word.replace("$SHARD", "1").replace("{{TARGET}}", "ldt/mainline");
    let known: Vec<String> = arguments
        .iter()
        .take_while(|word| !word.contains('>'))
        .filter(|word| *word != "{{ARGS}}" && !word.contains("${{"))
        .map(of_text)
        .collect();
    let output = Command::new(env!("CARGO_BIN_EXE_kverdict")).args(&known).arg("--help").output().expect("it starts");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The programs of the harnesses are small: an option is known if their source has it as a word.
fn harness_knows(program: &str, arguments: &[String]) -> Result<(), String> {
    let source = project().join(format!("harnesses/src/bin/{program}.rs"));
    let source = std::fs::read_to_string(source).map_err(|_| format!("there is no program {program}"))?;
    match arguments.iter().find(|word| word.starts_with('-') && !source.contains(&format!("\"{word}\""))) {
        Some(unknown) => Err(format!("{program} does not know {unknown}")),
        None => Ok(()),
    }
}

fn packages() -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(project()).output().expect("cargo starts");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list").iter();
    packages.map(|package| package["name"].as_str().expect("a name").to_string()).collect()
}

/// What is wrong with a command, if anything is.
fn complaint(command: &[String], packages: &BTreeSet<String>) -> Option<String> {
    let command: Vec<String> =
        command.iter().skip_while(|w| ["if", "then", "else", "!", "do"].contains(&w.as_str())).cloned().collect();
    let program = command.first()?.as_str();
    let assigns =
        program.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    if assigns {
        return complaint(&command[1..], packages);
    }
    match program {
        "target/release/kverdict" => kverdict_knows(&command[1..]).err(),
        "cargo" => {
            let known = ["build", "test", "fmt", "clippy", "run", "bench", "install", "kani", "check", "nextest"];
            if !command.get(1).is_some_and(|sub| known.contains(&sub.as_str())) {
                return Some("cargo has no such subcommand".to_string());
            }
            let named = command.windows(2).filter(|w| w[0] == "--package" || w[0] == "-p").map(|w| &w[1]);
            if let Some(missing) = named.into_iter().find(|name| !packages.contains(*name)) {
                return Some(format!("there is no package {missing}"));
            }
            let at = command.iter().position(|word| word == "--");
            let other = command.windows(2).find(|w| w[0] == "--bin").map(|w| w[1].as_str());
            match (at, other) {
                (Some(at), None) if command[1] == "run" => kverdict_knows(&command[at + 1..]).err(),
                (at, Some(program)) => harness_knows(program, &command[at.map_or(command.len(), |at| at + 1)..]).err(),
                _ => None,
            }
        }
        "just" => {
            let recipe = command.iter().skip(1).find(|word| !word.starts_with('-'))?;
            let known = recipes().iter().any(|(name, _)| name == recipe);
            (!known).then(|| format!("there is no recipe {recipe}"))
        }
        _ if program.starts_with('.') || program.starts_with("target/") => {
            (!project().join(program).exists()).then(|| "there is no such file".to_string())
        }
        _ if PROGRAMS.contains(&program) || program.starts_with('*') || program.starts_with('>') => None,
        _ => Some("is none of the programs that this test knows".to_string()),
    }
}

#[test]
fn every_command_in_the_workflows_and_the_justfile_exists() {
    let packages = packages();
    let mut places: Vec<(String, String)> = Vec::new();
    for (file, text) in workflows() {
        places.extend(scripts(&text).into_iter().map(|script| (file.clone(), script)));
    }
    for (recipe, lines) in recipes() {
        places.extend(lines.into_iter().map(|line| (format!("just {recipe}"), line)));
    }
    assert!(places.len() > 15, "the scripts were not found: {places:#?}");
    let mut complaints = Vec::new();
    for (place, script) in &places {
        for command in commands(script) {
            complaints
                .extend(complaint(&command, &packages).map(|what| format!("{place}: {}: {what}", command.join(" "))));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_command_that_does_not_exist_is_noticed() {
    let packages = packages();
    for wrong in [
        "cargo run --release -- check --shards 1/2",
        "target/release/kverdict chekc",
        "cargo run --package kverdict-harnesses --bin lom",
        "cargo run --package kverdict-harnesses --bin loom -- --depth",
        "target/release/kverdict check --shard 5/4",
        "cargo test --package kverdict-nowhere",
        "just nothing",
        "frobnicate",
        "true && ./nowhere.sh",
    ] {
        let complaints: Vec<String> = commands(wrong).iter().filter_map(|c| complaint(c, &packages)).collect();
        assert_eq!(complaints.len(), 1, "{wrong}: {complaints:?}");
    }
}

/// What an event carries can be anybody's text. In a script it would be run; in the environment it is data.
#[test]
fn no_text_of_an_event_stands_in_a_script() {
    for (file, text) in workflows() {
        for script in scripts(&text) {
            for (_, rest) in script.match_indices("${{").map(|(at, found)| (at, &script[at + found.len()..])) {
                let expression = rest.split("}}").next().unwrap_or("").trim();
                let fixed = ["matrix.", "env.", "runner."].iter().any(|known| expression.starts_with(known));
                assert!(fixed, "{file}: {expression} in: {script}");
            }
        }
    }
}

/// A tag can be moved to other code; a commit cannot.
#[test]
fn every_action_is_pinned_by_its_commit() {
    for (file, text) in workflows() {
        for action in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
            let commit = action.split(' ').next().and_then(|name| name.split_once('@')).expect("a version").1;
            let is_hash = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_hash && action.contains(" # v"), "{file}: {action}");
        }
    }
}

/// What is in the baseline and not in the results would be missing, loudly, in the report of every pull request.
#[test]
fn the_report_of_a_pull_request_has_every_engine_of_the_baseline() {
    let files = workflows();
    let (_, ci) = files.iter().find(|(file, _)| file == "ci.yml").expect("it is there");
    let mut engines: BTreeSet<String> = BTreeSet::new();
    for script in scripts(ci).iter().filter(|script| script.contains("--results ")) {
        for command in commands(script).iter().filter(|command| command[0].ends_with("kverdict")) {
            match command.windows(2).find(|words| words[0] == "--engine") {
                Some(words) => engines.extend(words[1].split(',').map(str::to_string)),
                None if command[1] == "prove" => engines.extend(["kani".to_string()]),
                None => panic!("{command:?} does not say which engines: a runner lacks some"),
            }
        }
    }
    let baseline = read(&project().join("reports/baseline.json"));
    let baseline = reports::baseline::Baseline::from_json(&baseline).expect("it can be read");
    let wanted = baseline.verdicts.keys().filter_map(|name| name.split(' ').nth(1));
    assert_eq!(engines, wanted.map(str::to_string).collect());
}

#[test]
fn only_the_comment_may_write_and_it_runs_no_code_of_the_pull_request() {
    for (file, text) in workflows() {
        assert!(text.contains("\npermissions:"), "{file} says which rights it needs");
        if file != "comment.yml" {
            assert!(!text.contains(": write"), "{file} needs no right to write");
            assert!(!text.contains("pull_request_target") && !text.contains("workflow_run"), "{file}");
            continue;
        }
        assert!(!text.contains("ref:"), "it checks out the default branch");
        assert!(!text.contains("cache"), "a cache could have been filled by anybody");
    }
}

#[test]
fn each_recipe_is_one_documented_line() {
    let text = read(&project().join("Justfile"));
    let lines: Vec<&str> = text.lines().collect();
    for (recipe, body) in recipes() {
        assert_eq!(body.len(), 1, "{recipe}");
        let at = lines.iter().position(|line| line.split([' ', ':']).next() == Some(&recipe)).expect("it is there");
        assert!(lines[at - 1].starts_with("# "), "{recipe} is documented");
    }
    for name in ["check", "test", "lint", "loom", "loom-deep", "stress", "herd7", "explore", "report", "bench", "ci"] {
        assert!(recipes().iter().any(|(recipe, _)| recipe == name), "{name} is missing");
    }
}

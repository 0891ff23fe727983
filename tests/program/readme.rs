//! The output that the README shows is the program's. `KVERDICT_UPDATE=1 cargo test --test program readme` renews it.

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- begin output: ";
const END: &str = "<!-- end output -->";

/// Times differ from run to run; everything else does not.
fn without_times(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut line = line.to_string();
        // `0.02 s` on a verdict's line, `· 41 s` at the end of the sum.
        while let Some(at) = find_time(&line) {
            line.replace_range(at, "0 seconds");
        }
        words.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    words.join("\n")
}

fn find_time(line: &str) -> Option<std::ops::Range<usize>> {
    let end = line.match_indices(" s").map(|(at, _)| at).find(|at| {
        let after = line[at + 2..].chars().next();
        line[..*at].ends_with(|c: char| c.is_ascii_digit()) && after.is_none_or(char::is_whitespace)
    })?;
    let start = line[..end].rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |at| at + 1);
    Some(start..end + 2)
}

fn blocks(text: &str) -> Vec<(String, String)> {
    let parts = text.split(BEGIN).skip(1).map(|part| {
        let (command, rest) = part.split_once(" -->\n").expect("the marker ends its line");
        let (block, _) = rest.split_once(END).expect("every block ends");
        (command.to_string(), block.to_string())
    });
    parts.collect()
}

fn fresh(command: &str) -> String {
    let arguments: Vec<&str> = command.split(' ').collect();
    let output = crate::running::kverdict(&arguments);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("```\n$ kverdict {command}\n{}\n```\n", trimmed.join("\n").trim_end())
}

#[test]
fn shown_output_is_real() {
    let mut text = std::fs::read_to_string(README).expect("there is a README");
    let blocks = blocks(&text);
    assert!(blocks.len() >= 2, "the README shows output");
    for (command, shown) in blocks {
        let now = fresh(&command);
        if std::env::var_os("KVERDICT_UPDATE").is_some() {
            let begin = format!("{BEGIN}{command} -->\n");
            text = text.replace(&format!("{begin}{shown}"), &format!("{begin}{now}"));
            std::fs::write(README, &text).expect("the README can be written");
        } else {
            assert_eq!(without_times(&now), without_times(&shown), "renew it with KVERDICT_UPDATE=1");
        }
    }
}

/// Every file that a page of the documentation shows or links to is there.
#[test]
fn pictures_and_links_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).expect("there are documents");
    let mut pages: Vec<_> = docs.map(|entry| entry.expect("it can be listed").path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    let mut links = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("it can be read");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next()) {
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            let file = page.parent().expect("it is in a folder").join(target);
            assert!(file.exists(), "{}: there is no {target}", page.display());
        }
    }
    assert!(links >= 4, "the pictures of the README are links: {links}");
}

#[test]
fn times_are_found_and_nothing_else() {
    let line = "34,437 states      0.01 s  at cpus=1 · 41 s";
    assert_eq!(without_times(line), "34,437 states 0 seconds at cpus=1 · 0 seconds");
    assert_eq!(without_times("1 steps 2 states"), "1 steps 2 states");
}

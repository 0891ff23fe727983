//! Reads what `cargo test` prints for one test binary.

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `ok`
    Passed,
    /// `FAILED`
    Failed,
    /// `ignored`
    Ignored,
}

/// The tests of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// Every test, in the order of the text.
    pub tests: Vec<(String, Verdict)>,
    sections: Vec<(String, String)>,
}

impl Tests {
    /// What became of a test.
    pub fn verdict(&self, name: &str) -> Option<Verdict> {
        self.tests.iter().find(|(test, _)| test == name).map(|(_, verdict)| *verdict)
    }

    /// What a test printed, if it failed or if all output was asked for.
    pub fn printed(&self, name: &str) -> &str {
        self.sections.iter().find(|(test, _)| test == name).map(|(_, text)| text.as_str()).unwrap_or_default()
    }
}

/// Reads the output. `Err`: no test binary ran, or one of them did not get to its sum.
pub fn parse(text: &str) -> Result<Tests, String> {
    let mut found = Tests::default();
    let mut announced: Option<usize> = None;
    let mut in_this = 0;
    let mut ran = false;
    let mut section: Option<String> = None;
    for line in text.lines() {
        if let Some(count) = line.strip_prefix("running ").and_then(|rest| rest.split(' ').next()?.parse().ok()) {
            if announced.is_some() {
                return Err("a test binary did not get to its sum: it crashed".to_string());
            }
            (announced, in_this, section) = (Some(count), 0, None);
            ran = true;
        } else if line.starts_with("test result: ") {
            match announced.take() {
                Some(count) if count == in_this => {}
                _ => return Err("the sum does not fit the tests".to_string()),
            }
            section = None;
        } else if let Some((name, verdict)) = line.strip_prefix("test ").and_then(test_line) {
            in_this += 1;
            found.tests.push((name, verdict));
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            section = Some(name.to_string());
            found.sections.push((name.to_string(), String::new()));
        } else if line == "failures:" || line == "successes:" {
            section = None;
        } else if section.is_some()
            && let Some((_, text)) = found.sections.last_mut()
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    match (ran, announced) {
        (false, _) => Err("no test was started: it did not build".to_string()),
        (true, Some(_)) => Err("the last test binary did not get to its sum: it crashed".to_string()),
        (true, None) => Ok(found),
    }
}

fn test_line(rest: &str) -> Option<(String, Verdict)> {
    let (name, verdict) = rest.split_once(" ... ")?;
    let verdict = match verdict {
        "ok" => Verdict::Passed,
        "FAILED" => Verdict::Failed,
        _ if verdict.starts_with("ignored") => Verdict::Ignored,
        _ => return None,
    };
    Some((name.trim_end_matches(" - should panic").to_string(), verdict))
}

//! Our litmus tests as files: complete headers, no question asked twice, the documentation in step with them.

use std::collections::{BTreeMap, BTreeSet};

use kverdict::lkmm::{LitmusTest, Observation, Settings, load};

use super::project;

fn tests() -> Vec<LitmusTest> {
    load(&Settings::from_environment(project()).tests_folder()).expect("every file has a complete header")
}

#[test]
fn there_are_enough_and_none_twice() {
    let tests = tests();
    assert!(tests.len() >= 100, "{} litmus tests", tests.len());
    let mut questions = BTreeSet::new();
    let mut by_mechanism: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for test in &tests {
        assert!(questions.insert(&test.question), "{} asks what another asks", test.name);
        assert!(test.question.ends_with('?'), "{}", test.name);
        assert!(test.why.ends_with('.'), "{}", test.name);
        let holds = test.expected.observation == Observation::Never && test.expected.flags.is_empty();
        by_mechanism.entry(&test.mechanism).or_default()[usize::from(holds)] += 1;
    }
    assert_eq!(by_mechanism.keys().copied().collect::<Vec<_>>(), ["io-bitmap", "iommu-flush", "ldt", "pkeys"]);
    for (mechanism, [broken, holding]) in by_mechanism {
        assert!(broken >= 3 && holding >= 3, "{mechanism}: {broken} that show something bad, {holding} that do not");
    }
}

#[test]
fn refuses_a_header_that_is_not_complete() {
    let path = project().join("harnesses/litmus/ldt-publish-plain-writer.litmus");
    let whole = std::fs::read_to_string(&path).expect("the file is there");
    LitmusTest::parse(&path, &whole).expect("as it stands, it is complete");
    for (right, wrong) in [
        ("C ldt-", "C ltd-"),
        ("C ldt-publish-plain-writer", "C ldt-publish-plain-reader"),
        ("C ldt-publish-plain-writer", "X ldt-publish-plain-writer"),
        ("Mechanism: ldt", "Mechanism: gdt"),
        ("Mechanism: ldt", "Mechanism: pkeys"),
        ("Variant: none", "Variant:"),
        ("Question:", "Queston:"),
        ("Result: Sometimes", "Result: Maybe"),
        ("Result: Sometimes", "Result: sometimes"),
        (" * Flags: data-race\n", ""),
        (" *   1:r0=new; 1:r1=0;\n", " *   1:r0=new 1:r1=0\n"),
        (" *   1:r0=new; 1:r1=0;\n", " *   1:r0=new; 1:r1=1;\n"),
        (": the plain writer races", " the plain writer races"),
        ("Indifferent: P1 plain r0 = READ_ONCE(ldt)", "Indifferent: P1 plain r0 = READ_ONCE(*ldt)"),
        ("Indifferent:", "Loom: race: a reason\n * Indifferent:"),
        ("Indifferent:", "Loom race\n * Indifferent:"),
        (" * Why", " Why"),
        ("exists (", "forall ("),
        (" *)\n", ""),
    ] {
        let damaged = whole.replacen(right, wrong, 1);
        assert_ne!(damaged, whole, "{right} is there");
        assert!(LitmusTest::parse(&path, &damaged).is_err(), "{right} replaced by {wrong}");
    }
}

/// A row of the table in the documentation.
pub(super) struct Row {
    question: String,
    /// The answers under sequential consistency and total store order: `Never / Sometimes`.
    pub(super) sc_and_tso: String,
    lkmm: String,
}

/// The rows of docs/memory-models.md by the name of their test.
pub(super) fn documented() -> BTreeMap<String, Row> {
    let path = project().join("docs/memory-models.md");
    let text = std::fs::read_to_string(&path).expect("docs/memory-models.md is there");
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        assert_eq!(cells.len(), 8, "{name} has six cells");
        let cell = |number: usize| cells[number].to_string();
        let row = Row { question: cell(2), sc_and_tso: cell(3), lkmm: cell(5) };
        assert!(rows.insert(name.to_string(), row).is_none(), "{name} is there twice");
        assert!(["Never", "Sometimes", "race"].contains(&cells[4]), "{name}: {} is no verdict of loom's", cells[4]);
    }
    rows
}

/// The table in the documentation names every test once, with the question and the verdict of its header.
#[test]
fn the_documentation_has_every_test() {
    let mut rows = documented();
    for test in tests() {
        let flags = test.expected.flags.iter().map(|flag| format!(", {flag}")).collect::<String>();
        let row = rows.remove(&test.name).unwrap_or_else(|| panic!("{} is not in the table", test.name));
        assert_eq!(row.question, test.question, "{}", test.name);
        assert_eq!(row.lkmm, format!("{}{flags}", test.expected.observation), "{}", test.name);
    }
    assert!(rows.is_empty(), "no such tests: {:?}", rows.keys());
}

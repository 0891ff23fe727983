//! What is read out of the sources, and how the census differs from it.

use gate::census::Census;
use gate::source::{self, AssumptionKind, Sources, normal};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A crate of these files.
fn crate_of(files: &[(&str, &str)]) -> (TempDir, Sources) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let sources = source::read(folder.path(), Path::new("proofs/src"), &[PathBuf::from("models/src")]);
    (folder, sources)
}

const BITMAP: &str = "\
//! A file.

/// index-in-range, in-bounds: the index is
/// inside.
#[cfg_attr(kani, kani::proof, kani::unwind(9))] // eight bytes and the end
fn index_is_in_range() {
    let shift = any_shift();
    let page: Page = kani::any();
    kani::assume(shift < 52); // domain: a page is at most 2^52 bytes
    // hypothesis: the caller
    // has checked it
    kani::assume(
        page.0 != 7,
    );
    let end = kani::any_where(|end: &u64| *end > 3); // domain: three pages at least
    kani::cover!(shift == 12, \"pages of 4 KiB\");
    kani::cover!(end > 9);
    assert!(index(shift) < end, \"index in range\");
    assert_eq!(index(shift), 1);
    check(shift);
}

fn check(shift: u32) {
    assert!(
        shift
            != 3,
    );
}

/// Every shift of a page.
fn any_shift() -> u32 {
    kani::any_where(|shift| *shift < 64) // domain: the type
}

/// Pages below 2^40.
impl kani::Arbitrary for Page {
    fn any() -> Self {
        let page = kani::any();
        kani::assume(page < 1 << 40); // cost: see the bound
        Page(page)
    }
}

mod inner {
    /// other, as a base case, twice: it is found.
    ///
    /// Unwinding 3: two turns
    /// and the end.
    #[kani::proof]
    #[kani::unwind(3)]
    fn posted_count_is_found() {
        kani::assert(unrelated(), \"never\");
    }
}
";

#[test]
fn reads_names_and_everything_that_a_proof_says() {
    let (_folder, sources) =
        crate_of(&[("proofs/src/lib.rs", "#[cfg(kani)]\nmod iova_bitmap;\n"), ("proofs/src/iova_bitmap.rs", BITMAP)]);
    assert_eq!(sources.problems, Vec::<String>::new());
    let [index, other] = &sources.proofs[..] else { panic!("two proofs: {:?}", sources.proofs) };
    assert_eq!(
        (index.name.as_str(), other.name.as_str()),
        ("iova_bitmap::index_is_in_range", "iova_bitmap::inner::posted_count_is_found")
    );
    assert_eq!((index.file.as_str(), index.line), ("proofs/src/iova_bitmap.rs", 6));
    assert_eq!(
        (index.properties(), other.properties()),
        (vec!["index-in-range".into(), "in-bounds".into()], vec!["other".into()])
    );
    assert_eq!((index.mechanism().as_str(), other.mechanism().as_str()), ("iova-bitmap", "iova-bitmap"));
    assert_eq!((index.twin_of(), other.twin_of()), (None, Some("posted-count".to_string())));
    assert_eq!(index.unwind, Some(9));
    let covers: Vec<&str> = index.covers.iter().map(|cover| cover.text.as_str()).collect();
    assert_eq!(covers, ["pages of 4 KiB", "cover condition: end > 9"]);
    let asserts: Vec<String> = index.asserts.iter().map(|stated| normal(&stated.text)).collect();
    assert_eq!(asserts, ["indexinrange", "assertionfailed:index(shift)==1", "assertionfailed:shift!=3"]);
    assert_eq!(other.asserts[0].text, "never");
    assert_eq!(other.assumptions[0].reason.as_deref(), Some("Unwinding 3: two turns and the end."));
}

#[test]
fn lists_every_assumption_with_its_reason() {
    let (_folder, sources) =
        crate_of(&[("proofs/src/lib.rs", "mod iova_bitmap;"), ("proofs/src/iova_bitmap.rs", BITMAP)]);
    let found: Vec<(usize, AssumptionKind, &str)> = sources.proofs[0]
        .assumptions
        .iter()
        .map(|assumption| (assumption.line, assumption.kind, assumption.reason.as_deref().unwrap_or("none")))
        .collect();
    use AssumptionKind::{Assume, Domain, Helper, Unwind};
    let expected = [
        (5, Unwind, "eight bytes and the end"),
        (9, Assume, "domain: a page is at most 2^52 bytes"),
        (12, Assume, "hypothesis: the caller has checked it"),
        (15, Domain, "domain: three pages at least"),
        (31, Helper, "Every shift of a page."),
        (32, Domain, "domain: the type"),
        (36, Domain, "Pages below 2^40."),
        (39, Assume, "cost: see the bound"),
    ];
    assert_eq!(found, expected);
    assert_eq!(sources.proofs[0].assumptions[2].text, "kani::assume( page.0 != 7, )");
}

#[test]
fn helpers_that_are_not_there_under_kani_are_not_assumptions() {
    let text = "#[cfg(not(kani))] fn any(choose: u8) { kani::assume(true); } // domain: none
        #[kani::proof] fn p() { let x: u8 = kani::any(); kani::cover!(x > 1); assert!(x < 2); }";
    let (_folder, sources) = crate_of(&[("proofs/src/lib.rs", text)]);
    assert_eq!((sources.problems.len(), sources.proofs[0].assumptions.len()), (0, 0), "{sources:?}");
}

#[test]
fn functions_that_are_only_passed_on_are_followed() {
    for call in [
        "f(g)",
        "f(1, g)",
        "f(&mut g)",
        "f(&g, 1)",
        "let h = g; f(h)",
        "let h = if x { g } else { g }; f(h)",
        "f(|| g)",
    ] {
        let text = format!(
            "fn g() {{ kani::assume(true); }} // domain: none\n#[kani::proof] fn p() {{ {call}; kani::cover!(true); assert!(true); }}"
        );
        let (_folder, sources) = crate_of(&[("proofs/src/lib.rs", &text)]);
        assert_eq!(sources.proofs[0].assumptions.len(), 1, "{call}");
    }
}

#[test]
fn private_functions_of_other_modules_are_not_meant() {
    let assumes = "kani::assume(true); // domain: none";
    let proof = "#[kani::proof] fn p() { g(); kani::cover!(true); assert!(true); }";
    for (file, function, expected) in [
        ("proofs/src/other.rs", "fn g()", 0),
        ("proofs/src/other.rs", "pub(crate) fn g()", 1),
        ("proofs/src/it.rs", "fn g()", 1),
    ] {
        let helper = format!("{function} {{ {assumes}\n }}");
        let child = format!("use super::*;\n{proof}");
        let of = |name: &str, text: &str| if name == file { format!("{text}\n{helper}") } else { text.to_string() };
        let (_folder, sources) = crate_of(&[
            ("proofs/src/lib.rs", "mod it; mod other;"),
            ("proofs/src/it.rs", &of("proofs/src/it.rs", "mod below;")),
            ("proofs/src/other.rs", &of("proofs/src/other.rs", "")),
            ("proofs/src/it/below.rs", &child),
        ]);
        assert_eq!(sources.proofs[0].assumptions.len(), expected, "{file} {function}");
    }
}

#[test]
fn helpers_that_are_given_a_chooser_are_assumptions() {
    let text = "
        fn any_below(end: u8) -> u8 { kani::any_where(|value: &u8| *value < end) } // domain: below the end
        /// Any pair.
        fn pair<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> (u8, u8) { (choose(2), half(choose)) }
        fn half<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> u8 { choose(3) }
        fn plain(other: u8) -> u8 { other }
        #[kani::proof]
        fn p() { let p = pair(&mut any_below); kani::cover!(p.0 == 1); assert!(plain(p.0) < 2); }";
    let (_folder, sources) = crate_of(&[("proofs/src/lib.rs", text)]);
    let found: Vec<&str> = sources.proofs[0].assumptions.iter().map(|a| a.text.as_str()).collect();
    let any_below = "values come from any_below()";
    let domain = "kani::any_where(|value: &u8| *value < end)";
    assert_eq!(found, [domain, any_below, "values come from pair()", "values come from half()"]);
}

#[test]
fn what_cannot_be_followed_is_a_problem() {
    let bodies = [
        ("macro_rules! p { ($n:ident) => { #[kani::proof] fn $n() {} } }\np!(a);", "macro"),
        ("fn outer() { #[kani::proof] fn inner() {} }", "stands 1 times"),
        ("#[cfg(test)] mod t { #[kani::proof] fn p() {} }", "stands 1 times"),
        ("#[cfg(not(kani))]\n#[kani::proof] fn p() {}", "stands 1 times"),
        ("#[cfg(feature = \"x\")]\n#[kani::proof] fn p() {}", "a cfg that is not understood"),
        ("#[cfg_attr(feature = \"x\", kani::proof)] fn p() {}", "behind a condition"),
        ("use kani::proof;\n#[proof] fn p() {}", "another name"),
        ("use kani as k;\n#[k::proof] fn p() {}", "another name"),
        ("#[kani::proof_for_contract(f)] fn p() {}", "not understood"),
        ("#[kani::proof]\n#[kani::unwind(N)] fn p() {}", "not a number"),
        ("#[path = \"x.rs\"] mod x;", "not followed"),
        ("mod gone;", "no file"),
        ("fn f( {", "cannot be read"),
    ];
    for (body, expected) in bodies {
        let (_folder, sources) = crate_of(&[("proofs/src/lib.rs", body)]);
        assert!(sources.problems.iter().any(|problem| problem.contains(expected)), "{body}: {:?}", sources.problems);
    }
    let (_folder, sources) = crate_of(&[("proofs/src/lib.rs", ""), ("proofs/src/lost.rs", "#[kani::proof] fn p() {}")]);
    assert!(sources.problems[0].contains("no `mod` leads to this file"), "{:?}", sources.problems);
}

#[test]
fn assumptions_in_the_models_are_found() {
    let lib = ("proofs/src/lib.rs", "/// a: b\n#[kani::proof] fn p() { let s: State = kani::any(); assert!(s.ok()); }");
    let arbitrary = "#[cfg(kani)] impl kani::Arbitrary for State { fn any() -> Self { kani::assume(x); State } }";
    let (_folder, sources) = crate_of(&[lib, ("models/src/lib.rs", arbitrary)]);
    assert_eq!(sources.problems, Vec::<String>::new());
    assert_eq!(sources.proofs[0].assumptions.len(), 2);
    assert_eq!(sources.proofs[0].assumptions[0].file, "models/src/lib.rs");
    let (_folder, sources) = crate_of(&[lib, ("models/src/lib.rs", "pub fn step() { kani::assume(false); }")]);
    assert!(sources.problems[0].contains("outside an `Arbitrary`"), "{:?}", sources.problems);
}

#[test]
fn what_is_not_there_under_kani_does_not_count() {
    let text = "/// a: b\n#[kani::proof] fn p() {\n    #[cfg(not(kani))]\n    assert!(x);\n    #[cfg(kani)]\n    kani::cover!(y);\n    assert!(z);\n}";
    let (_folder, sources) = crate_of(&[("proofs/src/lib.rs", text)]);
    let asserts: Vec<&str> = sources.proofs[0].asserts.iter().map(|stated| stated.text.as_str()).collect();
    assert_eq!((asserts, sources.proofs[0].covers.len()), (vec!["assertion failed: z"], 1));
}

#[test]
fn texts_are_compared_without_blanks_and_trailing_commas() {
    assert_eq!(normal("\"index in range\""), normal("index in range"));
    assert_eq!(normal("assertion failed: f(a, b,) < c"), normal("assertion failed: f(a,\n    b) < c"));
    assert_ne!(normal("assertion failed: a < b"), normal("assertion failed: a <= b"));
}

/// A crate and its census, both in order.
fn in_order() -> (TempDir, Sources, Census) {
    let text = BITMAP.replace("#[kani::should_panic]\n", "");
    let (folder, sources) =
        crate_of(&[("proofs/src/lib.rs", "mod iova_bitmap;"), ("proofs/src/iova_bitmap.rs", &text)]);
    let mut census = Census::default().updated(&sources);
    census.proofs[1].no_cover = Some("it has no input".into());
    assert_eq!(census.compare(&sources), Vec::<String>::new());
    (folder, sources, census)
}

#[test]
fn a_census_keeps_what_people_wrote_and_its_order() {
    let (_folder, sources, mut census) = in_order();
    census.proofs[0].timeout = Some(7);
    census.proofs[0].variant = "posted-v1".into();
    let text = census.to_text();
    let read = Census::parse(&text).expect("its own text");
    assert_eq!(read, census);
    assert_eq!(read.updated(&sources).to_text(), text);
    census.proofs.reverse();
    assert_eq!(census.to_text(), text);
    assert!(Census::parse("[[proof]]\nname = \"x\"").is_err());
    assert!(Census::parse(&text.replace("timeout", "timeouts")).is_err());
}

#[test]
fn every_difference_from_the_census_is_an_error() {
    let (_folder, sources, census) = in_order();
    let expect = |change: &dyn Fn(&mut Census), expected: &str| {
        let mut changed = census.clone();
        change(&mut changed);
        let errors = changed.compare(&sources);
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected}: {errors:?}");
    };
    expect(&|census| drop(census.proofs.pop()), "not in the census");
    expect(&|census| census.proofs[0].name.push('x'), "not in the sources");
    expect(&|census| census.proofs[0].name.push('x'), "not in the census");
    expect(&|census| census.proofs.push(census.proofs[0].clone()), "listed twice");
    expect(&|census| census.proofs.clear(), "lists no proof");
    expect(&|census| census.proofs[0].covers = 1, "2 covers");
    expect(&|census| census.proofs[0].asserts = 9, "3 assertions");
    expect(&|census| census.proofs[0].assumptions = 1, "8 assumptions");
    expect(&|census| census.proofs[0].unwind = None, "unwinding bound");
    expect(&|census| census.proofs[0].properties = vec!["x".into()], "in the census about");
    expect(&|census| census.proofs[1].no_cover = None, "no cover shows");
    expect(&|census| census.proofs[0].twin = true, "that of a twin");
}

#[test]
fn a_weak_proof_is_an_error() {
    let weak = [
        ("/// a: b\n#[kani::proof] fn p() { kani::cover!(x); }", "asserts nothing"),
        ("#[kani::proof] fn p() { kani::cover!(x); assert!(x); }", "does not start with the id"),
        ("/// Something\n#[kani::proof] fn p() { kani::cover!(x); assert!(x); }", "does not start with the id"),
        (
            "/// a: b\n#[kani::proof] fn p() {\n    kani::assume(x);\n    kani::cover!(x);\n    assert!(x);\n}",
            "no comment that says why",
        ),
        (
            "/// a: b\n#[kani::proof]\n#[kani::unwind(3)]\nfn p() { kani::cover!(x); assert!(x); }",
            "no comment that says why",
        ),
        (
            "/// a: b\n#[kani::proof]\n#[kani::should_panic]\nfn p() { kani::cover!(x); assert!(x); }",
            "`kani::should_panic` is not understood",
        ),
    ];
    for (text, expected) in weak {
        let (_folder, sources) = crate_of(&[("proofs/src/lib.rs", text)]);
        let errors = Census::default().updated(&sources).compare(&sources);
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected}: {errors:?}");
    }
}

#[test]
fn names_are_those_of_kanis_own_list() {
    let list: serde_json::Value = serde_json::from_str(include_str!("../data/list-0.57.json")).expect("a list");
    let listed: Vec<&str> = list["standard-harnesses"]["src/lib.rs"]
        .as_array()
        .expect("names")
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    let sources = crate::support::demo();
    let found: Vec<&str> = sources.proofs.iter().map(|proof| proof.name.as_str()).collect();
    assert_eq!(found, listed);
}

#[test]
fn a_file_for_tests_alone_may_hold_no_proof() {
    let lib = ("proofs/src/lib.rs", "#[cfg(all(test, not(kani)))]\nmod samples;\n");
    let (_folder, sources) = crate_of(&[lib, ("proofs/src/samples.rs", "fn grow() { kani::any::<u8>(); }")]);
    assert_eq!(sources.problems, Vec::<String>::new());
    let (_folder, sources) = crate_of(&[lib, ("proofs/src/samples.rs", "#[kani::proof]\nfn p() {}")]);
    assert_eq!(
        sources.problems,
        ["proofs/src/samples.rs: `kani::proof` stands 1 times in a file that is left out by a cfg"]
    );
}

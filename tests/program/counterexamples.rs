//! The counterexample of every posted bug, step by step, as `kverdict show` prints it.
//!
//! A changed file in `snapshots/` is another way into the bug, and its commit says why. `INSTA_UPDATE=always cargo
//! test --test program counterexamples` writes what is true now.

use crate::running::kverdict;

/// The broken variants of the catalogue that stood on a mailing list as code, and for `pkeys`, whose posted form holds,
/// the alternative that the thread asks about.
fn posted_bugs() -> Vec<String> {
    let listed = kverdict(&["list", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("the list is JSON");
    let mut names = vec!["pkeys/lockless-writers".to_string()];
    for mechanism in listed.as_array().expect("a list of mechanisms") {
        let variants = mechanism["variants"].as_array().expect("a list of variants");
        for variant in variants.iter().filter(|variant| variant["expected"] == "broken") {
            let name = variant["variant"].as_str().expect("a name");
            if name.starts_with("posted") {
                names.push(format!("{}/{name}", mechanism["mechanism"].as_str().expect("a name")));
            }
        }
    }
    names
}

#[test]
fn the_posted_bugs_are_shown_step_by_step() {
    let names = posted_bugs();
    for mechanism in ["io-bitmap", "ldt", "iommu-flush", "pkeys", "iova-bitmap"] {
        assert!(names.iter().any(|name| name.starts_with(mechanism)), "{mechanism} has no posted bug: {names:?}");
    }
    for name in names {
        let shown = kverdict(&["show", &name]);
        assert!(shown.status.success(), "{name}: {}", String::from_utf8_lossy(&shown.stderr));
        let text = String::from_utf8(shown.stdout).expect("UTF-8");
        insta::assert_snapshot!(name.replace('/', "-"), text);
    }
}

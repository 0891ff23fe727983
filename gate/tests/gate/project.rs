//! The project's own proofs: the census and the mutations fit the sources. This needs no Kani.

use gate::Workspace;
use gate::census::Census;
use gate::mutations::Mutations;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}

/// With `KVERDICT_UPDATE=1` the counts in `proofs/census.toml` are written anew; a person reviews the change.
#[test]
fn the_census_fits_the_sources() {
    let workspace = Workspace::at(&root());
    if std::env::var_os("KVERDICT_UPDATE").is_some() {
        workspace.update_census().expect("a census that can be written");
    }
    let census = Census::read(&workspace.census).expect("a census");
    let errors = census.compare(&workspace.read_sources());
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let text = std::fs::read_to_string(&workspace.census).expect("a census");
    assert_eq!(text, census.to_text(), "not in its fixed order: KVERDICT_UPDATE=1 cargo test --package kverdict-gate");
}

#[test]
fn the_mutations_fit_the_sources() {
    let workspace = Workspace::at(&root());
    let census = Census::read(&workspace.census).expect("a census");
    let mutations = Mutations::read(&workspace.mutations).expect("mutations");
    let problems = mutations.problems(&workspace, &census, &workspace.read_sources());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

//! The engine `lkmm`: the parser on recorded and on damaged answers of herd7, the engine with stand-ins for herd7
//! that fail in every way, the headers of our litmus tests, and, where herd7 is installed, everything for real.

mod changes;
mod headers;
mod output;
mod real;
mod stand_ins;

use std::path::{Path, PathBuf};

/// The root of the project.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder for one test's files, empty.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lkmm").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("an old folder can be removed");
    }
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// A recorded answer of herd7 7.58.
fn recorded(name: &str) -> String {
    let path = project().join("tests/data/herd7").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

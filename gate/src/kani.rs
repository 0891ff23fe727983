//! Finds Kani and runs it, one proof at a time.

use crate::judge::{End, Run};
use crate::output::Version;
use crate::process;
use crate::source::{AssumptionKind, SourceProof};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, io};

/// How to install it.
pub const INSTALL: &str = "cargo install --locked kani-verifier --version 0.68.0 && cargo kani setup";

/// Time for compiling, beside the time that a proof may take.
const BUILD: Duration = Duration::from_secs(300);

/// A Kani that is installed.
#[derive(Clone, Debug)]
pub struct Kani {
    /// Its version.
    pub version: Version,
    /// Whether `cargo kani --help` names `--export-json`.
    pub exports: bool,
    path: Option<OsString>,
}

/// Where to look for commands; `None` is the `PATH` of this process.
#[derive(Clone, Debug, Default)]
pub struct SearchPath(pub Option<OsString>);

impl SearchPath {
    fn has(&self, name: &str) -> bool {
        let path = self.0.clone().or_else(|| env::var_os("PATH")).unwrap_or_default();
        let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
        if self.0.is_none() {
            // cargo also looks here, whatever the PATH.
            let home = env::var_os("CARGO_HOME").map(PathBuf::from);
            folders
                .extend(home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))).map(|home| home.join("bin")));
        }
        folders.iter().any(|folder| folder.join(name).is_file())
    }

    fn cargo(&self) -> Command {
        let mut command = Command::new("cargo");
        if let Some(path) = &self.0 {
            command.env("PATH", path);
        }
        // What cargo set for this process is not meant for the other toolchain, and flags of the user would change the proofs.
        for name in [
            "CARGO",
            "RUSTUP_TOOLCHAIN",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_DIR",
        ] {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1").env("CARGO_TERM_COLOR", "never");
        command
    }
}

impl Kani {
    /// Finds it. The error says why it cannot be used.
    pub fn find(path: &SearchPath, stop: &dyn Fn() -> bool) -> Result<Kani, String> {
        if !path.has("cargo-kani") {
            return Err("cargo kani is not installed".to_string());
        }
        let ask = |argument: &str| -> Result<String, String> {
            let mut command = path.cargo();
            command.args(["kani", argument]);
            match process::run(&mut command, Duration::from_secs(60), stop) {
                Ok(Some(answer)) if answer.end == End::Exited(0) => Ok(answer.stdout),
                Ok(Some(answer)) => Err(format!("cargo kani {argument} ended with {:?}", answer.end)),
                Ok(None) => Err("stopped".to_string()),
                Err(error) => Err(format!("cargo kani {argument}: {error}")),
            }
        };
        let said = ask("--version")?;
        let Some(version) = said.split_whitespace().find_map(Version::parse) else {
            return Err(format!("cargo kani --version says `{}`", said.trim()));
        };
        if !version.is_known() {
            return Err(format!("Kani {version} is installed; its output is not known (0.57 to 0.68 is)"));
        }
        Ok(Kani { version, exports: ask("--help")?.contains("--export-json"), path: path.0.clone() })
    }

    /// Runs one proof in a workspace. `target`: another target folder than that of the workspace.
    pub fn run(
        &self,
        root: &Path,
        package: &str,
        proof: &SourceProof,
        timeout: u64,
        target: Option<&Path>,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<Option<Run>> {
        let folder = tempfile::tempdir()?;
        let export = folder.path().join("results.json");
        let mut command = SearchPath(self.path.clone()).cargo();
        command.current_dir(root);
        command.args(["kani", "--package", package, "--output-format", "regular", "--harness", &proof.name, "--exact"]);
        if proof.assumptions.iter().any(|assumption| assumption.kind == AssumptionKind::Stub) {
            command.args(["-Z", "stubbing"]);
        }
        if self.exports {
            command.args(["-Z", "unstable-options", "--export-json"]).arg(&export);
        }
        if let Some(target) = target {
            command.arg("--target-dir").arg(target);
        }
        let Some(finished) = process::run(&mut command, Duration::from_secs(timeout) + BUILD, stop)? else {
            return Ok(None);
        };
        let export = match std::fs::read_to_string(&export) {
            Ok(text) => Some(text),
            // A version that has the flag and writes no file contradicts itself: the empty text is no valid file.
            Err(_) if self.exports => Some(String::new()),
            Err(_) => None,
        };
        let tail: Vec<&str> = finished.stderr.lines().rev().take(40).collect();
        let errors = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        Ok(Some(Run { end: finished.end, text: finished.stdout, export, errors }))
    }
}

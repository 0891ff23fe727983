//! Finds herd7 and the kernel's memory model, and says what is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Error, NotRun, Settings, output, process, read};

/// The versions of herd7 whose output this module was written for.
pub const KNOWN_HERD7: [&str; 2] = ["7.57", "7.58"];

/// herd7 and the model, ready to be asked.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program.
    pub herd7: PathBuf,
    /// Its version.
    pub herd7_version: String,
    /// The kernel's `tools/memory-model`.
    pub model_folder: PathBuf,
    /// The kernel that it is from, such as `Linux 6.1.176`.
    pub model: String,
    pub(super) timeout: Duration,
    pub(super) threads: usize,
}

/// Looks for herd7 on PATH, then in `target/herd7`; for the model in the kernel tree that the settings name, else in
/// `target/herd7`. `Ok(Err(...))` says what is missing; an error, what is there and not usable.
pub fn find(settings: &Settings) -> Result<Result<Setup, NotRun>, Error> {
    let fetched = settings.project.join("target/herd7");
    let tree = settings.kernel_tree.clone().unwrap_or_else(|| fetched.join("linux"));
    let model = match find_model(&tree) {
        Err(reason) if settings.kernel_tree.is_some() || tree.exists() => return Err(Error::Setup(reason)),
        model => model,
    };
    let herd7 = find_herd7(settings, &fetched)?;
    let (herd7, model) = match (herd7, model) {
        (Some(herd7), Ok(model)) => (herd7, model),
        (herd7, model) => return Ok(Err(missing(herd7.is_none(), model.is_err()))),
    };
    let ((herd7, herd7_version), (model_folder, model)) = (herd7, model);
    let (timeout, threads) = (settings.timeout, settings.threads);
    Ok(Ok(Setup { herd7, herd7_version, model_folder, model, timeout, threads }))
}

fn missing(herd7: bool, model: bool) -> NotRun {
    let mut reasons = Vec::new();
    let mut ways = vec!["run `just herd7`, which fetches both from Debian"];
    if herd7 {
        reasons.push("herd7 is neither on PATH nor in target/herd7");
        ways.push("or put herd7 on PATH");
    }
    if model {
        reasons.push("there is no kernel memory model in target/herd7");
        ways.push("or name a kernel tree with --kernel-tree or KVERDICT_KERNEL_TREE");
    }
    NotRun { reason: reasons.join(" and "), how_to_get: ways.join(", ") }
}

/// The first herd7 whose version is known. One of an unknown version is an error only if there is no better one.
fn find_herd7(settings: &Settings, fetched: &Path) -> Result<Option<(PathBuf, String)>, Error> {
    let mut unknown = Vec::new();
    for folder in settings.path.iter().chain([&fetched.join("bin")]) {
        let herd7 = folder.join("herd7");
        if !herd7.is_file() {
            continue;
        }
        // herd7 runs in another folder than this process, so an entry of PATH such as `.` would lead elsewhere.
        let herd7 = std::path::absolute(&herd7).map_err(|error| Error::Setup(error.to_string()))?;
        match version_of(&herd7, settings) {
            Ok(version) => return Ok(Some((herd7, version))),
            Err(reason) => unknown.push(format!("{}: {reason}", herd7.display())),
        }
    }
    if unknown.is_empty() { Ok(None) } else { Err(Error::UnknownVersion(unknown.join("; "))) }
}

fn version_of(herd7: &Path, settings: &Settings) -> Result<String, String> {
    let mut command = Command::new(herd7);
    command.arg("-version");
    let said = process::run(command, settings.timeout).map_err(|failure| failure.to_string())?;
    if !said.success {
        return Err(format!("herd7 -version failed: {}", said.stderr.lines().next().unwrap_or("no message")));
    }
    let version = output::parse_version(&said.stdout)?;
    if KNOWN_HERD7.contains(&version.as_str()) || settings.accept_herd7.contains(&version) {
        return Ok(version);
    }
    Err(format!("version {version} is unknown: this engine knows the output of {}", KNOWN_HERD7.join(" and ")))
}

/// The model's folder and its kernel's version, or why `tree` is not a kernel tree with a model.
fn find_model(tree: &Path) -> Result<(PathBuf, String), String> {
    let folder = tree.join("tools/memory-model");
    for file in ["linux-kernel.cfg", "linux-kernel.cat", "linux-kernel.bell", "linux-kernel.def"] {
        if !folder.join(file).is_file() {
            return Err(format!("{} has no tools/memory-model/{file}", tree.display()));
        }
    }
    let folder = std::path::absolute(&folder).map_err(|error| error.to_string())?;
    let makefile = read(&tree.join("Makefile")).map_err(|error| error.to_string())?;
    let version = kernel_version(&makefile)
        .ok_or_else(|| format!("the Makefile of {} does not say which kernel it is", tree.display()))?;
    Ok((folder, version))
}

/// `Linux 6.1.176` out of the first lines of a kernel's Makefile.
fn kernel_version(makefile: &str) -> Option<String> {
    let value = |key: &str| {
        let line = makefile.lines().take(10).find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='))?;
        let digits = line.trim();
        (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
    };
    Some(format!("Linux {}.{}.{}", value("VERSION")?, value("PATCHLEVEL")?, value("SUBLEVEL")?))
}

#[cfg(test)]
mod tests {
    use super::kernel_version;

    #[test]
    fn reads_the_kernel_version() {
        let makefile =
            "# SPDX-License-Identifier: GPL-2.0\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 176\nEXTRAVERSION =\n";
        assert_eq!(kernel_version(makefile).as_deref(), Some("Linux 6.1.176"));
        assert_eq!(kernel_version(&makefile.replace("SUBLEVEL = 176\n", "")), None);
        assert_eq!(kernel_version(&makefile.replace("= 6", "= six")), None);
    }
}

//! Runs a command with a time limit, and takes down everything that it started when the time is up.

use crate::judge::End;
use std::io::{self, Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// Runs a command. `None`: `stop` said so. The output goes through files: a pipe would stay open as long as any grandchild holds it.
pub fn run(command: &mut Command, limit: Duration, stop: &dyn Fn() -> bool) -> io::Result<Option<Finished>> {
    let mut stdout = tempfile::tempfile()?;
    let mut stderr = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let start = Instant::now();
    // Its own process group, so that cargo, Kani, CBMC and the solver can be killed together.
    let mut child = command.process_group(0).spawn()?;
    let end = loop {
        if let Some(status) = child.try_wait()? {
            kill(&child);
            break how(status);
        }
        if stop() {
            take_down(&mut child)?;
            return Ok(None);
        }
        if start.elapsed() >= limit {
            take_down(&mut child)?;
            break End::TimedOut(limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let took = start.elapsed();
    Ok(Some(Finished { end, stdout: text(&mut stdout)?, stderr: text(&mut stderr)?, took }))
}

fn how(status: ExitStatus) -> End {
    match status.code() {
        Some(code) => End::Exited(code),
        None => End::Signalled(status.signal().unwrap_or_default()),
    }
}

/// Kills what is left of the process group. That it is gone already is no error.
fn kill(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

fn take_down(child: &mut Child) -> io::Result<()> {
    kill(child);
    child.wait().map(drop)
}

fn text(file: &mut std::fs::File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

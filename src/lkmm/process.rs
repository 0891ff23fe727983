//! Runs a program with a time limit and a limit on what it may write.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Failure;

/// More than any litmus test of ours writes, by a factor of a thousand.
const OUTPUT_LIMIT: u64 = 1 << 20;

/// What a program wrote, and whether it exited with 0.
pub(super) struct Said {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs `command` without input. After `timeout` it is killed.
pub(super) fn run(mut command: Command, timeout: Duration) -> Result<Said, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::NoVerdict(format!("cannot run {program}: {error}")))?;
    let stdout = read_on_a_thread(child.stdout.take().expect("stdout is piped"));
    let stderr = read_on_a_thread(child.stderr.take().expect("stderr is piped"));
    let success = wait(&mut child, timeout, &program)?;
    Ok(Said { success, stdout: text(stdout, &program)?, stderr: text(stderr, &program)? })
}

fn wait(child: &mut Child, timeout: Duration, program: &str) -> Result<bool, Failure> {
    let cannot = |error| Failure::NoVerdict(format!("cannot wait for {program}: {error}"));
    let deadline = Instant::now() + timeout;
    // std has no wait with a limit. A test takes about 10 ms, so looking once a millisecond loses little.
    loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            return Ok(status.success());
        }
        if Instant::now() >= deadline {
            child.kill().map_err(cannot)?;
            child.wait().map_err(cannot)?;
            return Err(Failure::TimedOut(timeout));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn read_on_a_thread(stream: impl Read + Send + 'static) -> JoinHandle<std::io::Result<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.take(OUTPUT_LIMIT + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

fn text(reader: JoinHandle<std::io::Result<Vec<u8>>>, program: &str) -> Result<String, Failure> {
    let fail = |reason: String| Failure::NoVerdict(format!("cannot read what {program} wrote: {reason}"));
    let bytes = reader.join().expect("the reader does not panic").map_err(|error| fail(error.to_string()))?;
    if bytes.len() as u64 > OUTPUT_LIMIT {
        return Err(fail(format!("it is longer than {OUTPUT_LIMIT} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8".into()))
}

//! Runs a program with a time limit and a limit on what it may write.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
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
    let deadline = Instant::now() + timeout;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::NoVerdict(format!("cannot run {program}: {error}")))?;
    let (done, both_done) = mpsc::channel();
    let stdout = read_on_a_thread(child.stdout.take().expect("stdout is piped"), done.clone())?;
    let stderr = read_on_a_thread(child.stderr.take().expect("stderr is piped"), done)?;
    // Nothing is ever sent: the channel closes when both readers have seen the end, or when time is up.
    let _ = both_done.recv_timeout(timeout);
    let Some(success) = wait(&mut child, deadline, &program)? else { return Err(Failure::TimedOut(timeout)) };
    Ok(Said { success, stdout: text(stdout, &program)?, stderr: text(stderr, &program)? })
}

/// Waits for a program that has closed its output, and so is about to exit. `None` if it had to be killed.
fn wait(child: &mut Child, deadline: Instant, program: &str) -> Result<Option<bool>, Failure> {
    let cannot = |error| Failure::NoVerdict(format!("cannot wait for {program}: {error}"));
    loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            return Ok(Some(status.success()));
        }
        if Instant::now() >= deadline {
            child.kill().map_err(cannot)?;
            child.wait().map_err(cannot)?;
            return Ok(None);
        }
        // std has no wait with a limit.
        std::thread::sleep(Duration::from_micros(200));
    }
}

type Reader = JoinHandle<std::io::Result<Vec<u8>>>;

/// Reads all that `stream` has; `done` is dropped at its end.
fn read_on_a_thread(stream: impl Read + Send + 'static, done: mpsc::Sender<()>) -> Result<Reader, Failure> {
    let read = move || {
        let mut bytes = Vec::new();
        let read = stream.take(OUTPUT_LIMIT + 1).read_to_end(&mut bytes);
        drop(done);
        read.map(|_| bytes)
    };
    let started = std::thread::Builder::new().spawn(read);
    started.map_err(|error| Failure::NoVerdict(format!("cannot start a thread: {error}")))
}

fn text(reader: Reader, program: &str) -> Result<String, Failure> {
    let fail = |reason: String| Failure::NoVerdict(format!("cannot read what {program} wrote: {reason}"));
    let bytes = reader.join().expect("the reader does not panic").map_err(|error| fail(error.to_string()))?;
    if bytes.len() as u64 > OUTPUT_LIMIT {
        return Err(fail(format!("it is longer than {OUTPUT_LIMIT} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8".into()))
}

//! What ran and where: the facts about program, source and machine that every results document carries.

use std::process::Command;

use reports::results::{Machine, Tool};

/// The program, and the commit of the source folder it was built in, if that is a git checkout still.
pub fn tool() -> Tool {
    Tool {
        name: "kverdict".to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        commit: commit(),
        compiler: env!("KVERDICT_RUSTC").to_string(),
    }
}

/// This machine.
pub fn machine() -> Machine {
    use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
    let kind =
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kind);
    Machine {
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processor: system.cpus().first().map(|cpu| cpu.brand().trim().to_string()).filter(|brand| !brand.is_empty()),
        cpus: available_threads(),
        memory_bytes: Some(system.total_memory()).filter(|bytes| *bytes > 0),
    }
}

/// The memory, in bytes, that this process can still get, where the system tells.
pub fn free_memory() -> Option<u64> {
    use sysinfo::{MemoryRefreshKind, RefreshKind, System};
    let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kind);
    let of_group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    Some(system.available_memory().min(of_group)).filter(|bytes| *bytes > 0)
}

/// How many threads the machine runs at once.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let head = git(&["rev-parse", "HEAD"])?;
    let clean = git(&["status", "--porcelain"])?.is_empty();
    Some(if clean { head } else { format!("{head}-dirty") })
}

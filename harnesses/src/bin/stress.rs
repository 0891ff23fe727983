//! The ports on real threads for a bounded time, with the assertions of the scenarios: `stress [--seconds N]`.
//!
//! Finds little that loom does not (see `docs/harnesses.md`), but runs the machine's own memory order, and many threads.

use harnesses::over_std::{io_bitmap, iommu_flush, ldt, pkeys, recorder::Recorder};
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = match arguments.as_slice() {
        [] => 4,
        [flag, value] if flag == "--seconds" => match value.parse() {
            Ok(seconds) => seconds,
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    let share = Duration::from_secs(seconds) / 4;
    type Round = fn() -> u64;
    let runs: [(&str, Round); 4] =
        [("io-bitmap", io_bitmap), ("iommu-flush", iommu_flush), ("ldt", ldt), ("pkeys", pkeys)];
    for (name, run) in runs {
        let begin = Instant::now();
        let (mut rounds, mut operations) = (0_u64, 0);
        while begin.elapsed() < share || rounds == 0 {
            operations += run();
            rounds += 1;
        }
        println!("{name:<12} {rounds:>9} rounds {operations:>12} operations {:.1} s", begin.elapsed().as_secs_f64());
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: stress [--seconds N]");
    ExitCode::from(2)
}

/// Runs `body` on so many threads, which begin together, and adds up what they return.
fn together(threads: u8, body: impl Fn(u8) -> u64 + Sync) -> u64 {
    let start = Barrier::new(threads.into());
    thread::scope(|scope| {
        let run = |number| {
            let (start, body) = (&start, &body);
            scope.spawn(move || {
                start.wait();
                body(number)
            })
        };
        let all: Vec<_> = (0..threads).map(run).collect();
        all.into_iter().map(|thread| thread.join().expect("no assertion of a thread fails")).sum()
    })
}

/// Two writers allocate and free, two readers ask; at the end every key is free again.
fn pkeys() -> u64 {
    const CALLS: u64 = 500;
    let mm = pkeys::Mm::new(pkeys::Config::POSTED, 16, 0b1, Recorder::off());
    let operations = together(4, |number| {
        let mut me = pkeys::Thread::new(&mm, number);
        for call in 0..CALLS {
            if number >= 2 {
                // Either answer may be right.
                _ = me.get((call % 16) as u8);
            } else if let Ok(key) = me.alloc() {
                // The writer knows what a reader may only guess.
                assert!(me.get(key).is_ok(), "answer-was-true: a key that is held is not allocated");
                assert!(me.free(key).is_ok(), "no-double-allocation: somebody else freed the key");
            }
        }
        CALLS
    });
    assert_eq!(mm.map(), 0b1, "no-lost-update");
    operations
}

/// One CPU replaces the LDT, another uses it and switches.
fn ldt() -> u64 {
    const WRITES: u8 = 200;
    let mm = Arc::new(ldt::Mm::new(ldt::Config::MAINLINE, &[true, true], Recorder::off()));
    mm.write_ldt(0, 1);
    let operations = together(2, |cpu| {
        for n in 1..=WRITES {
            match (cpu, n % 4) {
                (0, _) => mm.write_ldt(0, n),
                (_, 0) => {
                    mm.switch_out(1);
                    mm.switch_in(1);
                }
                (_, _) => {
                    let used = mm.use_ldt(1);
                    assert!(used.is_none_or(|d| d != 0 && d <= WRITES), "consistent-descriptor: {used:?}");
                }
            }
        }
        WRITES.into()
    });
    assert_eq!(mm.use_ldt(1), Some(WRITES), "synchronous");
    assert_eq!((mm.mapped_free_pages(), mm.leaked()), (0, 0), "no-mapped-free-page, no-leak");
    operations
}

/// A flusher calls the function while it comes and goes; then the page is unmapped while the device walks.
fn iommu_flush() -> u64 {
    const BINDS: u64 = 100;
    let kernel = Arc::new(iommu_flush::Kernel::new(iommu_flush::Config::RCU, Recorder::off()));
    let operations = together(3, |number| {
        for _ in 0..BINDS {
            if number == 2 {
                kernel.bind();
                kernel.walk();
                kernel.unbind();
            } else {
                let pasid = kernel.call_only(number.into());
                assert!(pasid.is_none_or(|pasid| pasid == 1), "published-data: {pasid:?}");
            }
        }
        BINDS
    });
    let last = together(2, |number| {
        if number == 0 {
            kernel.unmap(0);
        } else {
            kernel.bind();
            kernel.walk();
        }
        1
    });
    assert!(!kernel.iotlb_is_stale(), "no-stale-iotlb");
    operations + last
}

/// Parent and child change ports, each on its CPU, and look at what the TSS permits.
fn io_bitmap() -> u64 {
    const CALLS: u8 = 200;
    let kernel = io_bitmap::Kernel::new(io_bitmap::Config::MAINLINE, Recorder::off());
    kernel.ioperm(0, 0, 0, true);
    kernel.fork(0);
    let operations = together(2, |task| {
        let me = usize::from(task);
        let mut granted = 0b1_u8;
        for n in 0..CALLS {
            let (port, on) = (n.wrapping_mul(7).wrapping_add(task) % 3, n % 3 != 0);
            kernel.ioperm(me, me, port, on);
            granted = if on { granted | 1 << port } else { granted & !(1 << port) };
            kernel.return_to_user(me, me);
            let tss = kernel.tss(me);
            let permitted = if tss.valid { tss.permitted } else { 0 };
            assert_eq!(permitted, granted, "no-excess-permission, no-missing-permission");
        }
        kernel.exit(me, me);
        CALLS.into()
    });
    assert_eq!(kernel.allocated(), (0, 0), "references-match");
    operations
}

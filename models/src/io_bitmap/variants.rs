//! The versions, their sources, and what is expected of them.

use super::{Change, Cleanup, Compare, Config, Counter, Form, Length, Order, Records, Scope};
use crate::machine::{Expect, Parameter, Variant};

#[rustfmt::skip] // One row a parameter.
pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter { name: "cpus", says: "CPUs", min: 1, max: 2, quick: 1, deep: 2 },
    Parameter { name: "tasks", says: "tasks that live at once", min: 1, max: 3, quick: 2, deep: 2 },
    Parameter { name: "ports", says: "ports, each in a byte of its own", min: 1, max: 3, quick: 2, deep: 2 },
    Parameter { name: "objects", says: "bitmaps that are allocated at once", min: 1, max: 3, quick: 2, deep: 2 },
    Parameter { name: "calls", says: "calls of ioperm() that take a number; 0: any number", min: 0, max: 7, quick: 2, deep: 2 },
    Parameter { name: "workers", says: "1: tasks may start kernel threads", min: 0, max: 1, quick: 1, deep: 1 },
    Parameter { name: "unprivileged", says: "1: children may give up CAP_SYS_RAWIO", min: 0, max: 1, quick: 0, deep: 0 },
];

/// The 2019 form, repaired: `ioperm()` fills the TSS exactly as a context switch does.
const RECORDED: Config = Config {
    form: Form::AtSwitch,
    compare: Compare::Both,
    length: Length::AsSwitch,
    records: Records { prev_max: true, identity: true },
    order: Order::TssFirst,
    counter: Counter::Global,
    ioperm_preempt_off: true,
    scope: Scope::Whole,
    kernel_preemption: true,
    cleanup: Cleanup::Child,
    hypervisor: false,
    change: Change::None,
};
/// The same without the pointer.
const SEQUENCE_ONLY: Config = Config { compare: Compare::Sequence, ..RECORDED };
/// The same with the TSS written last, as the patch has it.
const MEMCPY_LAST: Config = Config { order: Order::TssLast, ..RECORDED };
/// The patch.
const POSTED: Config =
    Config { length: Length::OldMax, records: Records { prev_max: false, identity: false }, ..MEMCPY_LAST };
/// What the patch became in mainline.
const FIRST_STEP: Config = Config {
    compare: Compare::Sequence,
    length: Length::OldMaxOfTask,
    records: Records { prev_max: true, identity: false },
    ..MEMCPY_LAST
};
/// The form of 5.5 and later, with preemption off from X1 to X3 as in V2 of its patches.
pub(super) const V2_SCOPE: Config = Config { form: Form::AtExit, ..SEQUENCE_ONLY };
/// The form of 5.5 and later.
pub(super) const MAINLINE: Config = Config { scope: Scope::TssOnly, ..V2_SCOPE };

/// Objects are not shared in the form of 2019; in that of 5.5 the situation needs three calls and three objects, which
/// only `concurrent-duplicate` has.
const UNSHARED: &[&str] = &["both-duplicate-at-once"];
/// With one port there are no different grants, and with one call no object that follows another.
const ONE_CALL: &[&str] =
    &["grants-follow-each-other", "copy-cleans-up", "address-used-again", "both-duplicate-at-once"];
/// Three tasks, for a kernel thread that forks, and little else.
const WORKER_FORKS: &[(&str, u8)] = &[("tasks", 3), ("ports", 1), ("calls", 1)];

pub(super) const VARIANTS: &[Variant<Config>] = &[
    Variant {
        name: "recorded",
        what: "2019 form: ioperm() fills the TSS exactly as a context switch does, with the same length rule \
                and all three records.",
        origin: "kverdict: x86/ioperm: Add bitmap sequence number, patch V2 08/16, 11 November 2019, with U3 \
                added to ioperm()",
        compare_with: "recorded",
        config: RECORDED,
        expect: Expect::holds(
            "Every write of a TSS goes with a record of what was written, so the number names the content and \
                the tail is clean.",
        )
        .without(UNSHARED),
        quick: &[("cpus", 2), ("workers", 0)],
        deep: &[("calls", 3)],
    },
    Variant {
        name: "posted",
        what: "The patch: pointer and sequence number are compared, and ioperm() records nothing of what it \
                puts into the TSS.",
        origin: "x86/ioperm: Add bitmap sequence number, patch V2 08/16, 11 November 2019",
        compare_with: "memcpy-after-flag",
        config: POSTED,
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content", "clean-tail"],
            "ioperm() copies as many bytes as its own object ever needed, so the permissions of another task beyond \
                them stay. And the CPU goes on to vouch for what it copied last, though ioperm() has put other bytes \
                there: see posted-lengths-repaired.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "posted-sequence-only",
        what: "The patch with the pointer dropped, as asked in the reply.",
        origin: "reply of 12 November 2019 to x86/ioperm: Add bitmap sequence number",
        compare_with: "recorded-sequence-only",
        config: Config { compare: Compare::Sequence, ..POSTED },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content", "clean-tail"],
            "The same, by the same shortest way, which has nothing to do with the number: see \
                posted-lengths-repaired-sequence-only for what the pointer is worth.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "posted-lengths-repaired",
        what: "The patch, except that ioperm() copies as many bytes as a switch would and stores prev_max.",
        origin: "x86/ioperm: Add bitmap sequence number, patch V2 08/16, 11 November 2019, with its lengths repaired by kverdict",
        compare_with: "memcpy-after-flag",
        config: Config { records: Records { prev_max: true, identity: false }, ..MEMCPY_LAST },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content"],
            "ioperm() does not record what it puts into the TSS: the next switch finds pointer and number of the task \
                whose bytes were overwritten, and skips the copy.",
        ).without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "posted-lengths-repaired-sequence-only",
        what: "The same with the pointer dropped.",
        origin: "reply of 12 November 2019 to x86/ioperm: Add bitmap sequence number, with the lengths repaired by kverdict",
        compare_with: "recorded-sequence-only",
        config: Config { compare: Compare::Sequence, records: Records { prev_max: true, identity: false }, ..MEMCPY_LAST },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content"],
            "The same, and shorter: fork copies the number, so what was recorded for the child passes for the parent \
                as well.",
        ).without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "recorded-sequence-only",
        what: "2019 form, recorded, and only the sequence number compared.",
        origin: "reply of 12 November 2019 to x86/ioperm: Add bitmap sequence number: why is last_bitmap needed?",
        compare_with: "recorded-sequence-only",
        config: SEQUENCE_ONLY,
        expect: Expect::holds(
            "The pointer is redundant exactly because the number names the content: a number is handed out \
                once, and whoever copies it copies the bits too.",
        )
        .without(UNSHARED),
        quick: &[("calls", 0)],
        deep: &[("unprivileged", 1)],
    },
    Variant {
        name: "recorded-pointer-only",
        what: "2019 form, recorded, and only the pointer compared.",
        origin: "kverdict: the other answer to the reply of 12 November 2019 to x86/ioperm: Add bitmap sequence \
                number",
        compare_with: "recorded",
        config: Config { compare: Compare::Pointer, ..RECORDED },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content"],
            "A freed address is used again: a CPU that remembers it takes the bits of the dead object for \
                those of the new one.",
        )
        .without(&["grants-follow-each-other", "copy-cleans-up", "both-duplicate-at-once"]),
        quick: &[("cpus", 2), ("ports", 1), ("workers", 0)],
        deep: &[("ports", 1)],
    },
    Variant {
        name: "per-object-counter",
        what: "2019 form, recorded; the number is a counter in each object, compared together with the pointer.",
        origin: "kverdict: the cheap way to do without a global counter",
        compare_with: "recorded",
        config: Config { counter: Counter::PerObject, ..RECORDED },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content"],
            "An address used again, and both objects at count 1: pointer and number match, the content does \
                not.",
        )
        .without(UNSHARED),
        quick: &[("cpus", 2), ("calls", 1), ("workers", 0)],
        deep: &[("calls", 1)],
    },
    Variant {
        name: "narrow-counter",
        what: "2019 form, recorded, only the number compared, and the counter has 2 bits.",
        origin: "kverdict: how wide must the counter be?",
        compare_with: "recorded-sequence-only",
        config: Config { counter: Counter::Narrow, ..SEQUENCE_ONLY },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content"],
            "An n-bit counter repeats after 2^n calls, and a CPU that slept through exactly that many takes \
                new content for old. At 32 bits that is 71 minutes of a call every microsecond, at 64 bits 584 \
                years of a call every nanosecond.",
        )
        .without(&[
            "grants-follow-each-other",
            "copy-cleans-up",
            "address-used-again",
            "inherited-and-both-run",
            "switched-out-in-ioperm",
            "both-duplicate-at-once",
        ]),
        quick: &[("cpus", 2), ("tasks", 1), ("ports", 1), ("objects", 1)],
        deep: &[("tasks", 1), ("ports", 1), ("objects", 1)],
    },
    Variant {
        name: "prev-max-not-stored",
        what: "2019 form, recorded, except that ioperm() leaves prev_max alone.",
        origin: "x86/ioperm: Add bitmap sequence number, patch V2 08/16, 11 November 2019, which left it alone \
                too",
        compare_with: "recorded",
        config: Config { records: Records { prev_max: false, identity: true }, ..RECORDED },
        expect: Expect::broken(
            &["no-excess-permission", "sequence-names-content", "clean-tail"],
            "The next switch copies as many bytes as it thinks are dirty: too few, and the permissions beyond \
                them stay.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "preemptible",
        what: "2019 form, recorded, and preemption stays on while ioperm() writes the TSS.",
        origin: "kverdict: a one-line change that drops preempt_disable() in ioperm()",
        compare_with: "recorded",
        config: Config { ioperm_preempt_off: false, ..RECORDED },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "base-invalid-without-flag", "tss-of-this-cpu"],
            "The task loses the CPU between taking the TSS and writing it: it overwrites the copy of whoever \
                runs there now, on this CPU or on another.",
        )
        .without(ONE_CALL),
        quick: &[("cpus", 2), ("ports", 1), ("calls", 1), ("workers", 0)],
        deep: &[("ports", 1), ("calls", 1)],
    },
    Variant {
        name: "memcpy-after-flag",
        what: "2019 form, recorded, with the write of the TSS moved behind the stores of pointer and flag.",
        origin: "x86/ioperm: Add bitmap sequence number, patch V2 08/16, 11 November 2019 (it moves the memcpy)",
        compare_with: "memcpy-after-flag",
        config: MEMCPY_LAST,
        expect: Expect::holds("Preemption is off over all of it, so no one sees the order: the move changes nothing.")
            .without(UNSHARED),
        quick: &[("unprivileged", 1)],
        deep: &[("cpus", 1), ("calls", 0)],
    },
    Variant {
        name: "mainline-first-step",
        what: "What became of the patch: only the number is compared, ioperm() stores prev_max but not the \
                number, and reads the old max through thread.io_bitmap.",
        origin: "060aa16fdb7c, 2019",
        compare_with: "recorded-sequence-only",
        config: FIRST_STEP,
        expect: Expect::broken(
            &["no-use-after-free"],
            "The first call of ioperm() follows a null pointer. Nothing behind it can be reached; the second \
                flaw is shown by mainline-first-step-null-guarded.",
        )
        .without(&[
            "copy-skipped",
            "grants-follow-each-other",
            "copy-cleans-up",
            "address-used-again",
            "inherited-and-both-run",
            "all-permissions-dropped",
            "both-duplicate-at-once",
        ]),
        quick: &[],
        deep: &[("cpus", 1)],
    },
    Variant {
        name: "mainline-first-step-null-guarded",
        what: "The same, with the old max read from the object at hand.",
        origin: "060aa16fdb7c, 2019, with its null pointer repaired by kverdict",
        compare_with: "recorded-sequence-only",
        config: Config { length: Length::OldMax, ..FIRST_STEP },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content", "clean-tail"],
            "The number is not recorded, so the CPU still vouches for what it copied before; and \
                bytes_updated knows nothing of the bytes that another task left dirty.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "mainline",
        what: "The update on exit to user mode, with shared, counted objects; the flag is cleared before \
                preemption goes off.",
        origin: "22fe5b0439dd and the patches after it, 5.5, 2020; V3 of x86/ioperm: Remove bitmap if all \
                permissions dropped, 13 November 2019, moved the clearing out of the section",
        compare_with: "mainline-v2-scope",
        config: MAINLINE,
        expect: Expect::broken(
            &["no-excess-permission", "base-invalid-without-flag"],
            "The catalogue expected HOLDS. With kernel preemption a task can be switched out between X2 and \
                preempt_disable(): the switch sees no flag and leaves the base VALID, and the next task without \
                a flag goes to user mode with the ports of the first.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "mainline-no-kernel-preemption",
        what: "The same on a kernel that switches tasks only where they sleep or return to user mode.",
        origin: "22fe5b0439dd and the patches after it, 5.5, 2020, with PREEMPT_NONE or PREEMPT_VOLUNTARY",
        compare_with: "mainline-no-kernel-preemption",
        config: Config { kernel_preemption: false, ..MAINLINE },
        expect: Expect::holds("Nothing comes between X2 and X3.").without(UNSHARED),
        quick: &[("unprivileged", 1)],
        deep: &[],
    },
    Variant {
        name: "mainline-v2-scope",
        what: "The update on exit to user mode, with preemption off from X1 to X3.",
        origin: "V2 of x86/ioperm: Remove bitmap if all permissions dropped, 11 November 2019, on top of \
                22fe5b0439dd",
        compare_with: "mainline-v2-scope",
        config: V2_SCOPE,
        expect: Expect::holds(
            "A task without the flag never has a VALID base under it, an object is written only by its one \
                holder, and a new content has a new number.",
        )
        .without(UNSHARED),
        quick: &[("cpus", 2), ("workers", 0)],
        deep: &[("calls", 3)],
    },
    Variant {
        name: "concurrent-duplicate",
        what: "The same, at a size where two tasks that share one object both copy it on write at once.",
        origin: "22fe5b0439dd and the patches after it, 5.5, 2020",
        compare_with: "concurrent-duplicate",
        config: V2_SCOPE,
        expect: Expect::holds(
            "Both copy, both drop their reference, and the last to drop frees the original: one copy too \
                many, nothing worse.",
        )
        .without(&["grants-follow-each-other", "copy-cleans-up"]),
        quick: &[("ports", 1), ("objects", 3), ("calls", 3)],
        deep: &[("ports", 1), ("objects", 3), ("calls", 0), ("workers", 0)],
    },
    Variant {
        name: "refcount-not-reset",
        what: "The sharing patch as first posted: the duplicate keeps the count of the original.",
        origin: "x86/ioperm: Share I/O bitmap if identical, patch V2 11/16, 11 November 2019; found by Peter \
                Zijlstra on 12 November",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::CountCopied, ..V2_SCOPE },
        expect: Expect::broken(
            &["references-match", "no-deadlock"],
            "One holder, count 2: the object is duplicated again at the next call, and never freed.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "fork-failure-drops-parent",
        what: "A failed fork cleans up the current task in place of the child.",
        origin: "fixed by 4bfe6cce133c, 2020",
        compare_with: "mainline-v2-scope",
        config: Config { cleanup: Cleanup::Parent, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-missing-permission", "references-match", "no-deadlock"],
            "The parent loses its bitmap, and the reference taken for the child is never dropped.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "kernel-thread-flag",
        what: "A kernel thread inherits TIF without an object, and a failed fork updates the TSS for the \
                current task.",
        origin: "fixed by 8b68e978718f, 2025",
        compare_with: "cleanup-updates-tss",
        config: Config { cleanup: Cleanup::ChildThenTss, change: Change::WorkerWithFlag, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-use-after-free", "flag-means-bitmap", "fork-hands-on-permissions"],
            "An I/O worker of a task with a bitmap forks and fails: tss_update_io_bitmap() finds the worker's \
                flag and follows its null pointer.",
        )
        .without(ONE_CALL),
        quick: WORKER_FORKS,
        deep: &[("tasks", 3), ("ports", 1), ("calls", 1)],
    },
    Variant {
        name: "worker-with-flag",
        what: "A kernel thread inherits TIF without an object, and a failed fork leaves the TSS alone: one half \
                of the repair.",
        origin: "8b68e978718f, 2025, first half",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::WorkerWithFlag, ..V2_SCOPE },
        expect: Expect::broken(
            &["flag-means-bitmap", "fork-hands-on-permissions"],
            "Nobody looks at the flag of a thread that never goes to user mode but the switch, which then \
                clears a base that is clear. Wrong, but harmless.",
        )
        .without(ONE_CALL),
        quick: WORKER_FORKS,
        deep: &[("tasks", 3), ("ports", 1), ("calls", 1)],
    },
    Variant {
        name: "cleanup-updates-tss",
        what: "A kernel thread has no TIF, and a failed fork updates the TSS for the current task: the other \
                half of the repair.",
        origin: "8b68e978718f, 2025, second half",
        compare_with: "cleanup-updates-tss",
        config: Config { cleanup: Cleanup::ChildThenTss, ..V2_SCOPE },
        expect: Expect::holds("The update finds a flag and an object, or neither. It comes too early, not wrong.")
            .without(ONE_CALL),
        quick: WORKER_FORKS,
        deep: &[("tasks", 3), ("ports", 1), ("calls", 1)],
    },
    Variant {
        name: "hypervisor-both",
        what: "A guest of a hypervisor that keeps where the bitmap is; switching out tells it too.",
        origin: "fixed state of XSA-329, cadfad870154, 2020",
        compare_with: "hypervisor-both",
        config: Config { hypervisor: true, ..V2_SCOPE },
        expect: Expect::holds("The hypervisor's base follows that of the TSS.").without(UNSHARED),
        quick: &[("unprivileged", 1)],
        deep: &[("cpus", 1), ("calls", 0)],
    },
    Variant {
        name: "hypervisor-copy",
        what: "Switching out invalidates the base in the TSS, but not what the hypervisor was told.",
        origin: "XSA-329, CVE-2020-15852, fixed by cadfad870154, 2020",
        compare_with: "hypervisor-both",
        config: Config { hypervisor: true, change: Change::HypervisorForgotten, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-excess-permission", "base-invalid-without-flag"],
            "The hypervisor, not the TSS, decides what a guest's user code may touch: the next task without a \
                bitmap has the ports of the last one with it.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "copy-forgets-prev-max",
        what: "The copy covers the bytes of the new bitmap only.",
        origin: "kverdict: a one-line change that drops max(prev_max, ...) in tss_copy_io_bitmap()",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::CopyForgetsPrevMax, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-excess-permission", "sequence-names-content", "clean-tail"],
            "Permissions of the former task beyond the new bitmap's last byte stay.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "number-not-renewed",
        what: "ioperm() gives an object a number only once.",
        origin: "kverdict: a one-line change that skips the counter for an object that has a number",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::NumberNotRenewed, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content"],
            "The CPU takes the old copy for up to date: what was granted is missing, what was taken back is \
                still there.",
        )
        .without(&["grants-follow-each-other", "both-duplicate-at-once"]),
        quick: &[("objects", 1)],
        deep: &[("cpus", 1), ("objects", 1)],
    },
    Variant {
        name: "writes-shared",
        what: "ioperm() writes to an object that others share.",
        origin: "kverdict: a one-line change that never duplicates",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::WritesShared, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content", "max-is-exact"],
            "A call of one task changes the permissions of all that share the object.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "drops-before-duplicate",
        what: "ioperm() lets go of the original before it copies it.",
        origin: "kverdict: a one-line change that moves io_bitmap_exit() up before kmemdup()",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::DropsBeforeDuplicate, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-missing-permission", "no-use-after-free"],
            "The other holder may free the original meanwhile; and if there is no memory for the copy, the \
                task has lost both.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "child-without-flag",
        what: "fork() shares the object and does not set TIF in the child.",
        origin: "kverdict: a one-line change that drops set_tsk_thread_flag() in io_bitmap_share()",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::ChildWithoutFlag, ..V2_SCOPE },
        expect: Expect::broken(
            &[
                "no-missing-permission",
                "references-match",
                "flag-means-bitmap",
                "no-deadlock",
                "fork-hands-on-permissions",
            ],
            "The child never gets its ports, and its exit, which looks at the flag, never drops its \
                reference.",
        )
        .without(&["grants-follow-each-other", "copy-cleans-up", "both-duplicate-at-once"]),
        quick: &[("ports", 1)],
        deep: &[("cpus", 1), ("ports", 1), ("calls", 2)],
    },
    Variant {
        name: "flag-not-cleared",
        what: "The pointer is cleared and the flag is not.",
        origin: "kverdict: a one-line change that drops clear_thread_flag() in task_update_io_bitmap()",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::FlagNotCleared, ..V2_SCOPE },
        expect: Expect::broken(&["no-use-after-free"], "The update of the TSS sees a flag and follows a null pointer.")
            .without(&["address-used-again", "both-duplicate-at-once"]),
        quick: &[],
        deep: &[("cpus", 1)],
    },
    Variant {
        name: "base-left-valid",
        what: "Switching out leaves the base VALID.",
        origin: "kverdict: a one-line change that drops switch_to_bitmap()",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::BaseLeftValid, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-excess-permission", "base-invalid-without-flag"],
            "The next task without a bitmap has the ports of the last one with it.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "plain-counter",
        what: "The counter is incremented in two steps.",
        origin: "kverdict: a one-line change that uses an atomic64_read() and an atomic64_set() for \
                atomic64_add_return()",
        compare_with: "mainline-v2-scope",
        config: Config { counter: Counter::GlobalPlain, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-excess-permission", "no-missing-permission", "sequence-names-content", "equal-numbers-equal-content"],
            "Two tasks get the same number for different content.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "first-number-zero",
        what: "The number handed out is the one before the increment, so the first is 0.",
        origin: "kverdict: a one-line change that uses atomic64_fetch_add() for atomic64_add_return()",
        compare_with: "mainline-v2-scope",
        config: Config { counter: Counter::GlobalOld, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-missing-permission", "sequence-names-content"],
            "0 is what a CPU remembers that has copied nothing, so the first bitmap of all is never copied.",
        )
        .without(&["address-used-again", "both-duplicate-at-once"]),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "frees-first",
        what: "2019 form, recorded; exit frees the object before preemption goes off and the pointer is \
                cleared.",
        origin: "kverdict: a one-line change that moves kfree() up in exit_thread()",
        compare_with: "recorded",
        config: Config { change: Change::FreesFirst, ..RECORDED },
        expect: Expect::broken(
            &["no-use-after-free", "references-match", "max-is-exact"],
            "The task can be switched out and in again in between, and the switch reads the freed object.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[("cpus", 1)],
    },
    Variant {
        name: "no-capability-check",
        what: "ioperm() does not look at CAP_SYS_RAWIO.",
        origin: "kverdict: a one-line change that drops capable() in ksys_ioperm()",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::NoCapabilityCheck, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-excess-permission", "no-bitmap-without-permission"],
            "Any task can have any port.",
        )
        .without(&["grants-follow-each-other", "copy-cleans-up", "both-duplicate-at-once"]),
        quick: &[("ports", 1), ("unprivileged", 1)],
        deep: &[("ports", 1), ("unprivileged", 1)],
    },
    Variant {
        name: "mainline-invalidate-for-next",
        what: "The update on exit to user mode, the flag cleared before preemption goes off, and the base made \
                INVALID at every switch to a task without the flag.",
        origin: "asked in the reply of 12 November 2019 to x86/ioperm: Move TSS bitmap update to exit to user \
                work, V2 09/16",
        compare_with: "mainline-invalidate-for-next",
        config: Config { change: Change::InvalidatesForNext, ..MAINLINE },
        expect: Expect::holds(
            "The switch trusts the flag of the task that comes, which nobody is just clearing. It must then \
                look at every switch, also between two tasks without the flag, which mainline does not.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "always-copies",
        what: "2019 form, recorded, and every switch copies.",
        origin: "the code before x86/ioperm: Add bitmap sequence number, 2019",
        compare_with: "recorded",
        config: Config { change: Change::AlwaysCopies, ..RECORDED },
        expect: Expect::broken(&["no-needless-copy"], "Safe, and what the patch is for.").without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "max-one-byte-short",
        what: "I5 stops one byte early.",
        origin: "kverdict: a one-line change that starts the loop over the bitmap one word late",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::MaxOneByteShort, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-missing-permission", "max-is-exact", "sequence-names-content"],
            "The copy stops before the last permission.",
        )
        .without(&["copy-cleans-up", "both-duplicate-at-once"]),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "preemption-left-off",
        what: "Preemption stays off after X3.",
        origin: "kverdict: a one-line change that drops preempt_enable() in task_update_io_bitmap()",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::PreemptionLeftOff, ..V2_SCOPE },
        expect: Expect::broken(
            &["preemption-on-outside", "no-deadlock"],
            "The CPU belongs to this task for ever, and to nobody after its death.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "worker-returns",
        what: "A kernel thread goes to user mode.",
        origin: "kverdict: a one-line change that drops the kernel thread frame in copy_thread()",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::WorkerReturns, ..V2_SCOPE },
        expect: Expect::broken(&["task-on-one-cpu", "fork-hands-on-permissions"], "It has no user mode to go to.")
            .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "waits-for-memory",
        what: "An allocation waits until there is memory.",
        origin: "kverdict: a one-line change that adds __GFP_NOFAIL to the allocations",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::WaitsForMemory, ..V2_SCOPE },
        expect: Expect::broken(
            &["system-call-goes-on"],
            "If all memory is in use, and by waiting tasks, they wait for ever.",
        )
        .without(&["grants-follow-each-other", "both-duplicate-at-once"]),
        quick: &[("objects", 1)],
        deep: &[("objects", 1)],
    },
    Variant {
        name: "updates-too-early",
        what: "Interrupts go on again between the update of the TSS and user mode.",
        origin: "kverdict: a one-line change that puts TIF_IO_BITMAP among the flags of the exit loop, asked \
                about in the replies of 12 November 2019 to V2 09/16",
        compare_with: "mainline-v2-scope",
        config: Config { change: Change::UpdatesTooEarly, ..V2_SCOPE },
        expect: Expect::broken(
            &["no-missing-permission"],
            "The task is switched out after the update, which makes the base INVALID, and goes to user mode \
                without another update.",
        )
        .without(UNSHARED),
        quick: &[],
        deep: &[],
    },
];

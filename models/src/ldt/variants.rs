//! The versions: posted, debated, historical, and one-line changes of our own.

use super::memory::Tables;
use super::{Config, HandlerTest, LazyFlush, MaskBit, OnError, Order, Phase, SlotChoice};
use crate::machine::{Expect, Variant, NO_DEADLOCK};
use Phase::{
    Allocate, Copy, DropLock, Edit, FlushMapped, FlushUnmapped, FreePages, FreeStruct, Interrupt, Map, Publish,
    ReadOld, Release, SetSlot, Show, TakeLock, Unmap,
};

#[rustfmt::skip] // One row per form.
impl Order {
    /// Since 2018: unmap, flush, then free.
    pub const UNMAP: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// 2017: the slot is flushed when it is filled, and never emptied.
    pub const STAY_MAPPED: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, FlushMapped, SetSlot, TakeLock, Publish, Interrupt, DropLock, FreePages, FreeStruct, Release]);
    /// The slot is emptied, and nothing is ever flushed.
    pub const UNMAP_NO_FLUSH: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FreePages, FreeStruct, Release]);
    /// The slot is emptied, but flushed only when it is filled.
    pub const FLUSH_AT_MAP: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, FlushMapped, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FreePages, FreeStruct, Release]);
    /// The pages are freed before the CPUs have changed over.
    pub const FREE_BEFORE_IPI: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, FreePages, Interrupt, DropLock, Unmap, FlushUnmapped, FreeStruct, Release]);
    /// The old slot is emptied before the CPUs have changed over.
    pub const UNMAP_BEFORE_IPI: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, Unmap, FlushUnmapped, Interrupt, DropLock, FreePages, FreeStruct, Release]);
    /// The flush comes before the entries are cleared.
    pub const FLUSH_BEFORE_CLEAR: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, Interrupt, DropLock, FlushUnmapped, Unmap, FreePages, FreeStruct, Release]);
    /// Free, then flush.
    pub const FREE_BEFORE_FLUSH: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FreePages, FlushUnmapped, FreeStruct, Release]);
    /// The slot is stored after the LDT is installed.
    pub const SLOT_AFTER_PUBLISH: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, TakeLock, Publish, SetSlot, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// The descriptor is written after the LDT is installed.
    pub const EDIT_AFTER_PUBLISH: Self = Self(&[ReadOld, Allocate, Copy, Map, Show, SetSlot, TakeLock, Publish, Edit, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// The user-mode page table never leads to the slots.
    pub const NOT_SHOWN: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// `context.lock` is dropped before the CPUs are interrupted.
    pub const UNLOCK_BEFORE_IPI: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, DropLock, Interrupt, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// `context.lock` is never dropped.
    pub const LOCK_KEPT: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, Interrupt, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// The CPUs are interrupted before the new LDT is installed.
    pub const IPI_BEFORE_PUBLISH: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Interrupt, Publish, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// The struct of the old LDT is forgotten.
    pub const STRUCT_NOT_FREED: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, Release]);
    /// The old entries are not copied.
    pub const NO_COPY: Self = Self(&[ReadOld, Allocate, Edit, Map, Show, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
}

/// The form since 2018.
pub const MAINLINE: Config = Config {
    order: Order::UNMAP,
    tables: Tables::OneForAll,
    slot: SlotChoice::Other,
    on_error: OnError::FreeTables,
    in_place: false,
    usr_sem: true,
    wait: true,
    own_cpu: true,
    unmap_all: true,
    test: HandlerTest::LoadedMm,
    mask: MaskBit::First,
    switch_loads_ldtr: true,
    lazy: LazyFlush::CatchUp,
    switch_compares_active: false,
    enters_lazy: true,
    records_generation: true,
    keeps_reference: true,
    exit_waits: true,
};

/// f55f0501cbf6 with the error path put right.
pub(super) const POSTED: Config =
    Config { order: Order::STAY_MAPPED, on_error: OnError::FreeNew, lazy: LazyFlush::Leave, ..MAINLINE };

/// Values of size parameters for one variant.
type Sizes = &'static [(&'static str, u8)];

/// A kernel thread, so that CPUs become lazy.
const LAZY: Sizes = &[("kernel_threads", 1)];
/// The same with one call.
const LAZY_ONE_CALL: Sizes = &[("kernel_threads", 1), ("writes", 1)];
/// One thread on one CPU: the bug needs no other.
const ALONE: Sizes = &[("cpus", 1), ("threads", 1)];
/// The same with an allocation that fails.
const ALONE_FAILING: Sizes = &[("cpus", 1), ("threads", 1), ("failures", 1)];
/// The same with three calls: a slot is filled again only by the third.
const ALONE_THREE_CALLS: Sizes = &[("cpus", 1), ("threads", 1), ("writes", 3)];
/// LDTs of two pages on one CPU, and an allocation that fails.
const TWO_PAGES: Sizes = &[("cpus", 1), ("threads", 1), ("entries", 3), ("failures", 1)];

// Witnesses that a size cannot reach.
const NO_REUSE: &[&str] = &["slot-used-again", "freed-page-used-again"];
const NO_REUSE_NO_SWITCH: &[&str] = &["slot-used-again", "freed-page-used-again", "call-preempted"];
const ONE_CALL: &[&str] =
    &["old-ldt-used-while-slot-fills", "both-slots-used", "slot-used-again", "freed-page-used-again"];
const ONE_CPU: &[&str] =
    &["both-slots-used", "slot-used-again", "freed-page-used-again", "lazy-cpu-reloads", "call-preempted"];
const ONE_CPU_THREE_CALLS: &[&str] = &["both-slots-used", "lazy-cpu-reloads", "call-preempted"];
const NO_SWITCH: &[&str] = &["call-preempted"];

const REVIEW: &str = "mail of 30 December 2017, Re: Review of KPTI patchset";
const COMMIT_2017: &str = "f55f0501cbf6 \"x86/pti: Put the LDT in its own PGD if PTI is on\", December 2017";
const PATCH_2018: &str = "\"Unmap PTEs for the slot before freeing LDT pages\", 2018";

/// A variant that differs least from `mainline`.
const fn versus_mainline(
    name: &'static str,
    what: &'static str,
    origin: &'static str,
    config: Config,
) -> Variant<Config> {
    Variant { name, what, origin, compare_with: "mainline", config, expect: Expect::holds(""), quick: &[], deep: &[] }
}

/// The same size at `quick` and at `deep`: what is broken at the small size needs no larger one.
const fn at(sizes: Sizes, variant: Variant<Config>, expect: Expect) -> Variant<Config> {
    Variant { quick: sizes, deep: sizes, expect, ..variant }
}

/// Different sizes: what holds at the small size is worth more at a larger one.
const fn at_both(quick: Sizes, deep: Sizes, variant: Variant<Config>, expect: Expect) -> Variant<Config> {
    Variant { quick, deep, expect, ..variant }
}

pub(super) const VARIANTS: &[Variant<Config>] = &[
    at_both(
        &[("kernel_threads", 1), ("writes", 3)],
        &[("kernel_threads", 1), ("writes", 3), ("entries", 2)],
        versus_mainline(
            "mainline",
            "The new LDT goes into the other slot; when every CPU has changed over, the old slot is unmapped and flushed, \
             and only then are its pages freed. Lazy CPUs are not interrupted for the flush and catch up later.",
            PATCH_2018,
            MAINLINE,
        ),
        Expect::holds("Every pointer, page-table entry and TLB entry is gone before what it leads to."),
    ),
    at_both(
        &[("kernel_threads", 1), ("entries", 2)],
        &[("kernel_threads", 1), ("entries", 2), ("callers", 2)],
        versus_mainline(
            "mainline-growing",
            "The same with LDTs of one and of two entries, so that a limit can be wrong.",
            PATCH_2018,
            MAINLINE,
        ),
        Expect::holds("Limit and base come from one struct that is read through one pointer.").without(NO_REUSE),
    ),
    at_both(
        &[("callers", 2), ("writes", 3), ("failures", 1)],
        &[("callers", 2), ("writes", 5), ("failures", 2)],
        versus_mainline(
            "mainline-contended",
            "The same with two threads that call at the same time, and an allocation that fails.",
            PATCH_2018,
            MAINLINE,
        ),
        Expect::holds("ldt_usr_sem lets in one call at a time, and a call that fails leaves nothing behind.")
            .without(NO_SWITCH),
    ),
    at_both(
        &[("kernel_threads", 1), ("writes", 1), ("failures", 1)],
        &[("kernel_threads", 1), ("writes", 1), ("failures", 3), ("callers", 2)],
        versus_mainline(
            "mainline-out-of-memory",
            "The same with an allocation that fails while CPUs are lazy: the first LDT or its page table.",
            PATCH_2018,
            MAINLINE,
        ),
        Expect::holds("The flush after taking page tables out reaches lazy CPUs too.").without(ONE_CALL),
    ),
    at_both(
        LAZY,
        &[("kernel_threads", 1), ("callers", 2), ("failures", 1)],
        versus_mainline(
            "mainline-lazy-interrupted",
            "The same with the lazy mode of its time: a flush interrupts lazy CPUs too, and they leave the address space.",
            PATCH_2018,
            Config { lazy: LazyFlush::Leave, ..MAINLINE },
        ),
        Expect::holds("A CPU that has left the address space loads page table and LDTR afresh when it comes back.")
            .without(NO_REUSE),
    ),
    at_both(
        TWO_PAGES,
        &[("entries", 3), ("failures", 1), ("cpus", 1), ("threads", 1), ("writes", 2)],
        Variant {
            compare_with: "unmapped-on-error",
            ..versus_mainline(
                "unmapped-on-error",
                "Every page-table entry may fail to be mapped; the error path clears and flushes those that were set.",
                "kverdict: what mainline would need if its slots did not share one page table",
                Config { tables: Tables::OneForEach, on_error: OnError::Unmap, ..MAINLINE },
            )
        },
        Expect::holds("What was mapped half way is unmapped and flushed before the new LDT is freed.").without(ONE_CPU),
    ),
    at_both(
        &[("callers", 2)],
        &[("callers", 2), ("failures", 1)],
        versus_mainline(
            "unlock-before-ipi",
            "context.lock is dropped before the CPUs are interrupted.",
            "kverdict: a one-line change that drops the lock early",
            Config { order: Order::UNLOCK_BEFORE_IPI, ..MAINLINE },
        ),
        Expect::holds(
            "ldt_usr_sem is still held, so no other call can free anything; context.lock only keeps fork out, and only \
             until the pointer is stored (see `fork-without-lock`).",
        )
        .without(NO_REUSE_NO_SWITCH),
    ),
    at(
        ALONE,
        versus_mainline(
            "posted",
            "The slot is flushed when it is filled, and the old slot stays mapped when its LDT is freed.",
            COMMIT_2017,
            POSTED,
        ),
        Expect::broken(
            &["no-mapped-free-page"],
            "After the second call the first LDT's pages are free, and its slot still maps them. LDTR never points there, \
             but Meltdown reads what the next owner writes.",
        )
        .without(ONE_CPU),
    ),
    at(
        ALONE_FAILING,
        versus_mainline(
            "posted-error-path",
            "As posted: if mapping fails, the old LDT is freed. Taken at its word, that mapping may fail at any entry.",
            REVIEW,
            Config { tables: Tables::OneForEach, on_error: OnError::FreeOld, ..POSTED },
        ),
        Expect::broken(
            &[
                "no-freed-ldt-access",
                "no-mapped-free-page",
                "installed-ldt-alive",
                "no-dangling-pointer",
                "no-leak",
                "slot-in-use-untouched",
                "consistent-descriptor",
                "synchronous",
                "ldt-is-what-was-asked-for",
                "installed-slot-is-valid",
                "slot-serves-its-ldt",
                "mapping-starts-clean",
            ],
            "The installed LDT is freed while every CPU uses it, and the new one is lost.",
        )
        .without(ONE_CPU_THREE_CALLS),
    ),
    at(
        ALONE_FAILING,
        versus_mainline(
            "posted-error-path-shared-table",
            "The same error path where it can be reached: both slots share one page table, so only the first call can fail.",
            REVIEW,
            Config { on_error: OnError::FreeOld, order: Order::UNMAP, ..POSTED },
        ),
        Expect::broken(
            &["no-leak", "mapping-starts-clean"],
            "The first call has no old LDT, so the error path frees nothing at all: the new LDT leaks, and so does the page table that is half made. The use after free \
             that the review saw needs a mapping that fails when an LDT is installed.",
        )
        .without(ONE_CPU),
    ),
    at(
        ALONE_THREE_CALLS,
        versus_mainline(
            "unmap-no-flush",
            "The old slot is unmapped, but nothing is ever flushed.",
            "kverdict: the 2018 patch with its flush forgotten",
            Config { order: Order::UNMAP_NO_FLUSH, ..MAINLINE },
        ),
        Expect::broken(
            &["no-freed-ldt-access", "no-mapped-free-page", "consistent-descriptor", "synchronous"],
            "A CPU keeps the translation of a slot from two calls ago, and uses it when the slot is in use again.",
        )
        .without(ONE_CPU_THREE_CALLS),
    ),
    at(
        ALONE_THREE_CALLS,
        versus_mainline(
            "flush-at-map-only",
            "The old slot is unmapped, and flushed only when it is filled again, as in 2017.",
            "kverdict: the 2018 patch with the flush left where it was",
            Config { order: Order::FLUSH_AT_MAP, ..MAINLINE },
        ),
        Expect::broken(
            &["no-mapped-free-page"],
            "What LDTR leads to is always right, since a slot is flushed before it is used again. But until then a TLB may \
             still lead to the freed page, and that is all Meltdown needs.",
        )
        .without(ONE_CPU_THREE_CALLS),
    ),
    at(
        &[],
        versus_mainline(
            "single-slot",
            "One slot: the new LDT is mapped over the old one.",
            "kverdict: the design without the second slot",
            Config { slot: SlotChoice::Single, order: Order::FLUSH_AT_MAP, ..MAINLINE },
        ),
        Expect::broken(
            &["slot-in-use-untouched", "ldt-is-mapped", "consistent-descriptor", "synchronous", "slot-serves-its-ldt"],
            "The table changes under every CPU before the new LDT is installed; unmapping the old one then unmaps the new.",
        )
        .without(&["old-ldt-used-while-slot-fills", "both-slots-used", "freed-page-used-again", "call-preempted"]),
    ),
    at(
        ALONE_THREE_CALLS,
        versus_mainline(
            "constant-slot",
            "The slot is 1 if there is an old LDT, whichever slot that has.",
            "kverdict: a one-line change that forgets `->slot`",
            Config { slot: SlotChoice::Constant, ..MAINLINE },
        ),
        Expect::broken(
            &["slot-in-use-untouched", "ldt-is-mapped", "consistent-descriptor", "synchronous", "slot-serves-its-ldt"],
            "The second call goes from slot 0 to slot 1 and is right by accident; the third maps over the LDT in use.",
        )
        .without(&["both-slots-used", "slot-used-again", "lazy-cpu-reloads", "call-preempted"]),
    ),
    at(
        ALONE,
        versus_mainline(
            "free-before-ipi",
            "The old pages are freed as soon as the new LDT is installed, before the CPUs have answered.",
            "kverdict: a free moved up",
            Config { order: Order::FREE_BEFORE_IPI, ..MAINLINE },
        ),
        Expect::broken(
            &["no-freed-ldt-access", "no-mapped-free-page", "consistent-descriptor"],
            "Until it has answered, a CPU reads its descriptors in the old pages.",
        )
        .without(ONE_CPU),
    ),
    at(
        ALONE,
        versus_mainline(
            "unmap-before-ipi",
            "The old slot is unmapped and flushed before the CPUs have answered.",
            "kverdict: the unmap moved up",
            Config { order: Order::UNMAP_BEFORE_IPI, ..MAINLINE },
        ),
        Expect::broken(
            &["slot-in-use-untouched", "ldt-is-mapped"],
            "LDTR of a CPU that has not answered points to a slot that is no longer mapped: its next segment load faults.",
        )
        .without(ONE_CPU),
    ),
    at(
        &[],
        versus_mainline(
            "ipi-no-wait",
            "The interrupts are sent, but not waited for.",
            "kverdict: a one-word change of the last argument of on_each_cpu_mask()",
            Config { wait: false, ..MAINLINE },
        ),
        Expect::broken(
            &["no-dangling-pointer", "slot-in-use-untouched", "ldt-is-mapped", "consistent-descriptor", "synchronous"],
            "The old LDT is unmapped and freed while CPUs still use it. No freed page is read only because the flush before \
             the free is waited for.",
        )
        .without(NO_REUSE_NO_SWITCH),
    ),
    at(
        LAZY_ONE_CALL,
        versus_mainline(
            "active-mm-test-mm",
            "The handler tests the mm of the running task, which a kernel thread does not have.",
            "kverdict: a one-line change; the handlers before 2017 tested current->active_mm",
            Config { test: HandlerTest::TaskMm, ..MAINLINE },
        ),
        Expect::broken(
            &["synchronous"],
            "A lazy CPU ignores the interrupt, and the thread that comes back to it finds LDTR as it was: switch_mm() \
             does nothing when the page table is already loaded.",
        )
        .without(&[
            "old-ldt-used-while-slot-fills",
            "both-slots-used",
            "slot-used-again",
            "freed-page-used-again",
            "lazy-cpu-reloads",
        ]),
    ),
    at(
        LAZY_ONE_CALL,
        Variant {
            compare_with: "mainline-lazy-interrupted",
            ..versus_mainline(
                "active-mm-test-active-mm",
                "The handler tests current->active_mm, which stays behind when a lazy CPU leaves the address space.",
                "kverdict: the test of 2015 with the lazy mode of 2017",
                Config { test: HandlerTest::ActiveMm, lazy: LazyFlush::Leave, ..MAINLINE },
            )
        },
        Expect::broken(
            &["foreign-ldtr-is-clear"],
            "Between the sending and the handling of the interrupt the CPU has left the address space; the handler loads \
             the LDT of a process whose page table is gone.",
        )
        .without(ONE_CALL),
    ),
    at(
        &[],
        versus_mainline(
            "in-place-edit",
            "A descriptor is written into the installed LDT if it has room, and the CPUs are interrupted afterwards.",
            "the form before 37868fe113ff, 2015",
            Config { in_place: true, ..MAINLINE },
        ),
        Expect::broken(
            &["consistent-descriptor", "synchronous", "ldt-is-what-was-asked-for"],
            "Other CPUs see the new descriptor at once, unsynchronised, in an LDT that is supposed to be immutable.",
        )
        .without(&["old-ldt-used-while-slot-fills", "both-slots-used", "call-preempted"]),
    ),
    at(
        TWO_PAGES,
        Variant {
            compare_with: "unmapped-on-error",
            ..versus_mainline(
                "half-mapped-on-error",
                "Mapping may fail at any entry; the new LDT is freed, and the entries already made stay.",
                REVIEW,
                Config { tables: Tables::OneForEach, on_error: OnError::FreeNew, ..MAINLINE },
            )
        },
        Expect::broken(
            &["no-freed-ldt-access", "no-mapped-free-page", "consistent-descriptor", "synchronous", "mapping-starts-clean"],
            "The free slot maps a freed page, and a TLB entry made from it is used when the slot is filled.",
        )
        .without(&["both-slots-used", "slot-used-again", "lazy-cpu-reloads", "call-preempted"]),
    ),
    at(
        TWO_PAGES,
        Variant {
            compare_with: "unmapped-on-error",
            ..versus_mainline(
                "mainline-sparse-tables",
                "Mainline's error path, which frees page tables only if there was no LDT, where mapping may fail at any entry.",
                "kverdict: mainline on slots that do not share a page table",
                Config { tables: Tables::OneForEach, ..MAINLINE },
            )
        },
        Expect::broken(
            &["no-freed-ldt-access", "no-mapped-free-page", "consistent-descriptor", "synchronous"],
            "Mainline is right only because one page table serves both slots: once an LDT is installed, mapping cannot fail.",
        )
        .without(ONE_CPU),
    ),
    at(
        LAZY,
        versus_mainline(
            "mask-bit-after-page-table",
            "switch_mm() sets its bit in mm_cpumask only after it has loaded the page table.",
            "kverdict: a one-line change that moves cpumask_set_cpu() down",
            Config { mask: MaskBit::AfterPageTable, ..MAINLINE },
        ),
        Expect::broken(&["no-mapped-free-page", "generation-is-right"], "The CPU has walked the page table and is not interrupted for the flush. LDTR is right: it is loaded later.",
        )
        .without(NO_REUSE),
    ),
    at(
        LAZY_ONE_CALL,
        versus_mainline(
            "mask-bit-last",
            "switch_mm() sets its bit in mm_cpumask only after it has loaded LDTR.",
            "kverdict: a one-line change that moves cpumask_set_cpu() to the end",
            Config { mask: MaskBit::Last, ..MAINLINE },
        ),
        Expect::broken(&["synchronous"], "The CPU reads the old pointer, and is not interrupted for the new one.")
            .without(ONE_CALL),
    ),
    at(
        LAZY_ONE_CALL,
        versus_mainline(
            "mask-bit-never",
            "switch_mm() does not set its bit in mm_cpumask.",
            "kverdict: a one-line change that forgets cpumask_set_cpu()",
            Config { mask: MaskBit::Never, ..MAINLINE },
        ),
        Expect::broken(&["synchronous", "mask-follows-loaded-mm", "page-table-outlives-its-users"], "The CPU runs threads of the process and gets no interrupts, not even that of exit.",
        )
        .without(ONE_CALL),
    ),
    at(
        LAZY_ONE_CALL,
        versus_mainline(
            "switch-without-ldtr",
            "switch_mm() does not load LDTR.",
            "kverdict: a one-line change that forgets switch_ldt()",
            Config { switch_loads_ldtr: false, ..MAINLINE },
        ),
        Expect::broken(&["synchronous"], "A thread that comes to another CPU runs there without its LDT.")
            .without(ONE_CALL),
    ),
    at(
        LAZY_ONE_CALL,
        Variant {
            compare_with: "mainline-lazy-interrupted",
            ..versus_mainline(
                "switch-compares-active-mm",
                "switch_mm() compares the new address space with active_mm, not with what is loaded.",
                "kverdict: a one-line change back to prev in place of real_prev",
                Config { switch_compares_active: true, lazy: LazyFlush::Leave, ..MAINLINE },
            )
        },
        Expect::broken(&["synchronous", "lazy-flag-is-right", "thread-has-its-page-table"], "A lazy CPU has left the address space; the thread that comes back runs on whatever page table is loaded.",
        )
        .without(ONE_CALL),
    ),
    at(
        LAZY,
        versus_mainline(
            "lazy-never-catches-up",
            "Lazy CPUs are not interrupted for the flush, and do not compare generations when they stop being lazy.",
            "kverdict: the lazy mode since 4.20 with half of it forgotten",
            Config { lazy: LazyFlush::Skip, ..MAINLINE },
        ),
        Expect::broken(&["no-mapped-free-page", "generation-is-right"], "The CPU comes back to user mode with a translation to a freed page.")
            .without(NO_REUSE),
    ),
    at(
        &[],
        versus_mainline(
            "destroyed-with-last-user",
            "The LDT is freed when the last thread has exited, although kernel threads still borrow the address space.",
            "kverdict: destroy_context() moved from the last mmdrop() to mmput()",
            Config { exit_waits: false, ..MAINLINE },
        ),
        Expect::broken(
            &["foreign-ldtr-is-clear", "page-table-outlives-its-users"],
            "A lazy CPU has the page table loaded when the address space is freed, and finds no LDT when it clears LDTR.",
        )
        .without(NO_REUSE_NO_SWITCH),
    ),
    at(
        LAZY_ONE_CALL,
        versus_mainline(
            "lazy-flag-not-set",
            "A CPU that switches to a kernel thread does not say that it is lazy.",
            "kverdict: a one-line change that forgets enter_lazy_tlb()",
            Config { enters_lazy: false, ..MAINLINE },
        ),
        Expect::broken(
            &["lazy-flag-is-right", "page-table-outlives-its-users"],
            "The flush of exit only empties its TLB; it does not leave, and the page tables are freed under it.",
        )
        .without(&["old-ldt-used-while-slot-fills", "both-slots-used", "slot-used-again", "freed-page-used-again", "lazy-cpu-reloads"]),
    ),
    at(
        ALONE,
        versus_mainline(
            "generation-not-recorded",
            "A flush does not record the generation that it has caught up with.",
            "kverdict: a one-line change that forgets to store local_tlb_gen",
            Config { records_generation: false, ..MAINLINE },
        ),
        Expect::broken(&["generation-is-right"], "Nothing goes wrong but time: every later flush of a range becomes one of everything.").without(ONE_CPU),
    ),
    at(
        LAZY_ONE_CALL,
        Variant {
            compare_with: "mainline-lazy-interrupted",
            ..versus_mainline(
                "reference-dropped-in-handler",
                "A kernel thread whose CPU leaves the address space for a flush loses its reference to it.",
                "kverdict: mmdrop() in the wrong place",
                Config { keeps_reference: false, lazy: LazyFlush::Leave, ..MAINLINE },
            )
        },
        Expect::broken(&["user-holds-reference"], "The address space may be freed while the kernel thread still has it as active_mm.").without(ONE_CALL),
    ),
    at(
        TWO_PAGES,
        versus_mainline(
            "first-entry-unmapped",
            "Only the first page-table entry of the old slot is cleared.",
            "kverdict: a one-line change that forgets the loop",
            Config { unmap_all: false, ..MAINLINE },
        ),
        Expect::broken(&["no-mapped-free-page"], "The second page of the old LDT is free and still mapped.")
            .without(ONE_CPU),
    ),
    at(
        &[],
        versus_mainline(
            "ipi-to-others-only",
            "The CPU of the caller is not among those that are interrupted.",
            "kverdict: smp_call_function_many() in place of on_each_cpu_mask()",
            Config { own_cpu: false, ..MAINLINE },
        ),
        Expect::broken(
            &["consistent-descriptor", "synchronous"],
            "The caller returns to user mode with the old LDT. Its own LDTR shows the empty slot that it has just unmapped.",
        )
        .without(&["both-slots-used", "slot-used-again", "freed-page-used-again", "call-preempted"]),
    ),
    at(
        &[("callers", 2)],
        Variant {
            compare_with: "mainline-contended",
            ..versus_mainline(
                "no-usr-sem",
                "W1 does not take ldt_usr_sem.",
                "kverdict: a one-line change that forgets down_write()",
                Config { usr_sem: false, ..MAINLINE },
            )
        },
        Expect::broken(
            &["no-dangling-pointer", "no-leak", "slot-in-use-untouched", "consistent-descriptor", "synchronous", "slot-serves-its-ldt", "mapping-starts-clean"],
            "Two calls copy the same old LDT and fill the same slot; one edit is lost, and the old LDT is freed twice.",
        )
        .without(NO_SWITCH),
    ),
    at(
        ALONE,
        versus_mainline(
            "flush-before-clear",
            "The old slot is flushed before its entries are cleared.",
            "kverdict: a flush moved up",
            Config { order: Order::FLUSH_BEFORE_CLEAR, ..MAINLINE },
        ),
        Expect::broken(&["no-mapped-free-page"], "The CPU walks the page table again between the flush and the clear.")
            .without(ONE_CPU),
    ),
    at(
        ALONE,
        versus_mainline(
            "free-before-flush",
            "The old pages are freed after the entries are cleared, but before the flush.",
            "kverdict: a flush moved down",
            Config { order: Order::FREE_BEFORE_FLUSH, ..MAINLINE },
        ),
        Expect::broken(&["no-mapped-free-page"], "Until the flush a TLB leads to the freed pages.")
            .without(ONE_CPU),
    ),
    at(
        ALONE,
        versus_mainline(
            "slot-after-publish",
            "The slot is stored in the new LDT after that is installed.",
            "kverdict: a one-line change that moves `ldt->slot = slot` down",
            Config { order: Order::SLOT_AFTER_PUBLISH, ..MAINLINE },
        ),
        Expect::broken(&["installed-slot-is-valid"], "A CPU that switches in between reads slot -1 and clears LDTR.")
            .without(ONE_CPU),
    ),
    at(
        ALONE,
        versus_mainline(
            "edit-after-publish",
            "The descriptor is written after the LDT is installed.",
            "kverdict: a one-line change that breaks the rule that an installed LDT is immutable",
            Config { order: Order::EDIT_AFTER_PUBLISH, ..MAINLINE },
        ),
        Expect::broken(&["ldt-is-what-was-asked-for"], "The installed LDT lacks the edit for which it was made.")
            .without(ONE_CPU),
    ),
    at(
        ALONE,
        versus_mainline(
            "slots-not-shown",
            "The user-mode page table never leads to the slots.",
            "kverdict: a one-line change that forgets map_ldt_struct_to_user()",
            Config { order: Order::NOT_SHOWN, ..MAINLINE },
        ),
        Expect::broken(&["mapping-starts-clean", "ldt-is-mapped", "slot-serves-its-ldt"], "The first segment load through LDTR faults.").without(&["both-slots-used", "slot-used-again", "freed-page-used-again", "lazy-cpu-reloads", "stale-translation-before-flush", "call-preempted"]),
    ),
    at(
        &[],
        versus_mainline(
            "context-lock-kept",
            "context.lock is not dropped.",
            "kverdict: a one-line change that forgets mutex_unlock()",
            Config { order: Order::LOCK_KEPT, ..MAINLINE },
        ),
        Expect::broken(&["locks-are-released", NO_DEADLOCK], "The next call waits for ever, with ldt_usr_sem held.")
            .without(&[
                "both-slots-used",
                "slot-used-again",
                "freed-page-used-again",
                "lazy-cpu-reloads",
                "stale-translation-before-flush",
                "call-preempted",
                "process-gone-with-its-ldt",
            ]),
    ),
    at(
        ALONE,
        versus_mainline(
            "ipi-before-publish",
            "The CPUs are interrupted before the new LDT is installed.",
            "kverdict: two lines swapped",
            Config { order: Order::IPI_BEFORE_PUBLISH, ..MAINLINE },
        ),
        Expect::broken(
            &["slot-in-use-untouched", "ldt-is-mapped", "synchronous"],
            "The CPUs load the old LDT again, and it is then unmapped and freed.",
        )
        .without(&["old-ldt-used-while-slot-fills", "both-slots-used", "slot-used-again", "freed-page-used-again", "lazy-cpu-reloads", "call-preempted"]),
    ),
    at(
        ALONE,
        versus_mainline(
            "struct-not-freed",
            "The pages of the old LDT are freed, its struct is forgotten.",
            "kverdict: a one-line change that forgets kfree()",
            Config { order: Order::STRUCT_NOT_FREED, ..MAINLINE },
        ),
        Expect::broken(&["no-leak"], "Every call loses a struct.").without(ONE_CPU),
    ),
    at(
        TWO_PAGES,
        versus_mainline(
            "no-copy",
            "The old entries are not copied.",
            "kverdict: a one-line change that forgets memcpy()",
            Config { order: Order::NO_COPY, ..MAINLINE },
        ),
        Expect::broken(
            &["consistent-descriptor", "synchronous", "ldt-is-what-was-asked-for"],
            "A call for one entry clears all the others.",
        )
        .without(ONE_CPU),
    ),
];

//! The versions: posted, debated, historical, and one-line changes of our own.

use super::memory::Tables;
use super::{Config, HandlerTest, LazyFlush, MaskBit, OnError, Order, Phase, SlotChoice};
use crate::machine::{Expect, Variant};
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
    /// The LDT is mapped after it is installed.
    pub const MAP_AFTER_PUBLISH: Self = Self(&[ReadOld, Allocate, Copy, Edit, Show, SetSlot, TakeLock, Publish, Map, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// The user-mode page table never leads to the slots.
    pub const NOT_SHOWN: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// `context.lock` is dropped before the CPUs are interrupted.
    pub const UNLOCK_BEFORE_IPI: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, DropLock, Interrupt, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// `context.lock` is not taken at all.
    pub const NO_LOCK: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, Publish, Interrupt, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
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
    read_once: true,
    lazy: LazyFlush::CatchUp,
    switch_compares_active: false,
    exit_waits: true,
};

/// f55f0501cbf6 with the error path put right.
pub const POSTED: Config =
    Config { order: Order::STAY_MAPPED, on_error: OnError::FreeNew, lazy: LazyFlush::Leave, ..MAINLINE };

type Sizes = &'static [(&'static str, u8)];
const SMALL: Sizes = &[];
const LAZY: Sizes = &[("kernel_threads", 1)];
const LAZY1: Sizes = &[("kernel_threads", 1), ("writes", 1)];
const LAZY3: Sizes = &[("kernel_threads", 1), ("writes", 3)];
const THREE: Sizes = &[("writes", 3)];
const BIG: Sizes = &[("entries", 3), ("pages", 4)];
const BIG1: Sizes = &[("cpus", 1), ("threads", 1), ("entries", 3), ("pages", 4)];
const CONTENDED: Sizes = &[("callers", 2)];

const fn v(name: &'static str, config: Config, broken: &'static [&'static str], quick: Sizes) -> Variant<Config> {
    Variant {
        name,
        what: "",
        origin: "",
        compare_with: "mainline",
        config,
        expect: Expect::broken(broken, ""),
        quick,
        deep: &[],
    }
}

#[rustfmt::skip]
pub(super) const VARIANTS: &[Variant<Config>] = &[
    v("mainline", MAINLINE, &[], &[("kernel_threads", 1), ("entries", 2)]),
    v("mainline-two-callers", MAINLINE, &[], &[("callers", 2), ("writes", 3)]),
    v("mainline-lazy-interrupted", Config { lazy: LazyFlush::Leave, ..MAINLINE }, &[], LAZY),
    v("unmapped-on-error", Config { tables: Tables::OneForEach, on_error: OnError::Unmap, ..MAINLINE }, &[], BIG1),
    v("posted", POSTED, &["no-mapped-free-page"], SMALL),
    v("posted-error-path", Config { tables: Tables::OneForEach, on_error: OnError::FreeOld, ..POSTED }, &["installed-ldt-alive"], SMALL),
    v("posted-error-path-shared-table", Config { on_error: OnError::FreeOld, order: Order::UNMAP, ..POSTED }, &["no-leak"], SMALL),
    v("unmap-no-flush", Config { order: Order::UNMAP_NO_FLUSH, ..MAINLINE }, &[], THREE),
    v("flush-at-map-only", Config { order: Order::FLUSH_AT_MAP, ..MAINLINE }, &[], THREE),
    v("single-slot", Config { slot: SlotChoice::Single, order: Order::FLUSH_AT_MAP, ..MAINLINE }, &[], SMALL),
    v("constant-slot", Config { slot: SlotChoice::Constant, ..MAINLINE }, &[], THREE),
    v("free-before-ipi", Config { order: Order::FREE_BEFORE_IPI, ..MAINLINE }, &[], SMALL),
    v("unmap-before-ipi", Config { order: Order::UNMAP_BEFORE_IPI, ..MAINLINE }, &[], SMALL),
    v("ipi-no-wait", Config { wait: false, ..MAINLINE }, &[], SMALL),
    v("active-mm-test-mm", Config { test: HandlerTest::TaskMm, ..MAINLINE }, &[], LAZY1),
    v("active-mm-test-active-mm", Config { test: HandlerTest::ActiveMm, lazy: LazyFlush::Leave, ..MAINLINE }, &[], LAZY1),
    v("in-place-edit", Config { in_place: true, ..MAINLINE }, &[], SMALL),
    v("half-mapped-on-error", Config { tables: Tables::OneForEach, on_error: OnError::FreeNew, ..MAINLINE }, &[], BIG1),
    v("mainline-sparse-tables", Config { tables: Tables::OneForEach, ..MAINLINE }, &[], BIG1),
    v("mask-bit-after-page-table", Config { mask: MaskBit::AfterPageTable, ..MAINLINE }, &[], LAZY),
    v("mask-bit-last", Config { mask: MaskBit::Last, ..MAINLINE }, &[], LAZY1),
    v("mask-bit-never", Config { mask: MaskBit::Never, ..MAINLINE }, &[], LAZY1),
    v("switch-without-ldtr", Config { switch_loads_ldtr: false, ..MAINLINE }, &[], LAZY1),
    v("switch-compares-active-mm", Config { switch_compares_active: true, lazy: LazyFlush::Leave, ..MAINLINE }, &[], LAZY1),
    v("ldt-read-twice", Config { read_once: false, ..MAINLINE }, &[], &[("kernel_threads", 1), ("entries", 2)]),
    v("lazy-never-catches-up", Config { lazy: LazyFlush::Skip, ..MAINLINE }, &[], LAZY),
    v("destroyed-with-last-user", Config { exit_waits: false, ..MAINLINE }, &[], SMALL),
    v("first-entry-unmapped", Config { unmap_all: false, ..MAINLINE }, &[], BIG1),
    v("ipi-to-others-only", Config { own_cpu: false, ..MAINLINE }, &[], SMALL),
    v("no-usr-sem", Config { usr_sem: false, ..MAINLINE }, &[], CONTENDED),
    v("flush-before-clear", Config { order: Order::FLUSH_BEFORE_CLEAR, ..MAINLINE }, &[], SMALL),
    v("free-before-flush", Config { order: Order::FREE_BEFORE_FLUSH, ..MAINLINE }, &[], SMALL),
    v("slot-after-publish", Config { order: Order::SLOT_AFTER_PUBLISH, ..MAINLINE }, &[], SMALL),
    v("edit-after-publish", Config { order: Order::EDIT_AFTER_PUBLISH, ..MAINLINE }, &[], SMALL),
    v("not-shown", Config { order: Order::NOT_SHOWN, ..MAINLINE }, &[], SMALL),
    v("unlock-before-ipi", Config { order: Order::UNLOCK_BEFORE_IPI, ..MAINLINE }, &[], CONTENDED),
    v("no-context-lock", Config { order: Order::NO_LOCK, ..MAINLINE }, &[], CONTENDED),
    v("context-lock-kept", Config { order: Order::LOCK_KEPT, ..MAINLINE }, &[], SMALL),
    v("ipi-before-publish", Config { order: Order::IPI_BEFORE_PUBLISH, ..MAINLINE }, &[], SMALL),
    v("struct-not-freed", Config { order: Order::STRUCT_NOT_FREED, ..MAINLINE }, &[], SMALL),
    v("no-copy", Config { order: Order::NO_COPY, ..MAINLINE }, &[], BIG1),
];

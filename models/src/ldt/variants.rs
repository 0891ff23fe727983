//! The versions: posted, debated, historical, and one-line changes of our own.

use super::memory::Tables;
use super::{Config, HandlerTest, LazyFlush, Ldt, MaskBit, OnError, Order, Phase, SlotChoice};
use crate::machine::{Expect, Variant};
use Phase::{
    Allocate, Copy, DropLock, Edit, FlushMapped, FlushUnmapped, FreePages, FreeStruct, Interrupt, Map, Publish, ReadOld,
    Release, SetSlot, Show, TakeLock, Unmap,
};

#[rustfmt::skip] // One row per form.
impl Order {
    /// Since 2018: unmap, flush, then free.
    pub const UNMAP: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, SetSlot, TakeLock, Publish, Interrupt, DropLock, Unmap, FlushUnmapped, FreePages, FreeStruct, Release]);
    /// 2017: the slot is flushed when it is filled, and never emptied.
    pub const STAY_MAPPED: Self = Self(&[ReadOld, Allocate, Copy, Edit, Map, Show, FlushMapped, SetSlot, TakeLock, Publish, Interrupt, DropLock, FreePages, FreeStruct, Release]);
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
};

/// f55f0501cbf6 with the error path put right.
pub const POSTED: Config =
    Config { order: Order::STAY_MAPPED, on_error: OnError::FreeNew, lazy: LazyFlush::Leave, ..MAINLINE };

pub(super) const VARIANTS: &[Variant<Config>] = &[
    Variant {
        name: "mainline",
        what: "",
        origin: "",
        compare_with: "mainline",
        config: MAINLINE,
        expect: Expect::holds(""),
        quick: &[],
        deep: &[],
    },
    Variant {
        name: "posted",
        what: "",
        origin: "",
        compare_with: "mainline",
        config: POSTED,
        expect: Expect::broken(&["no-mapped-free-page"], ""),
        quick: &[],
        deep: &[],
    },
];
pub(super) type Machine = Ldt;

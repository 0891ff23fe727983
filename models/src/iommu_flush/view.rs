//! What a person reads of [`IommuFlush`]: kinds of steps, lanes, sentences and tables.

use super::hardware::{frame_of, DeviceAct, Hardware, Level, Request, Set, Use, Walk};
use super::{Act, Binder, Buffer, Flusher, IommuFlush, State, Step, FLUSHERS_MAX, IDLE, NOBODY, OOPS};
use super::{Store, Target, Tested};
use crate::machine::{Panel, StepKind};

pub(super) const KINDS: &[StepKind] = &[
    StepKind::new("K0Build", "The kernel is compiled with its configuration, or does not compile.", "Kconfig"),
    StepKind::new("F0ClearEntry", "A flusher clears a PTE or a PMD.", "ptep_get_and_clear(), pmd_clear()"),
    StepKind::new("FullBarrier", "A CPU waits until its stores are visible.", "mb()"),
    StepKind::new("F1ReadLock", "A flusher enters an RCU section.", "rcu_read_lock()"),
    StepKind::new("F2ReadPointer", "A flusher loads what it tests or calls.", "rcu_dereference()"),
    StepKind::new("F3Call", "A flusher calls the function.", "do_iommu_flush_ktlb()"),
    StepKind::new("C1ReadPasidData", "The function reads who uses the kernel PASID.", "the driver's function"),
    StepKind::new("C2Submit", "A request enters the invalidation queue of an IOMMU.", "qi_submit_sync()"),
    StepKind::new("C3Wait", "A thread sees that its request was executed.", "qi_submit_sync()"),
    StepKind::new("C4Return", "The function returns.", "the driver's function"),
    StepKind::new("F4ReadUnlock", "A flusher leaves its RCU section.", "rcu_read_unlock()"),
    StepKind::new("F5FlushCpus", "The CPUs drop what they cached of an area.", "flush_tlb_kernel_range()"),
    StepKind::new("F6FreePage", "A flusher gives a page back to the page allocator.", "__free_pages()"),
    StepKind::new("B0MutexLock", "A thread takes the mutex, or goes to sleep.", "mutex_lock()"),
    StepKind::new("B4MutexUnlock", "A thread releases the mutex.", "mutex_unlock()"),
    StepKind::new("B1SetUpPasid", "A binder prepares data and PASID entry.", "intel_svm_bind_mm()"),
    StepKind::new("B2Publish", "A binder stores a user or the pointer.", "rcu_assign_pointer()"),
    StepKind::new("B3Enable", "A binder tells the device to work.", "the device's driver"),
    StepKind::new("U1Disable", "An unbinder stops the device or clears the PASID entry.", "intel_svm_unbind_mm()"),
    StepKind::new("U2Retract", "An unbinder clears a user or the pointer.", "RCU_INIT_POINTER()"),
    StepKind::new("U3StartGracePeriod", "A grace period starts.", "synchronize_rcu()"),
    StepKind::new("U3EndGracePeriod", "A grace period has ended.", "synchronize_rcu()"),
    StepKind::new("U4Free", "An unbinder frees the data and unloads the text.", "kfree(), delete_module()"),
    StepKind::new("D1StartWalk", "A walk begins with the PASID entry.", "the IOMMU"),
    StepKind::new("D2ReadUpper", "A walk reads the upper entry.", "the IOMMU"),
    StepKind::new("D3ReadLower", "A walk reads the lower entry.", "the IOMMU"),
    StepKind::new("D4FillIotlb", "A translation enters the IOTLB.", "the IOMMU"),
    StepKind::new("D5Evict", "An IOMMU drops an entry by itself.", "the IOMMU"),
    StepKind::new("D6Invalidate", "An IOMMU executes an invalidation.", "the IOMMU"),
    StepKind::new("M1DrainStore", "The oldest buffered store of a CPU becomes visible.", "the CPU"),
    StepKind::new("M2ReusePage", "The page allocator gives a free page to somebody.", "alloc_pages()"),
    StepKind::new("M3FillCpuTlb", "A CPU caches the entries of an area.", "the CPU"),
];

const C1: usize = 6;
const C4: usize = 9;
const D1: usize = 23;
const D6: usize = 28;
const M1: usize = 29;
const M3: usize = 31;

fn kind_of(act: Act) -> usize {
    match act {
        Act::F0ClearEntry => 1,
        Act::FullBarrier => 2,
        Act::F1ReadLock => 3,
        Act::F2ReadPointer | Act::F2TestAndReadAgain | Act::F2TestAndDereference => 4,
        Act::F3TestAndCall | Act::F3Call => 5,
        Act::C1ReadPasidData => 6,
        Act::C2Submit => 7,
        Act::C3Wait => 8,
        Act::C4Return => 9,
        Act::F4ReadUnlock => 10,
        Act::F5FlushCpus => 11,
        Act::F6FreePage => 12,
        Act::MutexLock => 13,
        Act::MutexUnlock => 14,
        Act::B1SetUpPasid => 15,
        Act::B2AddUser | Act::B2Publish => 16,
        Act::B3Enable => 17,
        Act::U1StopDevice | Act::U1ClearEntry => 18,
        Act::U2RemoveUser | Act::U2Retract => 19,
        Act::U3StartGracePeriod => 20,
        Act::U3EndGracePeriod => 21,
        Act::U4Free => 22,
    }
}

pub(super) fn kind(machine: &IommuFlush, step: Step) -> usize {
    match step {
        Step::K0Build => 0,
        Step::Begin { level, .. } => kind_of(machine.flush(level)[0]),
        Step::Bind { .. } => kind_of(machine.binding(false)[0]),
        Step::Unbind { .. } => kind_of(machine.binding(true)[0]),
        Step::Go { act, .. } => kind_of(act),
        Step::Device { act, .. } => match act {
            DeviceAct::D1StartWalk(_) => D1,
            DeviceAct::D2ReadUpper(_) => D1 + 1,
            DeviceAct::D3ReadLower(_) => D1 + 2,
            DeviceAct::D4FillIotlb(_) => D1 + 3,
            DeviceAct::D5EvictUpper(_) | DeviceAct::D5EvictLeaf(_) => D1 + 4,
        },
        Step::D6Invalidate { .. } => D6,
        Step::M1DrainStore { .. } => M1,
        Step::M2ReusePage { .. } => M1 + 1,
        Step::M3FillCpuTlb { .. } => M1 + 2,
    }
}

/// A kind is used if some list of acts that this variant runs contains it. Devices work once a kernel PASID is
/// granted; nothing at all happens in a kernel that does not compile; and behind a second dereference the
/// function of the driver is not what runs.
pub(super) fn kind_is_used(machine: &IommuFlush, kind: usize) -> bool {
    let grants = machine.grants_kernel_pasids();
    let compiles = grants || !machine.config.called;
    let contains = |acts: &[Act]| acts.iter().any(|act| kind_of(*act) == kind);
    let elsewhere = machine.config.flush.contains(&Act::F2TestAndDereference);
    match kind {
        0 => true,
        _ if !compiles => false,
        C1 | C4 if elsewhere => false,
        D1..=D6 => grants,
        M3 => machine.cpu_caches == 1,
        M1.. => true,
        _ => {
            contains(machine.flush(Level::Data))
                || contains(machine.flush(Level::Table))
                || grants && (contains(machine.binding(false)) || contains(machine.binding(true)))
        }
    }
}

fn thread_name(machine: &IommuFlush, thread: usize) -> String {
    let (role, number, count) = if thread < FLUSHERS_MAX {
        ("flusher", thread, machine.flushers)
    } else {
        ("binder", thread - FLUSHERS_MAX, machine.binders)
    };
    if count == 1 {
        role.into()
    } else {
        format!("{role} {number}")
    }
}

/// The lane of a thread: lanes exist only for the threads of this size.
fn lane_of(machine: &IommuFlush, thread: usize) -> usize {
    if thread < FLUSHERS_MAX {
        thread
    } else {
        machine.flushers as usize + thread - FLUSHERS_MAX
    }
}

pub(super) fn lanes(machine: &IommuFlush) -> Vec<String> {
    let flushers = 0..machine.flushers as usize;
    let binders = FLUSHERS_MAX..FLUSHERS_MAX + machine.binders as usize;
    let mut lanes: Vec<String> = flushers.chain(binders).map(|thread| thread_name(machine, thread)).collect();
    lanes.extend((0..machine.iommus).map(|iommu| format!("IOMMU {iommu}")));
    lanes.push("memory".into());
    lanes
}

pub(super) fn lane(machine: &IommuFlush, state: &State, step: Step) -> usize {
    let iommus = (machine.flushers + machine.binders) as usize;
    let memory = iommus + machine.iommus as usize;
    match step {
        Step::Begin { flusher, .. } => flusher as usize,
        Step::Bind { binder, .. } | Step::Unbind { binder, .. } => (machine.flushers + binder) as usize,
        Step::Go { thread, .. } => lane_of(machine, thread as usize),
        Step::M1DrainStore { cpu } => lane_of(machine, cpu as usize),
        Step::Device { iommu, .. } => iommus + iommu as usize,
        Step::D6Invalidate { thread } => iommus + request(state, thread).iommu as usize,
        Step::K0Build | Step::M2ReusePage { .. } | Step::M3FillCpuTlb { .. } => memory,
    }
}

fn request(state: &State, thread: u8) -> Request {
    match (thread as usize).checked_sub(FLUSHERS_MAX) {
        None => state.flushers[thread as usize].request,
        Some(binder) => state.binders[binder].request,
    }
}

pub(super) fn entry_name(level: Level) -> &'static str {
    match level {
        Level::Data => "PTE",
        Level::Table => "PMD",
    }
}

pub(super) fn page_name(level: Level, area: u8) -> String {
    match level {
        Level::Data => format!("the data page of area {area}"),
        Level::Table => format!("the page-table page of area {area}"),
    }
}

/// The page in a frame, by what it was at the start.
pub(super) fn frame_name(frame: u8) -> String {
    let area = frame / 2;
    let level = if frame as usize == frame_of(area, Level::Table) { Level::Table } else { Level::Data };
    page_name(level, area)
}

pub(super) fn describe(machine: &IommuFlush, state: &State, step: Step) -> String {
    match step {
        Step::K0Build if machine.config.called && !machine.config.declared => {
            "does not compile: do_iommu_flush_ktlb() is called and not declared".into()
        }
        Step::K0Build => "boots the kernel".into(),
        Step::Begin { flusher, area, level } => {
            let me = Flusher { at: 0, area, level, ..state.flushers[flusher as usize] };
            describe_flusher(machine, state, &me, flusher as usize)
        }
        Step::Bind { iommu, .. } => format!("binds IOMMU {iommu}: {}", mutex_sentence(state)),
        Step::Unbind { iommu, .. } => format!("unbinds IOMMU {iommu}: {}", mutex_sentence(state)),
        Step::Go { thread, .. } if (thread as usize) < FLUSHERS_MAX => {
            describe_flusher(machine, state, &state.flushers[thread as usize], thread as usize)
        }
        Step::Go { thread, .. } => {
            let me = &state.binders[thread as usize - FLUSHERS_MAX];
            describe_binder(machine, state, me, thread as usize)
        }
        Step::M1DrainStore { cpu } => {
            format!("the store becomes visible: {}", store_name(state.buffers[cpu as usize].0[0]))
        }
        Step::D6Invalidate { thread } => {
            let request = request(state, thread);
            format!("{} for {}", invalidation(&state.hardware, request), thread_name(machine, thread as usize))
        }
        Step::Device { iommu, act } => device_sentence(&state.hardware, iommu, act, true),
        Step::M2ReusePage { frame } => format!("gives {} to somebody else", frame_name(frame)),
        Step::M3FillCpuTlb { area } => format!("a CPU touches area {area} and caches its entries"),
    }
}

fn mutex_sentence(state: &State) -> &'static str {
    if state.mutex == NOBODY {
        "takes the mutex"
    } else {
        "finds the mutex taken and sleeps"
    }
}

fn describe_flusher(machine: &IommuFlush, state: &State, me: &Flusher, thread: usize) -> String {
    let cpu = thread;
    let act = machine.flush(me.level)[me.at as usize];
    match act {
        Act::F0ClearEntry => format!("clears the {} of area {}: into the store buffer", entry_name(me.level), me.area),
        Act::FullBarrier => "passes the full barrier: its stores are visible".into(),
        Act::F1ReadLock => "enters the RCU section".into(),
        Act::F2ReadPointer => match super::step::load_target(machine, state, cpu, me.notifier) {
            Target::Null if machine.config.tested == Tested::Users => "reads that nobody uses the PASID".into(),
            Target::Null => "reads the pointer: null".into(),
            Target::OtherNotifier => "reads the next notifier: somebody else's".into(),
            _ if machine.config.tested == Tested::Users => "reads that the PASID has users".into(),
            _ => "reads the pointer: the driver's function".into(),
        },
        Act::F2TestAndReadAgain | Act::F2TestAndDereference | Act::F3TestAndCall if me.fetched == Target::Null => {
            "has nothing to call".into()
        }
        Act::F2TestAndReadAgain => match super::step::load_target(machine, state, cpu, me.notifier) {
            Target::Null => "reads the pointer again: null".into(),
            _ => "reads the pointer again: the driver's function".into(),
        },
        Act::F2TestAndDereference => "reads through the function's address: gets the bytes of its code".into(),
        Act::F3TestAndCall | Act::F3Call => match me.fetched {
            Target::Function if state.text => "calls the driver's function".into(),
            Target::Function => "calls the driver's function, which is unloaded".into(),
            Target::OtherNotifier => "calls the other notifier".into(),
            Target::Null => "calls null".into(),
            Target::CodeBytes => "jumps to the bytes of code taken for an address".into(),
        },
        Act::C1ReadPasidData => {
            let users = super::step::load_users(state, cpu);
            let from = if state.data { "" } else { "freed " };
            format!("reads the {from}PASID data: users {}", users.written())
        }
        Act::C2Submit => format!("asks IOMMU {} to invalidate area {}", me.todo.first(), me.area),
        Act::C3Wait => "sees that its request is done".into(),
        Act::C4Return => "returns from the function".into(),
        Act::F4ReadUnlock => "leaves the RCU section".into(),
        Act::F5FlushCpus => format!("flushes area {} from the TLBs of all CPUs", me.area),
        Act::F6FreePage => format!("frees {}", page_name(me.level, me.area)),
        Act::MutexLock => mutex_sentence(state).into(),
        Act::MutexUnlock => "releases the mutex".into(),
        _ => String::new(),
    }
}

fn describe_binder(machine: &IommuFlush, state: &State, me: &Binder, cpu: usize) -> String {
    let iommu = me.iommu;
    match machine.binding(me.unbinding)[me.at as usize] {
        Act::FullBarrier => "passes the full barrier: its stores are visible".into(),
        Act::MutexLock => mutex_sentence(state).into(),
        Act::MutexUnlock => "releases the mutex".into(),
        Act::B1SetUpPasid if me.alone => {
            format!("loads text and data, sets the PASID entry of IOMMU {iommu}: into the store buffer")
        }
        Act::B1SetUpPasid => format!("sets the PASID entry of IOMMU {iommu}: into the store buffer"),
        Act::B2AddUser => format!("notes IOMMU {iommu} as a user: into the store buffer"),
        Act::B2Publish if super::step::load_pointer(state, cpu) => "finds the pointer set already".into(),
        Act::B2Publish => "publishes the pointer: into the store buffer".into(),
        Act::B3Enable => format!("tells the device of IOMMU {iommu} to work"),
        Act::U1StopDevice => format!("tells the device of IOMMU {iommu} to stop"),
        Act::U1ClearEntry => format!("clears the PASID entry of IOMMU {iommu}: into the store buffer"),
        Act::C2Submit => format!("asks IOMMU {iommu} to drain and forget the PASID"),
        Act::C3Wait => "sees that its request is done".into(),
        Act::U2RemoveUser => format!("forgets IOMMU {iommu} as a user: into the store buffer"),
        Act::U2Retract => "clears the pointer: into the store buffer".into(),
        Act::U3StartGracePeriod => {
            format!("starts a grace period: readers inside: {}", super::step::readers(state).written())
        }
        Act::U3EndGracePeriod => "has waited for the grace period".into(),
        Act::U4Free => "frees the PASID data and unloads the module".into(),
        _ => String::new(),
    }
}

fn store_name(store: Store) -> String {
    match store {
        Store::None => "none".into(),
        Store::ClearPte(area) => format!("PTE of area {area} = none"),
        Store::ClearPmd(area) => format!("PMD of area {area} = none"),
        Store::SetEntry(iommu) => format!("PASID entry of IOMMU {iommu} = present"),
        Store::ClearEntry(iommu) => format!("PASID entry of IOMMU {iommu} = absent"),
        Store::AddUser(iommu) => format!("IOMMU {iommu} is a user"),
        Store::RemoveUser(iommu) => format!("IOMMU {iommu} is no user"),
        Store::Publish => "pointer = function".into(),
        Store::Retract => "pointer = null".into(),
        Store::Ring(iommu) => format!("doorbell of IOMMU {iommu}"),
    }
}

/// What an IOMMU does when it executes a request.
pub(super) fn invalidation(hardware: &Hardware, request: Request) -> String {
    let mut after = *hardware;
    after.invalidate(request);
    let (old, new) = (&hardware.iommus[request.iommu as usize], &after.iommus[request.iommu as usize]);
    let mut dropped = Vec::new();
    for (what, set) in [
        ("the upper entry", old.upper.minus(new.upper)),
        ("the leaf", old.leaf.and(old.wild).minus(new.leaf.and(new.wild))),
    ] {
        if !set.is_empty() {
            dropped.push(format!("{what} of {}", areas_of(set)));
        }
    }
    if old.walk != new.walk {
        dropped.push("the walk".into());
    }
    if dropped.is_empty() {
        "finds nothing to drop".into()
    } else {
        format!("drops {}", dropped.join(" and "))
    }
}

fn areas_of(set: Set) -> String {
    if set.is_empty() {
        "no area".into()
    } else {
        format!("area {}", set.written())
    }
}

/// What a device or its IOMMU does.
pub(super) fn device_sentence(hardware: &Hardware, iommu: u8, act: DeviceAct, supervisor: bool) -> String {
    let unit = &hardware.iommus[iommu as usize];
    match act {
        DeviceAct::D1StartWalk(area) if unit.entry_cached => {
            format!("walks for area {area}: the PASID entry is cached")
        }
        DeviceAct::D1StartWalk(area) => format!("walks for area {area}: reads the PASID entry"),
        DeviceAct::D2ReadUpper(area) if unit.upper.has(area) => format!("has the upper entry of area {area} cached"),
        DeviceAct::D2ReadUpper(area) if hardware.pmd.has(area) => format!("reads and caches the PMD of area {area}"),
        DeviceAct::D2ReadUpper(area) => format!("reads the PMD of area {area}: none, the walk ends"),
        DeviceAct::D3ReadLower(area) => match hardware.use_of(area, Level::Table) {
            Use::Table if !hardware.pte.has(area) => format!("reads the PTE of area {area}: none, the walk ends"),
            Use::Table if supervisor => format!("reads the PTE of area {area}"),
            Use::Table => format!("reads the PTE of area {area}: a kernel mapping, the walk fails"),
            Use::Other => format!("takes the new contents of {} for a PTE", page_name(Level::Table, area)),
            _ => format!("takes what is in the freed page-table page of area {area} for a PTE"),
        },
        DeviceAct::D4FillIotlb(area) => format!("puts the translation of area {area} into the IOTLB"),
        DeviceAct::D5EvictUpper(area) => format!("drops the upper entry of area {area} by itself"),
        DeviceAct::D5EvictLeaf(area) => format!("drops the IOTLB entry of area {area} by itself"),
    }
}

fn yes(value: bool) -> &'static str {
    if value {
        "yes"
    } else {
        "no"
    }
}

fn owner(machine: &IommuFlush, owner: u8) -> String {
    if owner == NOBODY {
        "free".into()
    } else {
        thread_name(machine, owner as usize)
    }
}

/// What a page is used for, in a word.
fn use_name(used: Use) -> &'static str {
    match used {
        Use::Free => "free",
        Use::Table => "page table",
        Use::Data => "data",
        Use::Other => "somebody else's",
        Use::Scribbled => "somebody else's, written to by a device",
    }
}

fn buffer_name(buffer: Buffer) -> String {
    let stores: Vec<String> = buffer.0.iter().filter(|s| **s != Store::None).map(|s| store_name(*s)).collect();
    if stores.is_empty() {
        "empty".into()
    } else {
        stores.join("; ")
    }
}

/// The panels of the page tables, the CPUs' caches and the IOMMUs, which both machines show.
pub(super) fn hardware_panels(hardware: &Hardware, areas: u8, iommus: u8, first_lane: usize) -> Vec<Panel> {
    let mut tables = Panel::shared("page tables and pages");
    for area in 0..areas {
        let entry = |present| if present { "present" } else { "none" };
        tables = tables
            .row(format!("PMD of area {area}"), entry(hardware.pmd.has(area)))
            .row(format!("page-table page of area {area}"), use_name(hardware.use_of(area, Level::Table)))
            .row(format!("PTE of area {area}"), entry(hardware.pte.has(area)))
            .row(format!("data page of area {area}"), use_name(hardware.use_of(area, Level::Data)));
    }
    let cpus = Panel::shared("caches of the CPUs")
        .row("upper entries", areas_of(hardware.cpu_upper))
        .row("leaves", areas_of(hardware.cpu_leaf));
    let units = (0..iommus).map(|iommu| {
        let unit = &hardware.iommus[iommu as usize];
        let walk = match unit.walk {
            Walk::Idle => "none".into(),
            Walk::Started(area) => format!("area {area}: started"),
            Walk::InTable(area) => format!("area {area}: inside the page-table page"),
            Walk::HasLeaf(area) => format!("area {area}: has read the PTE"),
            Walk::HasWild(area) => format!("area {area}: has read what is no PTE"),
        };
        Panel::of_lane(format!("IOMMU {iommu}"), first_lane + iommu as usize)
            .row("device works", yes(unit.working))
            .row("PASID entry", if unit.entry { "present" } else { "absent" })
            .row("PASID entry cached", yes(unit.entry_cached))
            .row("walk", walk)
            .row("paging-structure cache", areas_of(unit.upper))
            .row("IOTLB", areas_of(unit.leaf))
            .row("IOTLB, not from a page table", areas_of(unit.wild))
    });
    [tables, cpus].into_iter().chain(units).collect()
}

pub(super) fn view(machine: &IommuFlush, state: &State) -> Vec<Panel> {
    let flushers = (0..machine.flushers as usize).map(|f| flusher_panel(machine, state, f));
    let binders = (0..machine.binders as usize).map(|b| binder_panel(machine, state, b));
    let kernel = Panel::shared("kernel")
        .row("built", ["not yet", "yes", "does not compile"][state.build as usize])
        .row("pointer", if state.pointer { "the driver's function" } else { "null" })
        .row("users", state.users.written())
        .row("text of the function", if state.text { "loaded" } else { "gone" })
        .row("PASID data", if state.data { "allocated" } else { "freed" })
        .row("mutex", owner(machine, state.mutex))
        .row("bound IOMMUs", state.bound.written())
        .row("binds to come", state.binds_left);
    let first_iommu = (machine.flushers + machine.binders) as usize;
    let hardware = hardware_panels(&state.hardware, machine.areas, machine.iommus, first_iommu);
    flushers.chain(binders).chain([kernel]).chain(hardware).collect()
}

fn flusher_panel(machine: &IommuFlush, state: &State, flusher: usize) -> Panel {
    let me = &state.flushers[flusher];
    let next = match me.at {
        IDLE => "idle".into(),
        OOPS => "crashed".into(),
        at => format!("{:?}", machine.flush(me.level)[at as usize]),
    };
    let work = if me.at == IDLE { "nothing".into() } else { page_name(me.level, me.area) };
    let fetched = match me.fetched {
        Target::Null => "null",
        Target::Function => "the driver's function",
        Target::OtherNotifier => "the other notifier",
        Target::CodeBytes => "bytes of code",
    };
    Panel::of_lane(thread_name(machine, flusher), flusher)
        .row("next", next)
        .row("frees", work)
        .row("store buffer", buffer_name(state.buffers[flusher]))
        .row("RCU nesting", me.rcu)
        .row("pointer read", fetched)
        .row("IOMMUs to flush", me.todo.written())
        .row("request", me.request.written())
        .row("sleeps", yes(me.asleep))
        .row("loads of the pointer", me.loads)
        .row("calls in this flush", me.calls)
}

fn binder_panel(machine: &IommuFlush, state: &State, binder: usize) -> Panel {
    let me = &state.binders[binder];
    let thread = FLUSHERS_MAX + binder;
    let (work, next) = if me.at == IDLE {
        ("nothing".into(), "idle".into())
    } else {
        let verb = if me.unbinding { "unbinds" } else { "binds" };
        (format!("{verb} IOMMU {}", me.iommu), format!("{:?}", machine.binding(me.unbinding)[me.at as usize]))
    };
    Panel::of_lane(thread_name(machine, thread), lane_of(machine, thread))
        .row("next", next)
        .row("does", work)
        .row("only user", yes(me.alone))
        .row("store buffer", buffer_name(state.buffers[thread]))
        .row("grace period waits for flushers", me.waits_for.written())
        .row("request", me.request.written())
        .row("sleeps", yes(me.asleep))
}

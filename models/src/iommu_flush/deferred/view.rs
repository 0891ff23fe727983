//! What a person reads of [`DeferredFree`]: kinds of steps, lanes, sentences and tables.

use super::super::hardware::{DeviceAct, Level, Privilege};
use super::super::view::{device_sentence, entry_name, frame_name, hardware_panels, invalidation, page_name};
use super::{Act, DeferredFree, State, Step, Thread, Work, FREERS_MAX, IDLE, NOBODY, WORKER};
use crate::machine::{Panel, StepKind};

pub(super) const KINDS: &[StepKind] = &[
    StepKind::new("F0ClearEntry", "A freer clears a PTE or a PMD.", "ptep_get_and_clear(), pmd_clear()"),
    StepKind::new("F5FlushCpus", "The CPUs drop what they cached of an area.", "flush_tlb_kernel_range()"),
    StepKind::new("F6FreePage", "A freer gives a page back to the page allocator.", "__pagetable_free()"),
    StepKind::new("Q1Lock", "A thread takes the lock of the queue.", "kernel_pgtable_work.lock"),
    StepKind::new("Q2ReadQueue", "A freer reads the queue.", "pagetable_free_kernel()"),
    StepKind::new("Q3WriteQueue", "A freer writes the queue with its page.", "pagetable_free_kernel()"),
    StepKind::new("Q4Unlock", "A thread releases the lock of the queue.", "kernel_pgtable_work.lock"),
    StepKind::new("Q5ScheduleWork", "A freer schedules the work item.", "schedule_work()"),
    StepKind::new("W0Start", "The worker starts the item.", "process_one_work()"),
    StepKind::new("W1TakeQueue", "The worker reads the queue.", "kernel_pgtable_work_func()"),
    StepKind::new("W2EmptyQueue", "The worker empties the queue.", "kernel_pgtable_work_func()"),
    StepKind::new(
        "W3ReadBound",
        "A thread reads whether anybody is bound, or who.",
        "iommu_sva_invalidate_kva_range()",
    ),
    StepKind::new("W5FreeOne", "The worker frees a page of its list.", "kernel_pgtable_work_func()"),
    StepKind::new("C2Submit", "A request enters the invalidation queue of an IOMMU.", "qi_submit_sync()"),
    StepKind::new("C3Wait", "A thread sees that its request was executed.", "qi_submit_sync()"),
    StepKind::new("B0MutexLock", "A thread takes the SVA mutex, or goes to sleep.", "iommu_sva_lock"),
    StepKind::new("B4MutexUnlock", "A thread releases the SVA mutex.", "iommu_sva_lock"),
    StepKind::new("B1Attach", "A binder attaches a device to an mm.", "iommu_attach_device_pasid()"),
    StepKind::new("B2List", "A binder puts an mm on the list or notes it.", "iommu_sva_bind_device()"),
    StepKind::new("B3Enable", "The device begins to work.", "the device's driver"),
    StepKind::new(
        "U1Disable",
        "An unbinder stops the device or clears the PASID entry.",
        "iommu_detach_device_pasid()",
    ),
    StepKind::new("U2Unlist", "An unbinder takes an mm off the list or notes it.", "iommu_sva_unbind_device()"),
    StepKind::new("U4FreeDomain", "An unbinder frees the domain.", "iommu_domain_free()"),
    StepKind::new("D1StartWalk", "A walk begins with the PASID entry.", "the IOMMU"),
    StepKind::new("D2ReadUpper", "A walk reads the upper entry.", "the IOMMU"),
    StepKind::new("D3ReadLower", "A walk reads the lower entry, or the IOTLB takes what it has read.", "the IOMMU"),
    StepKind::new("D5Evict", "An IOMMU drops an entry by itself.", "the IOMMU"),
    StepKind::new("D6Invalidate", "An IOMMU executes an invalidation.", "the IOMMU"),
    StepKind::new("M2ReusePage", "The page allocator gives a free page to somebody.", "alloc_pages()"),
    StepKind::new("M3FillCpuTlb", "A CPU caches the entries of an area.", "the CPU"),
];

const SUBMIT: usize = 13;
const WAIT: usize = 14;
const D1: usize = 23;
const D6: usize = 27;
const M3: usize = 29;

fn kind_of(act: Act) -> usize {
    match act {
        Act::F0ClearEntry => 0,
        Act::F5FlushCpus => 1,
        Act::F6FreePage => 2,
        Act::Q1Lock => 3,
        Act::Q2ReadQueue => 4,
        Act::Q3WriteQueue => 5,
        Act::Q4Unlock => 6,
        Act::Q5ScheduleWork => 7,
        Act::W0Start => 8,
        Act::W1TakeQueue => 9,
        Act::W2EmptyQueue => 10,
        Act::W3ReadPresent | Act::W4ReadBound => 11,
        Act::W5FreeOne => 12,
        Act::C2Submit => 13,
        Act::C3Wait => 14,
        Act::MutexLock => 15,
        Act::MutexUnlock => 16,
        Act::B1Attach => 17,
        Act::B2List | Act::B2SetPresent => 18,
        Act::B3Enable => 19,
        Act::U1StopDevice | Act::U1ClearEntry => 20,
        Act::U2Unlist | Act::U2ClearPresent => 21,
        Act::U4FreeDomain => 22,
    }
}

pub(super) fn kind(machine: &DeferredFree, step: Step) -> usize {
    match step {
        Step::Begin { work, .. } => kind_of(machine.acts(work)[0]),
        Step::Go { act, .. } => kind_of(act),
        Step::Device { act, .. } => match act {
            DeviceAct::D1StartWalk(_) => D1,
            DeviceAct::D2ReadUpper(_) => D1 + 1,
            DeviceAct::D3ReadLower(_) | DeviceAct::D4FillIotlb(_) => D1 + 2,
            DeviceAct::D5EvictUpper(_) | DeviceAct::D5EvictLeaf(_) => D1 + 3,
        },
        Step::D6Invalidate { .. } => D6,
        Step::M2ReusePage { .. } => D6 + 1,
        Step::M3FillCpuTlb { .. } => D6 + 2,
    }
}

/// A kind is used if some list of acts that this variant runs contains it. The item runs only if it is
/// scheduled, and without a bind there is nothing to flush. `D4` is no kind of its own: with user privilege no walk of a kernel area gets that far, unless
/// what it reads is no page table any more.
pub(super) fn kind_is_used(machine: &DeferredFree, kind: usize) -> bool {
    let contains = |work| machine.acts(work).iter().any(|act| kind_of(*act) == kind);
    let schedules = machine.acts(Work::FreeTable).contains(&Act::Q5ScheduleWork);
    let binds = machine.binds > 0;
    match kind {
        SUBMIT | WAIT | D6 if !binds => false,
        D1..D6 => binds,
        M3 => machine.cpu_caches == 1,
        D6.. => true,
        _ => {
            contains(Work::FreeData)
                || contains(Work::FreeTable)
                || binds && (contains(Work::Bind) || contains(Work::Unbind))
                || schedules && contains(Work::Item)
        }
    }
}

fn thread_name(machine: &DeferredFree, thread: usize) -> String {
    let (role, number, count) = match thread {
        WORKER => return "worker".into(),
        freer if freer < FREERS_MAX => ("freer", freer, machine.freers),
        binder => ("binder", binder - WORKER - 1, machine.binders),
    };
    if count == 1 {
        role.into()
    } else {
        format!("{role} {number}")
    }
}

/// The threads that exist at this size, in the order of their lanes.
fn threads(machine: &DeferredFree) -> Vec<usize> {
    (0..super::THREADS_MAX).filter(|thread| machine.exists(*thread)).collect()
}

pub(super) fn lanes(machine: &DeferredFree) -> Vec<String> {
    let mut lanes: Vec<String> = threads(machine).into_iter().map(|t| thread_name(machine, t)).collect();
    lanes.extend((0..machine.iommus).map(|iommu| format!("IOMMU {iommu}")));
    lanes.push("memory".into());
    lanes
}

fn lane_of(machine: &DeferredFree, thread: usize) -> usize {
    threads(machine).iter().take_while(|other| **other < thread).count()
}

pub(super) fn lane(machine: &DeferredFree, state: &State, step: Step) -> usize {
    let iommus = threads(machine).len();
    match step {
        Step::Begin { thread, .. } | Step::Go { thread, .. } => lane_of(machine, thread as usize),
        Step::Device { iommu, .. } => iommus + iommu as usize,
        Step::D6Invalidate { thread } => iommus + state.threads[thread as usize].request.iommu as usize,
        Step::M2ReusePage { .. } | Step::M3FillCpuTlb { .. } => iommus + machine.iommus as usize,
    }
}

pub(super) fn describe(machine: &DeferredFree, state: &State, step: Step) -> String {
    match step {
        Step::Begin { thread, work, subject } => {
            let me = Thread { at: 0, work, subject, ..state.threads[thread as usize] };
            let what = describe_act(machine, state, &me);
            match work {
                Work::Bind => format!("binds mm {subject}: {what}"),
                Work::Unbind => format!("unbinds mm {subject}: {what}"),
                Work::FreeData | Work::FreeTable | Work::Item => what,
            }
        }
        Step::Go { thread, .. } => describe_act(machine, state, &state.threads[thread as usize]),
        Step::D6Invalidate { thread } => {
            let request = state.threads[thread as usize].request;
            format!("{} for {}", invalidation(&state.hardware, request), thread_name(machine, thread as usize))
        }
        Step::Device { iommu, act } => {
            device_sentence(&state.hardware, iommu, act, machine.config.privilege == Privilege::Supervisor)
        }
        Step::M2ReusePage { frame } => format!("gives {} to somebody else", frame_name(frame)),
        Step::M3FillCpuTlb { area } => format!("a CPU touches area {area} and caches its entries"),
    }
}

fn describe_act(machine: &DeferredFree, state: &State, me: &Thread) -> String {
    let subject = me.subject;
    let level = me.level().unwrap_or(Level::Table);
    match machine.acts(me.work)[me.at as usize] {
        Act::F0ClearEntry => format!("clears the {} of area {subject}", entry_name(level)),
        Act::F5FlushCpus => format!("flushes area {subject} from the TLBs of all CPUs"),
        Act::F6FreePage => format!("frees {}", page_name(level, subject)),
        Act::Q1Lock => "takes the lock of the queue".into(),
        Act::Q2ReadQueue | Act::W1TakeQueue => format!("reads the queue: areas {}", state.queue.written()),
        Act::Q3WriteQueue => format!("writes the queue: areas {}", me.list.with(subject).written()),
        Act::Q4Unlock => "releases the lock of the queue".into(),
        Act::Q5ScheduleWork if state.scheduled => "finds the work scheduled already".into(),
        Act::Q5ScheduleWork => "schedules the work".into(),
        Act::W0Start => "starts the work item".into(),
        Act::W2EmptyQueue => "empties the queue".into(),
        Act::MutexLock if state.mutex == NOBODY => "takes the SVA mutex".into(),
        Act::MutexLock => "finds the SVA mutex taken and sleeps".into(),
        Act::W3ReadPresent if state.present => "reads that somebody is bound".into(),
        Act::W3ReadPresent => "reads that nobody is bound: nothing to flush".into(),
        Act::W4ReadBound => format!("reads the list of bound mms: {}", state.listed.written()),
        Act::C2Submit if me.work == Work::Unbind => format!("asks IOMMU {subject} to drain and forget the PASID"),
        Act::C2Submit if me.todo.is_empty() => "has nobody to flush".into(),
        Act::C2Submit => {
            let areas = super::step::request(machine, me).areas;
            format!("asks IOMMU {} to invalidate area {}", me.todo.first(), areas.written())
        }
        Act::C3Wait => "sees that its request is done".into(),
        Act::MutexUnlock => "releases the SVA mutex".into(),
        Act::W5FreeOne if me.list.is_empty() => "has nothing to free".into(),
        Act::W5FreeOne => format!("frees {}", page_name(Level::Table, me.list.first())),
        Act::B1Attach => format!("allocates the domain of mm {subject} and sets the PASID entry"),
        Act::B3Enable => format!("tells the device of mm {subject} to work"),
        Act::B2List => format!("puts mm {subject} on the list"),
        Act::B2SetPresent => "notes that somebody is bound".into(),
        Act::U1StopDevice => format!("tells the device of mm {subject} to stop"),
        Act::U1ClearEntry => format!("clears the PASID entry of IOMMU {subject}"),
        Act::U2Unlist => format!("takes mm {subject} off the list"),
        Act::U2ClearPresent if state.listed.is_empty() => "notes that nobody is bound".into(),
        Act::U2ClearPresent => "leaves the note that somebody is bound".into(),
        Act::U4FreeDomain => format!("frees the domain of mm {subject}"),
    }
}

fn owner(machine: &DeferredFree, owner: u8) -> String {
    if owner == NOBODY {
        "free".into()
    } else {
        thread_name(machine, owner as usize)
    }
}

pub(super) fn view(machine: &DeferredFree, state: &State) -> Vec<Panel> {
    let threads = threads(machine);
    let first_iommu = threads.len();
    let panels = threads.into_iter().map(|thread| thread_panel(machine, state, thread));
    let yes = |value| if value { "yes" } else { "no" };
    let kernel = Panel::shared("kernel")
        .row("queue, areas", state.queue.written())
        .row("lock of the queue", owner(machine, state.lock))
        .row("work scheduled", yes(state.scheduled))
        .row("SVA mutex", owner(machine, state.mutex))
        .row("listed mms", state.listed.written())
        .row("somebody is bound", yes(state.present))
        .row("domains", state.domains.written())
        .row("bound mms", state.bound.written())
        .row("binds to come", state.binds_left);
    let hardware = hardware_panels(&state.hardware, machine.areas, machine.iommus, first_iommu);
    panels.chain([kernel]).chain(hardware).collect()
}

fn thread_panel(machine: &DeferredFree, state: &State, thread: usize) -> Panel {
    let me = &state.threads[thread];
    let next = if me.at == IDLE { "idle".into() } else { format!("{:?}", machine.acts(me.work)[me.at as usize]) };
    let work = match me.work {
        _ if me.at == IDLE => "nothing".into(),
        Work::FreeData => format!("frees {}", page_name(Level::Data, me.subject)),
        Work::FreeTable => format!("frees {}", page_name(Level::Table, me.subject)),
        Work::Item => "runs the work item".into(),
        Work::Bind => format!("binds mm {}", me.subject),
        Work::Unbind => format!("unbinds mm {}", me.subject),
    };
    Panel::of_lane(thread_name(machine, thread), lane_of(machine, thread))
        .row("next", next)
        .row("does", work)
        .row("areas read from the queue", me.list.written())
        .row("mms to flush", me.todo.written())
        .row("request", me.request.written())
        .row("sleeps", if me.asleep { "yes" } else { "no" })
}

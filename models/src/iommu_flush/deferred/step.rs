//! The transitions of the machine [`DeferredFree`]: the only copy of the protocol.

use super::super::hardware::{frame_of, DeviceAct, Level, Progress, Request, Scope, Set, Use, Walk, FRAMES};
use super::{
    Act, DeferredFree, Flushes, State, Step, Thread, Work, BINDERS_MAX, FREERS_MAX, IDLE, NOBODY, THREADS_MAX, WORKER,
};

/// The state after `step`, or `None` if it is not possible.
pub(super) fn step(machine: &DeferredFree, state: &State, step: Step) -> Option<State> {
    let mut next = *state;
    match step {
        Step::Begin { thread, work, subject } => return begin(machine, state, thread as usize, work, subject),
        Step::Go { thread, act } => {
            let me = &state.threads[thread as usize];
            if me.at == IDLE || machine.acts(me.work)[me.at as usize] != act {
                return None;
            }
            return go(machine, state, thread as usize);
        }
        Step::D6Invalidate { thread } => {
            let request = &mut next.threads[thread as usize].request;
            if request.progress != Progress::Pending {
                return None;
            }
            request.progress = Progress::Done;
            let request = *request;
            next.hardware.invalidate(request);
        }
        Step::Device { iommu, act } => {
            next.hardware = state.hardware.device(iommu, act, machine.config.privilege)?;
        }
        Step::M2ReusePage { frame } => {
            if frame >= 2 * machine.areas {
                return None;
            }
            next.hardware = state.hardware.reuse(frame)?;
        }
        Step::M3FillCpuTlb { area } => {
            if machine.cpu_caches == 0 {
                return None;
            }
            next.hardware = state.hardware.fill_cpu(area)?;
        }
    }
    Some(next)
}

/// Every way in which a thread could begin.
pub(super) fn beginnings(machine: &DeferredFree, thread: u8) -> Vec<Step> {
    let begin = |work, subject| Step::Begin { thread, work, subject };
    match thread as usize {
        WORKER => vec![begin(Work::Item, 0)],
        freer if freer < FREERS_MAX => {
            let of = |area| [begin(Work::FreeData, area), begin(Work::FreeTable, area)];
            (0..machine.areas).flat_map(of).collect()
        }
        _ => (0..machine.iommus).flat_map(|mm| [begin(Work::Bind, mm), begin(Work::Unbind, mm)]).collect(),
    }
}

/// Whether a thread can begin a work now.
fn can_begin(machine: &DeferredFree, state: &State, thread: usize, work: Work, subject: u8) -> bool {
    let taken = |others: &[Thread]| others.iter().any(|other| other.at != IDLE && other.subject == subject);
    let freers = &state.threads[..FREERS_MAX];
    let binders = &state.threads[WORKER + 1..];
    let (pmd, pte) = (state.hardware.pmd.has(subject), state.hardware.pte.has(subject));
    state.threads[thread].at == IDLE
        && match work {
            Work::FreeData => thread < FREERS_MAX && pte && !taken(freers),
            Work::FreeTable => thread < FREERS_MAX && pmd && !pte && !taken(freers),
            Work::Item => thread == WORKER && state.scheduled,
            Work::Bind => thread > WORKER && !state.bound.has(subject) && state.binds_left > 0 && !taken(binders),
            Work::Unbind => thread > WORKER && state.bound.has(subject) && !taken(binders),
        }
        && machine.exists(thread)
}

fn begin(machine: &DeferredFree, state: &State, thread: usize, work: Work, subject: u8) -> Option<State> {
    if !can_begin(machine, state, thread, work, subject) {
        return None;
    }
    let mut next = *state;
    if work == Work::Bind {
        next.binds_left -= 1;
    }
    let me = &mut next.threads[thread];
    (me.at, me.work, me.subject) = (0, work, subject);
    go(machine, &next, thread)
}

/// The next act of a thread.
fn go(machine: &DeferredFree, state: &State, thread: usize) -> Option<State> {
    let mut next = *state;
    let me = &mut next.threads[thread];
    let acts = machine.acts(me.work);
    let subject = me.subject;
    let mut to = me.at + 1;
    match acts[me.at as usize] {
        Act::F0ClearEntry => match me.work {
            Work::FreeData => next.hardware.pte = next.hardware.pte.without(subject),
            _ => next.hardware.pmd = next.hardware.pmd.without(subject),
        },
        Act::F5FlushCpus => next.hardware.flush_cpus(subject),
        Act::F6FreePage => {
            let level = if me.work == Work::FreeData { Level::Data } else { Level::Table };
            next.hardware.uses[frame_of(subject, level)] = Use::Free;
        }
        Act::Q1Lock => {
            if state.lock != NOBODY {
                return None;
            }
            next.lock = thread as u8;
        }
        Act::Q2ReadQueue => me.list = state.queue,
        Act::Q3WriteQueue => {
            next.queue = me.list.with(subject);
            me.list = Set::EMPTY;
        }
        Act::Q4Unlock => next.lock = NOBODY,
        Act::Q5ScheduleWork => next.scheduled = true,
        Act::W0Start => next.scheduled = false,
        Act::W1TakeQueue => me.list = state.queue,
        Act::W2EmptyQueue => next.queue = Set::EMPTY,
        Act::MutexLock => {
            if state.mutex == NOBODY {
                next.mutex = thread as u8;
                me.asleep = false;
            } else if me.asleep {
                return None;
            } else {
                me.asleep = true;
                to = me.at;
            }
        }
        Act::W3ReadPresent => {
            if !state.present {
                to = place_without_flush(acts, state.mutex == thread as u8);
            }
        }
        Act::W4ReadBound => {
            me.todo = match machine.config.flushes {
                Flushes::First if !state.listed.is_empty() => Set::of(state.listed.first()),
                _ => state.listed,
            };
        }
        Act::C2Submit if me.work == Work::Unbind => me.request = request(machine, me),
        Act::C2Submit if me.todo.is_empty() => to = place_behind(acts, Act::C3Wait),
        Act::C2Submit => {
            me.request = request(machine, me);
            me.todo = me.todo.without(me.todo.first());
        }
        Act::C3Wait => {
            if me.request.progress != Progress::Done {
                return None;
            }
            me.request = Request::UNUSED;
            if !me.todo.is_empty() {
                to = place_behind(acts, Act::C2Submit) - 1;
            }
        }
        Act::MutexUnlock => next.mutex = NOBODY,
        Act::W5FreeOne => {
            if !me.list.is_empty() {
                let area = me.list.first();
                next.hardware.uses[frame_of(area, Level::Table)] = Use::Free;
                me.list = me.list.without(area);
                if !me.list.is_empty() {
                    to = me.at;
                }
            }
        }
        Act::B1Attach => {
            next.domains = state.domains.with(subject);
            next.hardware.iommus[subject as usize].entry = true;
        }
        Act::B3Enable => next.hardware.iommus[subject as usize].working = true,
        Act::B2List => next.listed = state.listed.with(subject),
        Act::B2SetPresent => next.present = true,
        Act::U1StopDevice => next.hardware.iommus[subject as usize].working = false,
        Act::U1ClearEntry => next.hardware.iommus[subject as usize].entry = false,
        Act::U2Unlist => next.listed = state.listed.without(subject),
        Act::U2ClearPresent => next.present = !state.listed.is_empty(),
        Act::U4FreeDomain => next.domains = state.domains.without(subject),
    }
    let me = &mut next.threads[thread];
    me.at = to;
    if to as usize == acts.len() {
        match me.work {
            Work::Bind => next.bound = state.bound.with(subject),
            Work::Unbind => next.bound = state.bound.without(subject),
            Work::FreeData | Work::FreeTable | Work::Item => {}
        }
        *me = Thread { request: me.request, ..Thread::IDLE };
    }
    Some(next)
}

/// What a thread asks an IOMMU for: an unbinder for everything of the PASID, the worker for the kernel's half
/// of the address space, a freer for its area.
pub(super) fn request(machine: &DeferredFree, me: &Thread) -> Request {
    let scope = if machine.config.upper_too { Scope::BothLevels } else { Scope::LeafOnly };
    match me.work {
        Work::Unbind => Request::new(me.subject, Set::EMPTY, Scope::Pasid),
        Work::Item => Request::new(me.todo.first(), Set::below(machine.areas), scope),
        _ => Request::new(me.todo.first(), Set::of(me.subject), scope),
    }
}

/// Where a thread goes on if it finds nothing to flush: it releases the mutex if it holds it.
fn place_without_flush(acts: &[Act], holds_mutex: bool) -> u8 {
    if holds_mutex {
        place_behind(acts, Act::MutexUnlock) - 1
    } else if acts.contains(&Act::MutexUnlock) {
        place_behind(acts, Act::MutexUnlock)
    } else {
        place_behind(acts, Act::C3Wait)
    }
}

/// The place behind an act that is in the list.
fn place_behind(acts: &[Act], act: Act) -> u8 {
    let mut place = 0;
    while acts[place as usize] != act {
        place += 1;
    }
    place + 1
}

/// Proposes the steps that may be possible in `state`.
pub(super) fn propose(machine: &DeferredFree, state: &State, out: &mut Vec<Step>) {
    for thread in 0..THREADS_MAX {
        let me = &state.threads[thread];
        if !machine.exists(thread) {
            continue;
        }
        if me.at == IDLE {
            propose_beginnings(machine, thread, out);
        } else {
            out.push(Step::Go { thread: thread as u8, act: machine.acts(me.work)[me.at as usize] });
        }
        if me.request.progress == Progress::Pending {
            out.push(Step::D6Invalidate { thread: thread as u8 });
        }
    }
    for iommu in 0..machine.iommus {
        let unit = &state.hardware.iommus[iommu as usize];
        let mut push = |act| out.push(Step::Device { iommu, act });
        match unit.walk {
            Walk::Idle => (0..machine.areas).map(DeviceAct::D1StartWalk).for_each(&mut push),
            Walk::Started(area) => push(DeviceAct::D2ReadUpper(area)),
            Walk::InTable(area) => push(DeviceAct::D3ReadLower(area)),
            Walk::HasLeaf(area) | Walk::HasWild(area) => push(DeviceAct::D4FillIotlb(area)),
        }
        for area in 0..machine.areas {
            push(DeviceAct::D5EvictUpper(area));
            push(DeviceAct::D5EvictLeaf(area));
        }
    }
    for frame in 0..FRAMES as u8 {
        if state.hardware.uses[frame as usize] == Use::Free && frame < 2 * machine.areas {
            out.push(Step::M2ReusePage { frame });
        }
    }
    out.extend((0..machine.areas).map(|area| Step::M3FillCpuTlb { area }));
}

fn propose_beginnings(machine: &DeferredFree, thread: usize, out: &mut Vec<Step>) {
    let mut push = |work, subject| out.push(Step::Begin { thread: thread as u8, work, subject });
    if thread == WORKER {
        push(Work::Item, 0);
    } else if thread < FREERS_MAX {
        for area in 0..machine.areas {
            push(Work::FreeData, area);
            push(Work::FreeTable, area);
        }
    } else {
        for mm in 0..machine.iommus {
            push(Work::Bind, mm);
            push(Work::Unbind, mm);
        }
    }
}

/// The smallest of the states that differ only in the numbers of freers and of binders. Areas are not
/// interchangeable: the worker frees the pages of its list in their order.
pub(super) fn canonical(machine: &DeferredFree, state: &State) -> State {
    let mut least = *state;
    for exchange in 1..4 {
        let possible = (exchange & 1 == 0 || machine.freers == FREERS_MAX as u8)
            && (exchange & 2 == 0 || machine.binders == BINDERS_MAX as u8);
        if possible {
            let mut other = *state;
            if exchange & 1 != 0 {
                swap_threads(&mut other, 0);
            }
            if exchange & 2 != 0 {
                swap_threads(&mut other, WORKER + 1);
            }
            least = least.min(other);
        }
    }
    least
}

/// Exchanges the threads `first` and `first + 1`.
fn swap_threads(state: &mut State, first: usize) {
    state.threads.swap(first, first + 1);
    for owner in [&mut state.lock, &mut state.mutex] {
        if *owner == first as u8 {
            *owner += 1;
        } else if *owner == first as u8 + 1 {
            *owner -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::variants::VARIANTS;
    use super::*;
    use crate::machine::{Machine, Size};

    fn machine() -> DeferredFree {
        DeferredFree::new(VARIANTS[0].config, Size::quick(DeferredFree::PARAMETERS, &VARIANTS[0]))
    }

    #[test]
    fn a_queued_page_is_freed_by_the_worker() {
        let machine = machine();
        let mut state = machine.initial_states()[0];
        state.hardware.pte = state.hardware.pte.without(0);
        let mut state = begin(&machine, &state, 0, Work::FreeTable, 0).unwrap();
        while state.threads[0].at != IDLE {
            state = go(&machine, &state, 0).unwrap();
        }
        assert!(state.scheduled && state.queue == Set::of(0));
        state = begin(&machine, &state, WORKER, Work::Item, 0).unwrap();
        while state.threads[WORKER].at != IDLE {
            assert_eq!(state.hardware.use_of(0, Level::Table), Use::Table);
            state = go(&machine, &state, WORKER).unwrap();
        }
        assert!(state.queue.is_empty() && !state.scheduled);
        assert_eq!(state.hardware.use_of(0, Level::Table), Use::Free);
    }

    #[test]
    fn a_worker_with_nothing_to_flush_releases_the_mutex_it_holds() {
        let acts = machine().acts(Work::Item);
        assert_eq!(acts[place_without_flush(acts, true) as usize], Act::MutexUnlock);
        assert_eq!(acts[place_without_flush(acts, false) as usize], Act::W5FreeOne);
    }

    #[test]
    fn the_mutex_of_one_thread_puts_the_other_to_sleep() {
        let machine = machine();
        let mut state = begin(&machine, &machine.initial_states()[0], WORKER + 1, Work::Bind, 0).unwrap();
        assert_eq!(state.mutex as usize, WORKER + 1);
        let lock = machine.acts(Work::Item).iter().position(|act| *act == Act::MutexLock).unwrap();
        state.threads[WORKER] = Thread { at: lock as u8, ..Thread::IDLE };
        let asleep = go(&machine, &state, WORKER).unwrap();
        assert!(asleep.threads[WORKER].asleep);
        assert_eq!(go(&machine, &asleep, WORKER), None);
    }
}

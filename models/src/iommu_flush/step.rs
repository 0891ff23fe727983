//! The transitions of the machine [`IommuFlush`]: the only copy of the protocol.

use super::hardware::{frame_of, IOMMUS_MAX};
use super::hardware::{DeviceAct, Level, Privilege, Progress, Request, Scope, Set, Use, Walk, AREAS_MAX, FRAMES};
use super::{
    Act, Binder, Buffer, Build, Doorbell, Flusher, Hint, IommuFlush, Kernel, Lifetime, Pasids, State, Step, Store,
    Target, Tested, BINDERS_MAX, BUFFER, FLUSHERS_MAX, IDLE, NOBODY, OOPS, THREADS_MAX,
};

impl Buffer {
    /// The buffer with a new store behind the others; `None` if it is full.
    fn with(mut self, store: Store) -> Option<Self> {
        for place in &mut self.0 {
            if *place == Store::None {
                *place = store;
                return Some(self);
            }
        }
        None
    }

    /// The buffer without its oldest store.
    pub(super) fn without_oldest(self) -> Self {
        let mut rest = [Store::None; BUFFER];
        rest[..BUFFER - 1].copy_from_slice(&self.0[1..]);
        Self(rest)
    }

    /// Whether every store has become visible.
    pub(super) fn is_empty(self) -> bool {
        self.0[0] == Store::None
    }

    fn swap_areas(mut self) -> Self {
        for place in &mut self.0 {
            *place = match *place {
                Store::ClearPte(area) => Store::ClearPte(1 - area),
                Store::ClearPmd(area) => Store::ClearPmd(1 - area),
                other => other,
            };
        }
        self
    }
}

/// Whether a CPU has jumped to something that is not code (A7).
pub(super) fn stopped(state: &State) -> bool {
    state.flushers.iter().any(|flusher| flusher.at == OOPS)
}

/// The state after `step`, or `None` if it is not possible.
pub(super) fn step(machine: &IommuFlush, state: &State, step: Step) -> Option<State> {
    if step == Step::K0Build {
        return build(machine, state);
    }
    if state.build != Build::Done || stopped(state) {
        return None;
    }
    let mut next = *state;
    match step {
        Step::K0Build => return None,
        Step::Begin { flusher, area, level } => return begin(machine, state, flusher as usize, area, level),
        Step::Bind { binder, iommu } => return start_binding(machine, state, binder as usize, iommu, false),
        Step::Unbind { binder, iommu } => return start_binding(machine, state, binder as usize, iommu, true),
        Step::Go { thread, act } => return go(machine, state, thread as usize, act),
        Step::M1DrainStore { cpu } => {
            let buffer = &mut next.buffers[cpu as usize];
            let oldest = buffer.0[0];
            *buffer = buffer.without_oldest();
            become_visible(&mut next, oldest)?;
        }
        Step::D6Invalidate { thread } => {
            let request = request_of(&mut next, thread as usize);
            if request.progress != Progress::Pending {
                return None;
            }
            request.progress = Progress::Done;
            let request = *request;
            next.hardware.invalidate(request);
        }
        Step::Device { iommu, act } => {
            next.hardware = state.hardware.device(iommu, act, Privilege::Supervisor)?;
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

fn build(machine: &IommuFlush, state: &State) -> Option<State> {
    if state.build != Build::NotYet {
        return None;
    }
    // The caller names a function that only the other symbol declares.
    let compiles = machine.config.declared || !machine.config.called;
    Some(State { build: if compiles { Build::Done } else { Build::Failed }, ..*state })
}

/// The store leaves the buffer: from now on every CPU and device sees it.
fn become_visible(state: &mut State, store: Store) -> Option<()> {
    match store {
        Store::None => return None,
        Store::ClearPte(area) => state.hardware.pte = state.hardware.pte.without(area),
        Store::ClearPmd(area) => state.hardware.pmd = state.hardware.pmd.without(area),
        Store::SetEntry(iommu) => state.hardware.iommus[iommu as usize].entry = true,
        Store::ClearEntry(iommu) => state.hardware.iommus[iommu as usize].entry = false,
        Store::AddUser(iommu) => state.users = state.users.with(iommu),
        Store::RemoveUser(iommu) => state.users = state.users.without(iommu),
        Store::Publish => state.pointer = true,
        Store::Retract => state.pointer = false,
        Store::Ring(iommu) => state.hardware.iommus[iommu as usize].working = true,
    }
    Some(())
}

/// The pointer as a CPU loads it: its own buffered stores come before memory.
pub(super) fn load_pointer(state: &State, cpu: usize) -> bool {
    let mut value = state.pointer;
    for store in state.buffers[cpu].0 {
        match store {
            Store::Publish => value = true,
            Store::Retract => value = false,
            _ => {}
        }
    }
    value
}

/// The users of the kernel PASID as a CPU loads them.
pub(super) fn load_users(state: &State, cpu: usize) -> Set {
    let mut value = state.users;
    for store in state.buffers[cpu].0 {
        match store {
            Store::AddUser(iommu) => value = value.with(iommu),
            Store::RemoveUser(iommu) => value = value.without(iommu),
            _ => {}
        }
    }
    value
}

fn request_of(state: &mut State, thread: usize) -> &mut Request {
    if thread < FLUSHERS_MAX {
        &mut state.flushers[thread].request
    } else {
        &mut state.binders[thread - FLUSHERS_MAX].request
    }
}

/// Whether the scheduler can let the thread run. On a UP kernel a flusher with a spinlock held or inside an
/// RCU section is not preempted, unless it went to sleep, and a switch drains the store buffer (A4).
fn may_run(machine: &IommuFlush, state: &State, thread: usize) -> bool {
    if machine.config.kernel == Kernel::Smp {
        return true;
    }
    let drained = (0..THREADS_MAX).all(|other| other == thread || state.buffers[other].is_empty());
    let preemptible = (0..FLUSHERS_MAX).all(|other| other == thread || state.flushers[other].is_preemptible());
    drained && preemptible
}

fn begin(machine: &IommuFlush, state: &State, flusher: usize, area: u8, level: Level) -> Option<State> {
    let mapped = match level {
        Level::Data => state.hardware.pte.has(area),
        Level::Table => state.hardware.pmd.has(area) && !state.hardware.pte.has(area),
    };
    let taken = state.flushers.iter().any(|other| other.at != IDLE && other.area == area);
    if !mapped || taken || state.flushers[flusher].at != IDLE {
        return None;
    }
    let mut next = *state;
    let me = &mut next.flushers[flusher];
    (me.at, me.area, me.level) = (0, area, level);
    flush(machine, &next, flusher)
}

fn start_binding(machine: &IommuFlush, state: &State, binder: usize, iommu: u8, unbinding: bool) -> Option<State> {
    let possible = if unbinding { state.bound.has(iommu) } else { !state.bound.has(iommu) && state.binds_left > 0 };
    let taken = state.binders.iter().any(|other| other.at != IDLE && other.iommu == iommu);
    if !possible || taken || state.binders[binder].at != IDLE {
        return None;
    }
    let mut next = *state;
    if !unbinding {
        next.binds_left -= 1;
    }
    let me = &mut next.binders[binder];
    (me.at, me.iommu, me.unbinding) = (0, iommu, unbinding);
    bind_or_unbind(machine, &next, binder)
}

fn go(machine: &IommuFlush, state: &State, thread: usize, act: Act) -> Option<State> {
    if thread < FLUSHERS_MAX {
        let me = &state.flushers[thread];
        if me.at == IDLE || machine.flush(me.level)[me.at as usize] != act {
            return None;
        }
        flush(machine, state, thread)
    } else {
        let me = &state.binders[thread - FLUSHERS_MAX];
        if me.at == IDLE || machine.binding(me.unbinding)[me.at as usize] != act {
            return None;
        }
        bind_or_unbind(machine, state, thread - FLUSHERS_MAX)
    }
}

/// `mutex_lock()`: take the mutex, or go to sleep, or stay asleep.
enum Locking {
    Taken,
    WentToSleep,
    StillAsleep,
}

fn lock(mutex: &mut u8, asleep: &mut bool, thread: usize) -> Locking {
    if *mutex == NOBODY {
        *mutex = thread as u8;
        *asleep = false;
        Locking::Taken
    } else if *asleep {
        Locking::StillAsleep
    } else {
        *asleep = true;
        Locking::WentToSleep
    }
}

/// The next act of a flusher.
fn flush(machine: &IommuFlush, state: &State, flusher: usize) -> Option<State> {
    let cpu = flusher;
    let acts = machine.flush(state.flushers[flusher].level);
    let act = acts[state.flushers[flusher].at as usize];
    if !may_run(machine, state, flusher) || act.waits_for_stores() && !state.buffers[cpu].is_empty() {
        return None;
    }
    let mut next = *state;
    let me = &mut next.flushers[flusher];
    let places = &machine.places;
    let mut to = me.at + 1;
    match act {
        Act::F0ClearEntry => {
            let store = match me.level {
                Level::Data => Store::ClearPte(me.area),
                Level::Table => Store::ClearPmd(me.area),
            };
            next.buffers[cpu] = state.buffers[cpu].with(store)?;
        }
        Act::FullBarrier => {}
        Act::F1ReadLock => me.rcu = me.rcu.wrapping_add(1),
        Act::F2ReadPointer => {
            me.loads = me.loads.saturating_add(1);
            me.fetched = load_target(machine, state, cpu, me.notifier);
        }
        Act::F2TestAndReadAgain | Act::F2TestAndDereference | Act::F3TestAndCall if me.fetched == Target::Null => {
            to = next_notifier(machine, me);
        }
        Act::F2TestAndReadAgain => {
            me.loads = me.loads.saturating_add(1);
            me.fetched = load_target(machine, state, cpu, me.notifier);
        }
        Act::F2TestAndDereference => {
            me.loads = me.loads.saturating_add(1);
            me.fetched = Target::CodeBytes;
        }
        Act::F3TestAndCall | Act::F3Call => {
            me.calls = me.calls.saturating_add(1);
            match me.fetched {
                Target::Function => {}
                Target::OtherNotifier => to = places.ret,
                Target::Null | Target::CodeBytes => to = OOPS,
            }
        }
        Act::C1ReadPasidData => {
            me.todo = load_users(state, cpu);
            if me.todo.is_empty() {
                to = places.flushed;
            }
        }
        Act::C2Submit => {
            if me.request.progress == Progress::Pending {
                return None;
            }
            let iommu = me.todo.first();
            me.todo = me.todo.without(iommu);
            me.request = Request::new(iommu, Set::of(me.area), scope(machine, me.level));
        }
        Act::C3Wait => {
            if me.request.progress != Progress::Done {
                return None;
            }
            me.request = Request::UNUSED;
            if !me.todo.is_empty() {
                to = places.submit;
            }
        }
        Act::C4Return => {
            me.todo = Set::EMPTY;
            to = next_notifier(machine, me);
        }
        Act::F4ReadUnlock => {
            me.rcu = me.rcu.wrapping_sub(1);
            if me.rcu == 0 {
                for binder in &mut next.binders {
                    binder.waits_for = binder.waits_for.without(flusher as u8);
                }
            }
        }
        Act::F5FlushCpus => next.hardware.flush_cpus(me.area),
        Act::F6FreePage => next.hardware.uses[frame_of(me.area, me.level)] = Use::Free,
        Act::MutexLock => match lock(&mut next.mutex, &mut me.asleep, flusher) {
            Locking::Taken => {}
            Locking::WentToSleep => to = me.at,
            Locking::StillAsleep => return None,
        },
        Act::MutexUnlock => next.mutex = NOBODY,
        Act::B1SetUpPasid
        | Act::B2AddUser
        | Act::B2Publish
        | Act::B3Enable
        | Act::U1StopDevice
        | Act::U1ClearEntry
        | Act::U2RemoveUser
        | Act::U2Retract
        | Act::U3StartGracePeriod
        | Act::U3EndGracePeriod
        | Act::U4Free => return None,
    }
    let me = &mut next.flushers[flusher];
    me.at = to;
    if to as usize == acts.len() {
        // The locals of the flush are gone; its RCU nesting and a request that nobody waited for are not.
        *me = Flusher { rcu: me.rcu, request: me.request, ..Flusher::IDLE };
    }
    Some(next)
}

/// What a flusher finds when it looks for something to call.
pub(super) fn load_target(machine: &IommuFlush, state: &State, cpu: usize, notifier: u8) -> Target {
    let set = match machine.config.tested {
        Tested::Pointer => load_pointer(state, cpu),
        Tested::Users => !load_users(state, cpu).is_empty(),
    };
    match (notifier, set) {
        (0, true) => Target::Function,
        (0, false) => Target::Null,
        _ => Target::OtherNotifier,
    }
}

/// Behind a call, or a call that was not made: where the flush goes on.
fn next_notifier(machine: &IommuFlush, me: &mut Flusher) -> u8 {
    me.fetched = Target::Null;
    if me.notifier + 1 < machine.config.notifiers {
        me.notifier += 1;
        machine.places.read
    } else {
        machine.places.ret + 1
    }
}

pub(super) fn scope(machine: &IommuFlush, level: Level) -> Scope {
    match (machine.config.hint, level) {
        (Hint::Always, _) | (Hint::ForData, Level::Data) => Scope::LeafOnly,
        (Hint::Never, _) | (Hint::ForData, Level::Table) => Scope::BothLevels,
    }
}

/// The next act of a binder.
fn bind_or_unbind(machine: &IommuFlush, state: &State, binder: usize) -> Option<State> {
    let thread = FLUSHERS_MAX + binder;
    let cpu = thread;
    let acts = machine.binding(state.binders[binder].unbinding);
    let act = acts[state.binders[binder].at as usize];
    if !may_run(machine, state, thread) || act.waits_for_stores() && !state.buffers[cpu].is_empty() {
        return None;
    }
    let mut next = *state;
    let me = &mut next.binders[binder];
    let iommu = me.iommu;
    let mut store = Store::None;
    let mut to = me.at + 1;
    match act {
        Act::FullBarrier => {}
        Act::MutexLock => match lock(&mut next.mutex, &mut me.asleep, thread) {
            Locking::Taken => me.alone = is_alone(machine, state, cpu, iommu),
            Locking::WentToSleep => to = me.at,
            Locking::StillAsleep => return None,
        },
        Act::MutexUnlock => next.mutex = NOBODY,
        Act::B1SetUpPasid => {
            if me.alone {
                next.text = true;
                next.data = true;
            }
            store = Store::SetEntry(iommu);
        }
        Act::B2AddUser => {
            if machine.config.pasids == Pasids::SystemWide || iommu == 0 {
                store = Store::AddUser(iommu);
            }
        }
        Act::B2Publish => {
            // A pointer that is never cleared is set once.
            if !load_pointer(state, cpu) {
                store = Store::Publish;
            }
        }
        Act::B3Enable => match machine.config.doorbell {
            Doorbell::Direct => next.hardware.iommus[iommu as usize].working = true,
            Doorbell::Ordered => store = Store::Ring(iommu),
        },
        Act::U1StopDevice => next.hardware.iommus[iommu as usize].working = false,
        Act::U1ClearEntry => store = Store::ClearEntry(iommu),
        Act::C2Submit => {
            if me.request.progress == Progress::Pending {
                return None;
            }
            me.request = Request::new(iommu, Set::EMPTY, Scope::Pasid);
        }
        Act::C3Wait => {
            if me.request.progress != Progress::Done {
                return None;
            }
            me.request = Request::UNUSED;
        }
        Act::U2RemoveUser => {
            if machine.config.pasids == Pasids::SystemWide || iommu == 0 {
                store = Store::RemoveUser(iommu);
            }
        }
        Act::U2Retract => store = Store::Retract,
        Act::U3StartGracePeriod => me.waits_for = readers(state),
        Act::U3EndGracePeriod => {
            if !me.waits_for.is_empty() {
                return None;
            }
        }
        Act::U4Free => {
            next.data = machine.config.data == Lifetime::Permanent;
            next.text = machine.config.text == Lifetime::Permanent;
        }
        Act::F0ClearEntry
        | Act::F1ReadLock
        | Act::F2ReadPointer
        | Act::F2TestAndReadAgain
        | Act::F2TestAndDereference
        | Act::F3TestAndCall
        | Act::F3Call
        | Act::C1ReadPasidData
        | Act::C4Return
        | Act::F4ReadUnlock
        | Act::F5FlushCpus
        | Act::F6FreePage => return None,
    }
    if store != Store::None {
        next.buffers[cpu] = state.buffers[cpu].with(store)?;
    }
    let me = &mut next.binders[binder];
    while (to as usize) < acts.len() && !me.alone && acts[to as usize].only_for_first_or_last() {
        to += 1;
    }
    me.at = to;
    if to as usize == acts.len() {
        next.bound = if me.unbinding { state.bound.without(iommu) } else { state.bound.with(iommu) };
        *me = Binder { request: me.request, ..Binder::IDLE };
    }
    Some(next)
}

/// Whether the kernel PASID, as far as the published function is concerned, has no user but this IOMMU.
fn is_alone(machine: &IommuFlush, state: &State, cpu: usize, iommu: u8) -> bool {
    match machine.config.pasids {
        Pasids::SystemWide => load_users(state, cpu).without(iommu).is_empty(),
        Pasids::PerIommu => iommu == 0,
    }
}

/// The flushers inside an RCU section.
pub(super) fn readers(state: &State) -> Set {
    let mut readers = Set::EMPTY;
    for (number, flusher) in state.flushers.iter().enumerate() {
        if flusher.rcu > 0 {
            readers = readers.with(number as u8);
        }
    }
    readers
}

/// Proposes the steps that may be possible in `state`.
pub(super) fn propose(machine: &IommuFlush, state: &State, out: &mut Vec<Step>) {
    if state.build == Build::NotYet {
        out.push(Step::K0Build);
    }
    if state.build != Build::Done || stopped(state) {
        return;
    }
    for flusher in 0..machine.flushers {
        propose_flusher(machine, state, flusher, out);
    }
    for binder in 0..machine.binders {
        propose_binder(machine, state, binder, out);
    }
    for cpu in 0..THREADS_MAX as u8 {
        if !state.buffers[cpu as usize].is_empty() {
            out.push(Step::M1DrainStore { cpu });
        }
    }
    for iommu in 0..machine.iommus {
        propose_device(machine, state, iommu, out);
    }
    for frame in 0..FRAMES as u8 {
        if state.hardware.uses[frame as usize] == Use::Free && frame < 2 * machine.areas {
            out.push(Step::M2ReusePage { frame });
        }
    }
    out.extend((0..machine.areas).map(|area| Step::M3FillCpuTlb { area }));
}

fn propose_flusher(machine: &IommuFlush, state: &State, flusher: u8, out: &mut Vec<Step>) {
    let me = &state.flushers[flusher as usize];
    if me.at == IDLE {
        let begin = |area| [Level::Data, Level::Table].map(|level| Step::Begin { flusher, area, level });
        out.extend((0..machine.areas).flat_map(begin));
    } else if let Some(act) = machine.flush(me.level).get(me.at as usize) {
        // The Explorer asks with states of other variants, which may stand behind this one's last act.
        out.push(Step::Go { thread: flusher, act: *act });
    }
    if me.request.progress == Progress::Pending {
        out.push(Step::D6Invalidate { thread: flusher });
    }
}

fn propose_binder(machine: &IommuFlush, state: &State, binder: u8, out: &mut Vec<Step>) {
    let me = &state.binders[binder as usize];
    let thread = FLUSHERS_MAX as u8 + binder;
    if me.at == IDLE {
        let start = |iommu| [Step::Bind { binder, iommu }, Step::Unbind { binder, iommu }];
        out.extend((0..machine.iommus).flat_map(start));
    } else if let Some(act) = machine.binding(me.unbinding).get(me.at as usize) {
        out.push(Step::Go { thread, act: *act });
    }
    if me.request.progress == Progress::Pending {
        out.push(Step::D6Invalidate { thread });
    }
}

fn propose_device(machine: &IommuFlush, state: &State, iommu: u8, out: &mut Vec<Step>) {
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

/// The smallest of the states that differ only in the numbers of flushers, of binders and of areas.
pub(super) fn canonical(machine: &IommuFlush, state: &State) -> State {
    let mut least = *state;
    for exchange in 1..8 {
        let possible = (exchange & 1 == 0 || machine.flushers == FLUSHERS_MAX as u8)
            && (exchange & 2 == 0 || machine.areas == AREAS_MAX as u8)
            && (exchange & 4 == 0 || machine.binders == BINDERS_MAX as u8);
        if possible {
            let mut other = *state;
            if exchange & 1 != 0 {
                other = swap_flushers(other);
            }
            if exchange & 2 != 0 {
                other = swap_areas(other);
            }
            if exchange & 4 != 0 {
                other = swap_binders(other);
            }
            least = least.min(other);
        }
    }
    least
}

fn swap_owner(owner: u8, first: u8) -> u8 {
    match owner {
        o if o == first => first + 1,
        o if o == first + 1 => first,
        o => o,
    }
}

fn swap_flushers(mut state: State) -> State {
    state.flushers.swap(0, 1);
    state.buffers.swap(0, 1);
    state.mutex = swap_owner(state.mutex, 0);
    for binder in &mut state.binders {
        binder.waits_for = binder.waits_for.swapped();
    }
    state
}

fn swap_binders(mut state: State) -> State {
    state.binders.swap(0, 1);
    state.buffers.swap(FLUSHERS_MAX, FLUSHERS_MAX + 1);
    state.mutex = swap_owner(state.mutex, FLUSHERS_MAX as u8);
    state
}

fn swap_areas(mut state: State) -> State {
    state.hardware = state.hardware.swap_areas();
    for buffer in &mut state.buffers {
        *buffer = buffer.swap_areas();
    }
    for flusher in &mut state.flushers {
        flusher.request = flusher.request.swap_areas();
        if flusher.at != IDLE {
            flusher.area = 1 - flusher.area;
        }
    }
    state
}

const _: () = assert!(AREAS_MAX == 2 && IOMMUS_MAX == 2 && FLUSHERS_MAX == 2 && BINDERS_MAX == 2);

#[cfg(test)]
mod tests {
    use super::super::variants::VARIANTS;
    use super::*;
    use crate::machine::{Machine, Size};

    fn machine(name: &str) -> IommuFlush {
        let variant = VARIANTS.iter().find(|variant| variant.name == name).unwrap();
        IommuFlush::new(variant.config, Size::quick(IommuFlush::PARAMETERS, variant))
    }

    fn run(machine: &IommuFlush, steps: &[Step]) -> State {
        steps.iter().fold(machine.initial_states()[0], |state, step| {
            machine.step(&state, *step).unwrap_or_else(|| panic!("{step:?} is not possible in {state:#?}"))
        })
    }

    const BINDER: u8 = FLUSHERS_MAX as u8;
    const FREE_DATA: Step = Step::Begin { flusher: 0, area: 0, level: Level::Data };
    const BIND: Step = Step::Bind { binder: 0, iommu: 0 };

    fn binder(act: Act) -> Step {
        Step::Go { thread: BINDER, act }
    }

    #[test]
    fn a_buffer_is_first_in_first_out_and_has_an_end() {
        let empty = Buffer([Store::None; BUFFER]);
        let two = empty.with(Store::Publish).unwrap().with(Store::Retract).unwrap();
        assert_eq!(two.0[0], Store::Publish);
        assert_eq!(two.without_oldest().0[0], Store::Retract);
        assert!(two.without_oldest().without_oldest().is_empty());
        assert_eq!(two.with(Store::AddUser(0)).unwrap().with(Store::AddUser(1)), None);
    }

    #[test]
    fn a_cpu_sees_its_own_stores_and_others_do_not() {
        let machine = machine("no-barrier");
        let acts = [Act::B1SetUpPasid, Act::B2AddUser, Act::B2Publish].map(binder);
        let state = run(&machine, &[[Step::K0Build, BIND].as_slice(), &acts].concat());
        assert!(load_pointer(&state, BINDER as usize) && load_users(&state, BINDER as usize).has(0));
        assert!(!load_pointer(&state, 0) && load_users(&state, 0).is_empty());
    }

    #[test]
    fn the_barrier_waits_for_the_store_buffer() {
        let machine = machine("rcu");
        let cleared = run(&machine, &[Step::K0Build, FREE_DATA]);
        let barrier = Step::Go { thread: 0, act: Act::FullBarrier };
        assert_eq!(machine.step(&cleared, barrier), None);
        assert!(cleared.hardware.pte.has(0));
        let visible = machine.step(&cleared, Step::M1DrainStore { cpu: 0 }).unwrap();
        assert!(!visible.hardware.pte.has(0));
        assert!(machine.step(&visible, barrier).is_some());
    }

    #[test]
    fn the_readers_are_the_flushers_inside_a_section() {
        let mut state = run(&machine("rcu"), &[Step::K0Build]);
        assert_eq!(readers(&state), Set::EMPTY);
        state.flushers[1].rcu = 1;
        assert_eq!(readers(&state), Set::of(1));
    }

    #[test]
    fn on_up_nobody_runs_while_a_flusher_is_in_an_rcu_section() {
        let machine = machine("rcu-on-up");
        let acts = [Act::FullBarrier, Act::F1ReadLock].map(|act| Step::Go { thread: 0, act });
        let drain = Step::M1DrainStore { cpu: 0 };
        let state = run(&machine, &[[Step::K0Build, FREE_DATA, drain].as_slice(), &acts].concat());
        assert_eq!(machine.step(&state, BIND), None);
    }

    #[test]
    fn states_that_differ_in_names_have_one_representative() {
        let variant = &VARIANTS[0];
        let size = Size::quick(IommuFlush::PARAMETERS, variant);
        let size = size.with(IommuFlush::PARAMETERS, "flushers", 2).unwrap();
        let machine = IommuFlush::new(variant.config, size);
        let begin = |flusher, area| run(&machine, &[Step::K0Build, Step::Begin { flusher, area, level: Level::Data }]);
        let all = [begin(0, 0), begin(0, 1), begin(1, 0), begin(1, 1)].map(|state| machine.canonical(&state));
        assert!(all.iter().all(|state| *state == all[0]));
    }
}

//! Two-phase commit with a transaction manager (TM) and up to eight resource managers (RM), after Gray and
//! Lamport, "Consensus on Transaction Commit", section 3: messages are never lost, and are read any number of times.

use std::hash::{Hash, Hasher};

use stateright::{Model, Property};

const RMS_MAX: usize = 8;

#[derive(Clone, Debug)]
pub struct TwoPhaseCommit {
    pub rms: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rm {
    Working,
    Prepared,
    Committed,
    Aborted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tm {
    Waiting,
    Committed,
    Aborted,
}

#[derive(Clone, Copy, Debug, Eq)]
#[repr(C)]
pub struct State {
    /// Places beyond the number of RMs stay `Working`.
    pub rms: [Rm; RMS_MAX],
    pub tm: Tm,
    /// The RMs from which the TM knows that they are prepared.
    pub known_prepared: u8,
    /// The RMs that have sent "prepared".
    pub sent_prepared: u8,
}

impl State {
    /// All of it, in two words, which are compared and hashed faster than eleven bytes.
    #[inline]
    fn words(&self) -> [u64; 2] {
        let Self { rms, tm, known_prepared, sent_prepared } = *self;
        [
            u64::from_le_bytes(rms.map(|rm| rm as u8)),
            u64::from_le_bytes([tm as u8, known_prepared, sent_prepared, 0, 0, 0, 0, 0]),
        ]
    }
}

impl PartialEq for State {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b], [c, d]) = (self.words(), other.words());
        (a ^ c) | (b ^ d) == 0
    }
}

impl Hash for State {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.words().into_iter().for_each(|word| hasher.write_u64(word));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    TmCommit,
    TmAbort,
    TmHearPrepared(u8),
    RmPrepare(u8),
    RmAbort(u8),
    RmHearCommit(u8),
    RmHearAbort(u8),
}

impl Step {
    pub const KINDS: usize = 7;
    pub fn kind(&self) -> usize {
        match self {
            Self::TmCommit => 0,
            Self::TmAbort => 1,
            Self::TmHearPrepared(_) => 2,
            Self::RmPrepare(_) => 3,
            Self::RmAbort(_) => 4,
            Self::RmHearCommit(_) => 5,
            Self::RmHearAbort(_) => 6,
        }
    }
}

impl Model for TwoPhaseCommit {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State { rms: [Rm::Working; RMS_MAX], tm: Tm::Waiting, known_prepared: 0, sent_prepared: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        if state.tm == Tm::Waiting {
            if state.known_prepared.count_ones() == u32::from(self.rms) {
                actions.push(Step::TmCommit);
            }
            actions.push(Step::TmAbort);
        }
        for rm in 0..self.rms {
            if state.tm == Tm::Waiting && state.sent_prepared >> rm & 1 == 1 {
                actions.push(Step::TmHearPrepared(rm));
            }
            if state.rms[usize::from(rm)] == Rm::Working {
                actions.extend([Step::RmPrepare(rm), Step::RmAbort(rm)]);
            }
            // The TM's decision is a message to everybody, and stays one.
            match state.tm {
                Tm::Waiting => {}
                Tm::Committed => actions.push(Step::RmHearCommit(rm)),
                Tm::Aborted => actions.push(Step::RmHearAbort(rm)),
            }
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = *state;
        next.take(step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("consistent", |_, state| state.is_consistent()),
            Property::<Self>::sometimes("all-commit", |model, state| model.all(state, Rm::Committed)),
            Property::<Self>::sometimes("all-abort", |model, state| model.all(state, Rm::Aborted)),
            // False: shown by a run in which one RM aborts on its own.
            Property::<Self>::always("nobody-aborts", |_, state| !state.rms.contains(&Rm::Aborted)),
        ]
    }
}

impl State {
    pub fn take(&mut self, step: Step) {
        match step {
            Step::TmCommit => self.tm = Tm::Committed,
            Step::TmAbort => self.tm = Tm::Aborted,
            Step::TmHearPrepared(rm) => self.known_prepared |= 1 << rm,
            Step::RmPrepare(rm) => {
                self.rms[usize::from(rm)] = Rm::Prepared;
                self.sent_prepared |= 1 << rm;
            }
            Step::RmAbort(rm) | Step::RmHearAbort(rm) => self.rms[usize::from(rm)] = Rm::Aborted,
            Step::RmHearCommit(rm) => self.rms[usize::from(rm)] = Rm::Committed,
        }
    }

    /// No RM has committed while another has aborted.
    pub fn is_consistent(&self) -> bool {
        !(self.rms.contains(&Rm::Aborted) && self.rms.contains(&Rm::Committed))
    }
}

impl TwoPhaseCommit {
    /// The same step as that of the model, on the state itself.
    pub fn step_in_place(&self, state: &mut State, step: Step) -> bool {
        state.take(step);
        true
    }

    fn all(&self, state: &State, what: Rm) -> bool {
        state.rms[..usize::from(self.rms)].iter().all(|rm| *rm == what)
    }

    /// RMs are interchangeable: the representative has them sorted.
    pub fn sorted(&self, state: &State) -> State {
        let bit = |set: u8, rm: usize| set >> rm & 1;
        let n = usize::from(self.rms);
        let mut rows: Vec<(Rm, u8, u8)> =
            (0..n).map(|rm| (state.rms[rm], bit(state.known_prepared, rm), bit(state.sent_prepared, rm))).collect();
        rows.sort();
        let mut sorted = State { known_prepared: 0, sent_prepared: 0, ..*state };
        for (rm, (what, known, sent)) in rows.into_iter().enumerate() {
            sorted.rms[rm] = what;
            sorted.known_prepared |= known << rm;
            sorted.sent_prepared |= sent << rm;
        }
        sorted
    }
}

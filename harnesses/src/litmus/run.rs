//! Runs a litmus test under loom.
//!
//! Two things are asked apart, because a data race ends loom's run. With `races`, plain accesses are plain, and the
//! answer is whether one of them races. Without, they are marked ones, and the answer is the set of outcomes that
//! whole, unordered accesses have: that is how the kernel's model counts them too.
//!
//! A marked access and a plain one race, two marked ones do not. So every ordered pair of processes has, for each
//! location, a plain variable of no content: a plain access of the first reads or writes it, and so does every access
//! of the second.
//!
//! loom 0.7.2 misses what others may have loaded when a process loads a location and then changes it (tokio-rs/loom,
//! issue 166). The ports answer with read-modify-write loads, which costs them older values. Here nothing is lost: such
//! a location has a *beacon*, an atomic beside it that every access first touches with a read-modify-write that orders
//! nothing, and loom tries the touches in every order. A beacon could add order between full barriers, so the test is
//! run without beacons as well, and an outcome is one that either run shows.

use super::program::{Access, Expression, Operator, Order, Program, Shown, Statement, Value};
use crate::explore::{Outcome, explore};
use crate::over_loom::primitives::{Held, Interrupts, Lock, Plain, Word64, smp_mb, smp_rmb, smp_wmb, spawn};
use crate::scenario::Bounds;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What loom shows of a litmus test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LitmusRun {
    /// The executions of all runs.
    pub executions: u64,
    /// Every outcome in herd7's notation, and whether it is the bad one.
    pub outcomes: BTreeMap<String, bool>,
    /// loom's message, if a plain access races.
    pub race: Option<String>,
}

impl LitmusRun {
    /// The word of herd7's Observation line for the bad outcome.
    pub fn observation(&self) -> &'static str {
        match (self.outcomes.values().any(|bad| *bad), self.outcomes.values().all(|bad| *bad)) {
            (false, _) => "Never",
            (true, false) => "Sometimes",
            (true, true) => "Always",
        }
    }
}

impl Program {
    /// Every outcome that loom produces, and whether a plain access races.
    ///
    /// # Errors
    /// A panic that is no data race: a deadlock, or a test that reads what is no pointer.
    pub fn run(&self) -> Result<LitmusRun, String> {
        let changed = self.locations_loaded_and_changed();
        let mut run = LitmusRun { executions: 0, outcomes: BTreeMap::new(), race: None };
        let mut beacons = vec![BTreeSet::new()];
        if !changed.is_empty() {
            beacons.push(changed);
        }
        for beacons in beacons {
            for races in [false, true] {
                let (executions, outcomes, panic) = self.explore(&beacons, races);
                run.executions += executions;
                match panic {
                    None => run.outcomes.extend(outcomes),
                    Some(race) if races && race.starts_with(RACE) => run.race = Some(race),
                    Some(panic) => return Err(format!("{}: {panic}", self.name)),
                }
            }
        }
        Ok(run)
    }

    fn explore(&self, beacons: &BTreeSet<usize>, races: bool) -> (u64, BTreeMap<String, bool>, Option<String>) {
        let outcomes = Arc::new(Mutex::new(BTreeMap::new()));
        let body = {
            let (program, outcomes, beacons) = (Arc::new(self.clone()), Arc::clone(&outcomes), beacons.clone());
            move || {
                let outcome = execute(&program, &beacons, races);
                let written = program.written(&outcome);
                outcomes.lock().expect("no panic holds it").insert(written, program.exists.holds(&outcome));
                Outcome { observed: String::new(), broken: None }
            }
        };
        let run = explore(Bounds::NONE, body);
        let outcomes = outcomes.lock().expect("no panic holds it").clone();
        (run.executions, outcomes, run.panic)
    }

    /// The locations that some process both loads and changes.
    fn locations_loaded_and_changed(&self) -> BTreeSet<usize> {
        let mut both = BTreeSet::new();
        for process in &self.processes {
            let (mut loaded, mut changed) = (BTreeSet::new(), BTreeSet::new());
            process.iter().for_each(|statement| touched(statement, &mut loaded, &mut changed));
            both.extend(loaded.intersection(&changed));
        }
        both
    }
}

/// What loom's message about a race begins with here.
const RACE: &str = "data-race";

/// Adds the locations that a statement loads from, and those that it changes.
fn touched(statement: &Statement, loaded: &mut BTreeSet<usize>, changed: &mut BTreeSet<usize>) {
    match statement {
        Statement::Assign(_, value) | Statement::Evaluate(value) => touched_by(value, loaded, changed),
        Statement::Store(_, address, value) => {
            changed.extend(constant(address));
            touched_by(address, loaded, changed);
            touched_by(value, loaded, changed);
        }
        Statement::If(condition, then, otherwise) => {
            touched_by(condition, loaded, changed);
            then.iter().chain(otherwise).for_each(|statement| touched(statement, loaded, changed));
        }
        _ => {}
    }
}

fn touched_by(expression: &Expression, loaded: &mut BTreeSet<usize>, changed: &mut BTreeSet<usize>) {
    match expression {
        Expression::Constant(_) | Expression::Register(_) => {}
        Expression::Load(_, address) => {
            loaded.extend(constant(address));
            touched_by(address, loaded, changed);
        }
        Expression::Add(_, address, _) => changed.extend(constant(address)),
        Expression::CompareExchange(address, old, new) => {
            changed.extend(constant(address));
            touched_by(old, loaded, changed);
            touched_by(new, loaded, changed);
        }
        Expression::Binary(_, one, other) => {
            touched_by(one, loaded, changed);
            touched_by(other, loaded, changed);
        }
    }
}

fn constant(address: &Expression) -> Option<usize> {
    if let Expression::Constant(Value::Pointer(location)) = address { Some(*location) } else { None }
}

/// The shared memory of one execution.
struct Memory {
    places: Vec<Place>,
    cpus: Interrupts,
}

struct Place {
    word: Word64,
    lock: Lock,
    beacon: Option<Word64>,
    /// For each process that accesses plainly, and each other one; none where races are not asked for.
    pairs: Vec<Vec<Plain<()>>>,
}

/// A pointer as a word: numbers of the tests are far smaller.
const POINTER: u64 = 1 << 40;

fn word(value: Value) -> u64 {
    match value {
        Value::Number(number) => number.cast_unsigned(),
        Value::Pointer(location) => POINTER + location as u64,
    }
}

fn value(word: u64) -> Value {
    match word.checked_sub(POINTER) {
        Some(location) if location < 1 << 20 => Value::Pointer(location as usize),
        _ => Value::Number(word.cast_signed()),
    }
}

/// One execution: every process on a thread of its own, then what the test looks at.
fn execute(program: &Arc<Program>, beacons: &BTreeSet<usize>, races: bool) -> BTreeMap<Shown, Value> {
    let processes = program.processes.len();
    let pairs = || {
        let row = || (0..processes).map(|_| Plain::new((), RACE)).collect();
        if races { (0..processes).map(|_| row()).collect() } else { Vec::new() }
    };
    let place = |(number, (_, initial)): (usize, &(String, Value))| Place {
        word: Word64::new(word(*initial)),
        lock: Lock::unheld(),
        beacon: beacons.contains(&number).then(|| Word64::new(0)),
        pairs: pairs(),
    };
    let places = program.locations.iter().enumerate().map(place).collect();
    let memory = Arc::new(Memory { places, cpus: Interrupts::new(processes) });
    let others: Vec<_> = (1..processes)
        .map(|number| {
            let (program, memory) = (Arc::clone(program), Arc::clone(&memory));
            spawn(move || Process::run(number, &program, &memory))
        })
        .collect();
    let mut registers = vec![Process::run(0, program, &memory)];
    registers.extend(others.into_iter().map(|other| other.join().expect("loom ends the run if a thread panics")));
    let last = |shown: &Shown| match shown {
        Shown::Register(process, name) => registers[*process].get(name).copied().unwrap_or(Value::Number(0)),
        // A read-modify-write, which has to have the newest value.
        Shown::Location(name) => {
            let place = program.locations.iter().position(|(other, _)| other == name);
            value(memory.places[place.expect("the parser knows it")].word.fetch_or_relaxed(0))
        }
    };
    program.shown.iter().map(|shown| (shown.clone(), last(shown))).collect()
}

/// A process in one execution.
struct Process<'a> {
    number: usize,
    memory: &'a Memory,
    registers: BTreeMap<String, Value>,
    locks: Vec<(usize, Held<'a>)>,
    section: Option<Held<'a>>,
}

impl<'a> Process<'a> {
    /// Runs one process to its end; its registers.
    fn run(number: usize, program: &Program, memory: &'a Memory) -> BTreeMap<String, Value> {
        let mut process = Process { number, memory, registers: BTreeMap::new(), locks: Vec::new(), section: None };
        process.block(&program.processes[number]);
        process.registers
    }

    fn block(&mut self, statements: &[Statement]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Assign(register, value) => {
                let value = self.evaluate(value);
                self.registers.insert(register.clone(), value);
            }
            Statement::Store(access, address, value) => self.store(*access, address, value),
            Statement::Evaluate(value) => _ = self.evaluate(value),
            Statement::If(condition, then, otherwise) => {
                let block = if self.evaluate(condition) == Value::Number(0) { otherwise } else { then };
                self.block(block);
            }
            Statement::FullBarrier => smp_mb(),
            Statement::ReadBarrier => smp_rmb(),
            Statement::WriteBarrier => smp_wmb(),
            Statement::Lock(address) => {
                let location = self.address(address);
                self.locks.push((location, self.memory.places[location].lock.lock()));
            }
            Statement::Unlock(address) => {
                let location = self.address(address);
                self.locks.retain(|(held, _)| *held != location);
            }
            Statement::ReadLock => self.section = Some(self.memory.cpus.rcu_read_lock(self.number)),
            Statement::ReadUnlock => self.section = None,
            Statement::GracePeriod => self.memory.cpus.synchronize_rcu(),
        }
    }

    fn address(&mut self, expression: &Expression) -> usize {
        match self.evaluate(expression) {
            Value::Pointer(location) => location,
            Value::Number(number) => panic!("{number} is no pointer"),
        }
    }

    /// Notes an access for the search for races, and touches the beacon.
    fn access(&self, location: usize, plain: bool, changes: bool) -> &'a Place {
        let place = &self.memory.places[location];
        let note = |pair: &Plain<()>| if changes { pair.write(()) } else { pair.read() };
        for (number, row) in place.pairs.iter().enumerate().filter(|(number, _)| *number != self.number) {
            note(&row[self.number]);
            if plain {
                note(&place.pairs[self.number][number]);
            }
        }
        if let Some(beacon) = &place.beacon {
            beacon.fetch_or_relaxed(0);
        }
        place
    }

    fn store(&mut self, access: Access, address: &Expression, value: &Expression) {
        let location = self.address(address);
        let value = word(self.evaluate(value));
        let place = self.access(location, access == Access::Plain, true);
        match access {
            Access::Plain | Access::Once => place.word.write_once(value),
            Access::Ordered => place.word.store_release(value),
            Access::Rcu => place.word.rcu_assign_pointer(value),
        }
    }

    fn evaluate(&mut self, expression: &Expression) -> Value {
        match expression {
            Expression::Constant(value) => *value,
            Expression::Register(name) => self.registers.get(name).copied().unwrap_or(Value::Number(0)),
            Expression::Load(access, address) => {
                let location = self.address(address);
                let word = &self.access(location, *access == Access::Plain, false).word;
                value(match access {
                    Access::Plain | Access::Once => word.read_once(),
                    Access::Ordered => word.load_acquire(),
                    Access::Rcu => word.rcu_dereference(),
                })
            }
            Expression::Add(order, address, number) => {
                let location = self.address(address);
                let word = &self.access(location, false, true).word;
                let number = number.cast_unsigned();
                value(match order {
                    Order::Relaxed => word.add_return_relaxed(number),
                    Order::Acquire => word.add_return_acquire(number),
                    Order::Release => word.add_return_release(number),
                    Order::Full => word.add_return(number),
                })
            }
            Expression::CompareExchange(address, old, new) => {
                let location = self.address(address);
                let (old, new) = (word(self.evaluate(old)), word(self.evaluate(new)));
                value(self.access(location, false, true).word.cmpxchg_relaxed(old, new))
            }
            Expression::Binary(operator, one, other) => {
                let (one, other) = (self.evaluate(one), self.evaluate(other));
                let number = |value| match value {
                    Value::Number(number) => number,
                    Value::Pointer(_) => panic!("a pointer is calculated with"),
                };
                Value::Number(match operator {
                    Operator::Equal => i64::from(one == other),
                    Operator::NotEqual => i64::from(one != other),
                    Operator::Add => number(one) + number(other),
                    Operator::Subtract => number(one) - number(other),
                    Operator::Or => number(one) | number(other),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED_WRITER: &str = "C a-writer-and-a-lockless-reader
{ map=1; }
P0(int *map) { int r0; r0 = READ_ONCE(*map); }
P1(int *map) { int r0; r0 = READ_ONCE(*map); WRITE_ONCE(*map, r0 | 2); }
exists (0:r0=3)
";

    /// If this fails because the first run sees both outcomes, loom has been repaired and the beacons can go.
    #[test]
    fn without_a_beacon_loom_misses_what_a_lockless_reader_may_see() {
        let program = Program::parse(LOCKED_WRITER).unwrap();
        let outcomes = |beacons| program.explore(&beacons, false).1.into_keys().collect::<Vec<_>>();
        assert_eq!(outcomes(BTreeSet::new()), ["0:r0=1;"]);
        assert_eq!(outcomes(BTreeSet::from([0])), ["0:r0=1;", "0:r0=3;"]);
        assert_eq!(program.run().unwrap().outcomes.len(), 2);
    }

    #[test]
    fn a_marked_access_and_a_plain_one_race_and_two_marked_ones_do_not() {
        let race = |from, to| Program::parse(&LOCKED_WRITER.replacen(from, to, 1)).unwrap().run().unwrap().race;
        assert_eq!(race("", ""), None);
        assert!(race("WRITE_ONCE(*map, r0 | 2)", "*map = 3").is_some());
        assert!(race("r0 = READ_ONCE(*map)", "r0 = *map").is_some());
        // The only process that stores may load plainly.
        assert_eq!(race("P1(int *map) { int r0; r0 = READ_ONCE(*map)", "P1(int *map) { int r0; r0 = *map"), None);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        let refused = |from, to| Program::parse(&LOCKED_WRITER.replacen(from, to, 1)).unwrap_err();
        assert!(refused("READ_ONCE(*map)", "xchg(map, 1)").starts_with("line 3: ("));
        assert!(refused("READ_ONCE(*map)", "READ_ONCE(map)").starts_with("line 3: map"));
        assert!(refused("exists", "forall").starts_with("line 5: forall"));
        assert!(refused("exists (0:r0=3)", "exists (0:r0=3").starts_with("line 5: the end"));
        assert!(refused("P1(", "P2(").starts_with("line 4: P2"));
        assert!(refused("int r0;", "while (1) { }").starts_with("line 3: ("));
    }
}

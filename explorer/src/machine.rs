//! [`Walkable`] for any [`Machine`]. No transition and no property lives here.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use checker::{Checker, Outcome, message_of};
use models::machine::{
    Expect, INDUCTIVE_INVARIANT, INDUCTIVE_INVARIANT_SAYS, Machine, NO_DEADLOCK, NO_DEADLOCK_SAYS, PropertyKind, Size,
    SizeError, Variant, invariant_of, keeps_invariant,
};
use models::stateright::Checked;
use reports::timeline::{Change, Event, Table, changes};

use crate::differences::{fields, switches};
use crate::fingerprint::fingerprint;
use crate::walkable::{
    Comparison, Differences, Found, FoundProperty, Graph, KindDifference, KindWords, Node, PropertyWords, SearchPlan,
    StepOption, StockState, Truth, Walk, WalkError, Walkable,
};

/// One variant of a machine at one size, to walk through.
pub fn walkable<M: Machine>(variant: &'static Variant<M::Config>, size: Size) -> Arc<dyn Walkable> {
    Arc::new(Bound::<M> { variant, size, machine: M::new(variant.config, size) })
}

struct Bound<M: Machine> {
    variant: &'static Variant<M::Config>,
    size: Size,
    machine: M,
}

/// Where in a run a question is asked, so that a panic can be told with its step.
struct Place {
    position: usize,
    step: Option<String>,
}

impl Place {
    const START: Self = Self { position: 0, step: None };

    fn ask<T>(&self, during: &'static str, question: impl FnOnce() -> T) -> Result<T, WalkError> {
        catch(question).map_err(|message| WalkError::Panicked {
            position: self.position,
            step: self.step.clone(),
            during,
            message,
        })
    }
}

/// Asks the model something; a panic becomes its message.
fn catch<T>(question: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(question)).map_err(|payload| message_of(&*payload))
}

/// A run: the states with the steps between them.
struct Run<M: Machine> {
    states: Vec<M::State>,
    steps: Vec<M::Step>,
}

impl<M: Machine> Run<M> {
    fn last(&self) -> &M::State {
        self.states.last().expect("a run has an initial state")
    }
}

impl<M: Machine> Bound<M> {
    fn has_invariant(&self) -> bool {
        invariant_of(&self.machine).is_some()
    }

    fn place(&self, position: usize, step: M::Step) -> Place {
        let name = catch(|| M::KINDS[self.machine.kind(step)].name).unwrap_or("a step of unknown kind");
        Place { position, step: Some(format!("{name}: {step:?}")) }
    }

    fn initial_states(&self) -> Result<Vec<M::State>, WalkError> {
        Place::START.ask("listing its initial states", || self.machine.initial_states())
    }

    fn proposals(&self, place: &Place, state: &M::State) -> Result<Vec<M::Step>, WalkError> {
        place.ask("listing the steps of the state", || {
            let mut out = Vec::new();
            self.machine.steps(state, &mut out);
            out
        })
    }

    fn run(&self, address: &[usize]) -> Result<Run<M>, WalkError> {
        let initial = self.initial_states()?;
        let start = address.first().copied().unwrap_or(0);
        let count = initial.len();
        let state = *initial.get(start).ok_or(WalkError::NoSuchStart { index: start, count })?;
        let mut run = Run::<M> { states: vec![state], steps: Vec::new() };
        let mut place = Place::START;
        for (number, &index) in address.iter().skip(1).enumerate() {
            let position = number + 1;
            let proposals = self.proposals(&place, run.last())?;
            let count = proposals.len();
            let step = *proposals.get(index).ok_or(WalkError::NoSuchStep { position, index, count })?;
            place = self.place(position, step);
            let next = place.ask("taking the step", || self.machine.step(run.last(), step))?;
            let Some(next) = next else {
                return Err(WalkError::Impossible { position, step: place.step.unwrap_or_default() });
            };
            run.steps.push(step);
            run.states.push(next);
        }
        Ok(run)
    }

    fn tables(&self, place: &Place, state: &M::State) -> Result<Vec<Table>, WalkError> {
        place.ask("showing the state", || tables(&self.machine, state))
    }

    /// Whether each predicate is true in this state, `inductive-invariant` (if there is one) and `no-deadlock` last.
    fn truths(&self, place: &Place, state: &M::State) -> Result<Vec<Truth>, WalkError> {
        let mut all: Vec<Truth> = M::PROPERTIES.iter().map(|p| truth(|| (p.holds)(&self.machine, state))).collect();
        all.extend(self.has_invariant().then(|| truth(|| keeps_invariant(&self.machine, state) == Some(true))));
        let stuck = self.is_stuck(place, state)?;
        all.push(truth(|| !stuck || self.machine.is_final(state)));
        Ok(all)
    }

    fn is_stuck(&self, place: &Place, state: &M::State) -> Result<bool, WalkError> {
        let proposals = self.proposals(place, state)?;
        // A step that panics is no reason to call the state stuck.
        Ok(!proposals.iter().any(|step| catch(|| self.machine.step(state, *step)).map_or(true, |next| next.is_some())))
    }

    fn broken(&self, place: &Place, state: &M::State) -> Result<Vec<&'static str>, WalkError> {
        let truths = self.truths(place, state)?;
        let invariant = self.has_invariant().then_some(INDUCTIVE_INVARIANT);
        let added = invariant.into_iter().chain([NO_DEADLOCK]).map(|name| (name, PropertyKind::Always));
        let claims = M::PROPERTIES.iter().map(|p| (p.name, p.kind)).chain(added);
        let broken =
            claims.zip(truths).filter(|((_, kind), truth)| *kind == PropertyKind::Always && *truth != Truth::True);
        Ok(broken.map(|((name, _), _)| name).collect())
    }

    fn event(&self, place: &Place, before: &M::State, step: M::Step, changes: Vec<Change>) -> Result<Event, WalkError> {
        place.ask("describing the step", || event(&self.machine, before, step, changes))
    }

    fn shown(&self, address: &[usize], run: &Run<M>) -> Result<Walk, WalkError> {
        let start = self.tables(&Place::START, &run.states[0])?;
        let mut broken_at = vec![self.broken(&Place::START, &run.states[0])?];
        let mut events = Vec::with_capacity(run.steps.len());
        let mut tables = start.clone();
        let mut place = Place::START;
        for (number, &step) in run.steps.iter().enumerate() {
            place = self.place(number + 1, step);
            let after = self.tables(&place, &run.states[number + 1])?;
            events.push(self.event(&place, &run.states[number], step, changes(&tables, &after))?);
            broken_at.push(self.broken(&place, &run.states[number + 1])?);
            tables = after;
        }
        let state = run.last();
        Ok(Walk {
            address: if address.is_empty() { vec![0] } else { address.to_vec() },
            initial_states: self.initial_states()?.len(),
            start,
            events,
            broken_at,
            tables,
            properties: self.truths(&place, state)?,
            options: self.options(&place, run)?,
            is_final: place.ask("deciding whether a run may end here", || self.machine.is_final(state))?,
            debug: format!("{state:#?}"),
        })
    }

    fn options(&self, place: &Place, run: &Run<M>) -> Result<Vec<StepOption>, WalkError> {
        let state = run.last();
        let mut options = Vec::new();
        for (index, step) in self.proposals(place, state)?.into_iter().enumerate() {
            let here = self.place(run.steps.len() + 1, step);
            let next = catch(|| self.machine.step(state, step));
            if next == Ok(None) {
                continue;
            }
            let told = self.event(&here, state, step, Vec::new());
            let kind = catch(|| &M::KINDS[self.machine.kind(step)]).ok();
            let (lane, text) = told.map_or_else(|_| (0, format!("{step:?}")), |event| (event.lane, event.text));
            let mut option = StepOption {
                index,
                lane,
                kind: kind.map_or("?", |kind| kind.name),
                text,
                source: kind.map_or("", |kind| kind.source),
                breaks: Vec::new(),
                returns_to: None,
                panics: None,
            };
            match next {
                Ok(Some(next)) => match self.broken(&here, &next) {
                    Ok(broken) => {
                        option.breaks = broken;
                        option.returns_to = run.states.iter().position(|known| *known == next);
                    }
                    Err(error) => option.panics = Some(error.to_string()),
                },
                Ok(None) => unreachable!("passed over above"),
                Err(message) => option.panics = Some(message),
            }
            options.push(option);
        }
        Ok(options)
    }

    /// Possible steps with their numbers and the states they lead to; steps that panic are passed over.
    #[expect(clippy::type_complexity, reason = "index, step and state, said once")]
    fn successors(&self, state: &M::State) -> Result<Vec<(usize, M::Step, M::State)>, WalkError> {
        let proposals = self.proposals(&Place::START, state)?.into_iter().enumerate();
        let taken = proposals.filter_map(|(index, step)| {
            let next = catch(|| self.machine.step(state, step)).ok().flatten()?;
            Some((index, step, next))
        });
        Ok(taken.collect())
    }

    /// States breadth first from `roots`, at most `limit`, with steps among them.
    fn explore(&self, roots: &[(Vec<usize>, M::State)], limit: usize) -> Result<Explored<M>, WalkError> {
        let mut found = Explored { all: true, states: Vec::new(), edges: Vec::new(), ids: HashMap::new() };
        for (address, state) in roots {
            found.add(address.clone(), *state, 0);
        }
        let mut queue: VecDeque<usize> = (0..found.states.len()).collect();
        while let Some(id) = queue.pop_front() {
            let (address, state, depth) = found.states[id].clone();
            for (index, step, next) in self.successors(&state)? {
                let kind = M::KINDS[self.machine.kind(step)].name;
                let to = match found.ids.get(&next) {
                    Some(to) => *to,
                    None if found.states.len() >= limit => {
                        found.all = false;
                        continue;
                    }
                    None => {
                        let mut longer = address.clone();
                        longer.push(index);
                        let to = found.add(longer, next, depth + 1);
                        queue.push_back(to);
                        to
                    }
                };
                found.edges.push((id, to, kind));
            }
            if !found.all && found.states.len() > SMALL_GRAPH {
                break;
            }
        }
        Ok(found)
    }

    fn counterexample(&self, found: &Explored<M>, nodes: &[Node]) -> Vec<usize> {
        let Some(end) = nodes.iter().find(|node| !node.broken.is_empty()) else { return Vec::new() };
        let prefixes = (1..=end.address.len()).map(|length| &end.address[..length]);
        prefixes.filter_map(|prefix| found.states.iter().position(|(address, _, _)| address == prefix)).collect()
    }
}

/// Below this number of states a graph is finished even if it has hit its limit, to have all its steps.
const SMALL_GRAPH: usize = 200;

fn truth(question: impl FnOnce() -> bool) -> Truth {
    match catch(question) {
        Ok(true) => Truth::True,
        Ok(false) => Truth::False,
        Err(message) => Truth::Panicked(message),
    }
}

/// The states of a bounded search.
struct Explored<M: Machine> {
    all: bool,
    states: Vec<(Vec<usize>, M::State, usize)>,
    edges: Vec<(usize, usize, &'static str)>,
    ids: HashMap<M::State, usize>,
}

/// The exact engine, told all that a machine can tell it.
pub fn checker_of<M: Machine>(model: &Checked<M>) -> Checker<'_, Checked<M>> {
    Checker::new(model)
        .final_states(|model, state| model.0.is_final(state))
        .step_kinds(M::KINDS.len(), |model, step| model.0.kind(*step))
        .in_place(|model, state, step| model.0.step_in_place(state, step))
}

/// A state as tables, one for each panel of its machine.
pub fn tables<M: Machine>(machine: &M, state: &M::State) -> Vec<Table> {
    let panels = machine.view(state).into_iter();
    panels.map(|panel| Table { title: panel.title, lane: panel.lane, rows: panel.rows }).collect()
}

/// A step in words, with the rows that it changed.
pub fn event<M: Machine>(machine: &M, before: &M::State, step: M::Step, changes: Vec<Change>) -> Event {
    let kind = &M::KINDS[machine.kind(step)];
    Event {
        lane: machine.lane(before, step),
        kind: kind.name.to_string(),
        text: machine.describe(before, step),
        source: kind.source.to_string(),
        changes,
    }
}

impl<M: Machine> Explored<M> {
    fn add(&mut self, address: Vec<usize>, state: M::State, depth: usize) -> usize {
        let next = self.states.len();
        let id = *self.ids.entry(state).or_insert(next);
        if id == next {
            self.states.push((address, state, depth));
        }
        id
    }
}

impl<M: Machine> Walkable for Bound<M> {
    fn mechanism(&self) -> &'static str {
        M::MECHANISM
    }
    fn name(&self) -> &'static str {
        self.variant.name
    }
    fn what(&self) -> &'static str {
        self.variant.what
    }
    fn origin(&self) -> &'static str {
        self.variant.origin
    }
    fn compare_with(&self) -> &'static str {
        self.variant.compare_with
    }
    fn expect(&self) -> Expect {
        self.variant.expect
    }
    fn size(&self) -> String {
        self.size.written(M::PARAMETERS)
    }
    fn quick_size(&self) -> String {
        Size::quick(M::PARAMETERS, self.variant).written(M::PARAMETERS)
    }
    fn at_size(&self, size: &str) -> Result<Arc<dyn Walkable>, String> {
        let mut wanted = Size::quick(M::PARAMETERS, self.variant);
        for item in size.split(',').filter(|item| !item.is_empty()) {
            let pair = item.split_once('=').and_then(|(name, value)| Some((name, value.parse::<u64>().ok()?)));
            let Some((name, value)) = pair else {
                return Err(format!("a size is written like {}", self.quick_size()));
            };
            // The name is not repeated in the answer: it may be anything.
            wanted = wanted.with(M::PARAMETERS, name, value).map_err(|error| match error {
                SizeError::UnknownParameter { known, .. } => {
                    format!("a size names no other parameters than {}", known.join(", "))
                }
                SizeError::OutOfRange { .. } => error.to_string(),
            })?;
        }
        let variant = self.variant;
        let machine = catch(|| M::new(variant.config, wanted))?;
        Ok(Arc::new(Self { variant, size: wanted, machine }))
    }
    fn lanes(&self) -> Result<Vec<String>, WalkError> {
        Place::START.ask("naming its lanes", || self.machine.lanes())
    }
    fn properties(&self) -> Vec<PropertyWords> {
        let stated = M::PROPERTIES.iter().map(|p| PropertyWords {
            name: p.name,
            witness: p.kind == PropertyKind::Sometimes,
            says: p.says,
            stated_at: format!("{}:{}", p.stated_at.file(), p.stated_at.line()),
        });
        let added = |name, says, stated_at| PropertyWords { name, witness: false, says, stated_at };
        let invariant = invariant_of(&self.machine).map(|invariant| {
            let at = format!("{}:{}", invariant.stated_at.file(), invariant.stated_at.line());
            added(INDUCTIVE_INVARIANT, INDUCTIVE_INVARIANT_SAYS, at)
        });
        stated.chain(invariant).chain([added(NO_DEADLOCK, NO_DEADLOCK_SAYS, "every machine".to_string())]).collect()
    }
    fn kinds(&self) -> Vec<KindWords> {
        let kinds = M::KINDS.iter().enumerate().map(|(index, kind)| KindWords {
            name: kind.name,
            says: kind.says,
            source: kind.source,
            used: catch(|| self.machine.kind_is_used(index)).unwrap_or(true),
        });
        kinds.collect()
    }
    fn config(&self) -> Vec<(String, String)> {
        fields(&format!("{:#?}", self.variant.config))
    }

    fn walk(&self, address: &[usize]) -> Result<Walk, WalkError> {
        let run = self.run(address)?;
        self.shown(address, &run)
    }

    fn random(&self, seed: u64, length: usize) -> Result<Vec<usize>, WalkError> {
        let initial = self.initial_states()?;
        let mut generator = SplitMix(seed);
        let start = generator.below(initial.len());
        let mut address = vec![start];
        let mut state = initial[start];
        for _ in 0..length {
            let options = self.successors(&state)?;
            if options.is_empty() || !self.broken(&Place::START, &state)?.is_empty() {
                break;
            }
            let (index, _, next) = options[generator.below(options.len())];
            address.push(index);
            state = next;
        }
        Ok(address)
    }

    fn compare(&self, address: &[usize], other: &dyn Walkable) -> Result<Option<Comparison>, WalkError> {
        let Some(other) = other.as_any().downcast_ref::<Self>() else { return Ok(None) };
        let other = Self { variant: other.variant, size: self.size, machine: M::new(other.variant.config, self.size) };
        let left = self.run(address)?;
        let start = address.first().copied().unwrap_or(0);
        let mut right = other.run(&[start])?;
        let mut right_address = vec![start];
        for &step in &left.steps {
            let place = other.place(right.steps.len() + 1, step);
            let proposals = other.proposals(&place, right.last())?;
            let Some(index) = proposals.iter().position(|known| *known == step) else { break };
            let Some(next) = place.ask("taking the step", || other.machine.step(right.last(), step))? else { break };
            right.steps.push(step);
            right.states.push(next);
            right_address.push(index);
        }
        let differ = left.states.iter().zip(&right.states).position(|(left, right)| left != right);
        Ok(Some(Comparison {
            followed: right.steps.len(),
            states_differ_at: differ,
            left: self.shown(address, &left)?,
            right: other.shown(&right_address, &right)?,
        }))
    }

    fn differences(&self, other: &dyn Walkable, states: usize) -> Result<Option<Differences>, WalkError> {
        let Some(other) = other.as_any().downcast_ref::<Self>() else { return Ok(None) };
        let there = Self { variant: other.variant, size: self.size, machine: M::new(other.variant.config, self.size) };
        let initial = self.initial_states()?.into_iter().enumerate();
        let roots: Vec<_> = initial.map(|(index, state)| (vec![index], state)).collect();
        let found = self.explore(&roots, states)?;
        let mut kinds: Vec<KindDifference> = Vec::new();
        for (address, state, _) in &found.states {
            let mine = self.successors(state)?;
            // A state of this variant may be none of the other's, and its model may not know it.
            let Ok(theirs) = there.successors(state) else { continue };
            let mut note = |step: M::Step, count: fn(&mut KindDifference) -> &mut usize| {
                let kind = M::KINDS[self.machine.kind(step)].name;
                let known = kinds.iter().position(|k| k.kind == kind).unwrap_or_else(|| {
                    let first = address.clone();
                    kinds.push(KindDifference { kind, only_here: 0, only_there: 0, other_result: 0, first });
                    kinds.len() - 1
                });
                *count(&mut kinds[known]) += 1;
            };
            for (_, step, next) in &mine {
                match theirs.iter().find(|(_, other, _)| other == step) {
                    None => note(*step, |k| &mut k.only_here),
                    Some((_, _, other)) if other != next => note(*step, |k| &mut k.other_result),
                    Some(_) => {}
                }
            }
            for (_, step, _) in theirs.iter().filter(|(_, step, _)| !mine.iter().any(|(_, other, _)| other == step)) {
                note(*step, |k| &mut k.only_there);
            }
        }
        let switches = switches(&self.config(), &there.config());
        Ok(Some(Differences { switches, kinds, states: found.states.len(), all: found.all }))
    }

    fn graph(&self, address: &[usize], all: usize, near: usize) -> Result<Graph, WalkError> {
        let run = self.run(address)?;
        let initial = self.initial_states()?.into_iter().enumerate();
        let roots: Vec<_> = initial.map(|(index, state)| (vec![index], state)).collect();
        let mut found = self.explore(&roots, all)?;
        let complete = found.all;
        if !complete {
            let whole = if address.is_empty() { &[0][..] } else { address };
            found = self.explore(&[(whole.to_vec(), *run.last())], near)?;
            found.all = false;
            self.add_trail(&mut found, whole, &run);
        }
        let mut nodes = Vec::with_capacity(found.states.len());
        for (address, state, depth) in &found.states {
            nodes.push(Node {
                address: address.clone(),
                depth: *depth,
                broken: self.broken(&Place::START, state)?,
                is_final: catch(|| self.machine.is_final(state)).unwrap_or(false),
            });
        }
        let counterexample = if complete { self.counterexample(&found, &nodes) } else { Vec::new() };
        let trail = run.states.iter().filter_map(|state| found.ids.get(state).copied()).collect();
        let current = found.ids.get(run.last()).copied().unwrap_or(0);
        Ok(Graph { all: complete, nodes, edges: found.edges, current, trail, counterexample })
    }

    fn stock_states(&self, address: &[usize]) -> Result<Vec<StockState>, WalkError> {
        if address.is_empty() {
            let initial = self.initial_states()?.into_iter().enumerate();
            return Ok(initial.map(|(index, state)| stock(index, None, None, Some(&state))).collect());
        }
        let run = self.run(address)?;
        let place = Place::START;
        let mut answer = Vec::new();
        for (index, step) in self.proposals(&place, run.last())?.into_iter().enumerate() {
            let here = self.place(run.steps.len() + 1, step);
            let next = here.ask("taking the step", || self.machine.step(run.last(), step))?;
            let words = here.ask("describing the step", || self.machine.describe(run.last(), step))?;
            let outcome = next.map(|next| format!("{words}\n{next:#?}"));
            answer.push(stock(index, Some(format!("{step:?}")), outcome, next.as_ref()));
        }
        Ok(answer)
    }

    fn search(&self, plan: &SearchPlan) -> Result<Found, String> {
        let model = Checked(self.machine.clone());
        let checker = checker_of(&model)
            .threads(plan.threads)
            .max_memory(plan.memory)
            .timeout(plan.timeout)
            .stop_when(plan.stop.clone())
            .progress(plan.progress.clone());
        let report = checker.run().map_err(|error| {
            let step = error.path().and_then(|path| path.actions().last());
            let step = step
                .map_or(String::new(), |step| format!(" (after {})", self.place(0, *step).step.unwrap_or_default()));
            format!("{error}{step}")
        })?;
        let deadlock = report.deadlock.as_ref().expect("the final states were given");
        let outcomes = report.properties.iter().map(|p| (p.name, &p.outcome)).chain([(NO_DEADLOCK, deadlock)]);
        let properties = outcomes.map(|(name, outcome)| self.found(name, outcome)).collect();
        let kinds = M::KINDS.iter().map(|kind| kind.name).zip(report.steps_by_kind.iter().copied());
        Ok(Found {
            properties,
            counted: "states",
            states: report.states,
            transitions: report.transitions,
            depth: report.depth,
            steps_by_kind: kinds.collect(),
            limit: report.limit.map(|limit| limit.to_string()),
            seconds: report.elapsed.as_secs_f64(),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

type PathOf<M> = checker::Path<<M as Machine>::State, <M as Machine>::Step>;

impl<M: Machine> Bound<M> {
    fn found(&self, name: &'static str, outcome: &Outcome<M::State, M::Step>) -> FoundProperty {
        let path = outcome.path();
        let verdict = if matches!(outcome, Outcome::Unsupported(_)) { "UNDECIDED" } else { outcome.verdict() };
        FoundProperty { name, verdict, address: path.and_then(|path| self.address_of(path)), numbers: None }
    }

    /// A run found by the engine as an address.
    fn address_of(&self, path: &PathOf<M>) -> Option<Vec<usize>> {
        let mut address = vec![self.machine.initial_states().iter().position(|state| *state == path.init)?];
        let mut state = path.init;
        for (step, next) in &path.steps {
            let proposals = self.proposals(&Place::START, &state).ok()?;
            address.push(proposals.iter().position(|known| known == step)?);
            state = *next;
        }
        Some(address)
    }

    /// Puts the last states before the current one into a neighbourhood.
    fn add_trail(&self, found: &mut Explored<M>, address: &[usize], run: &Run<M>) {
        for position in (run.states.len().saturating_sub(TRAIL_SHOWN + 1)..run.states.len().saturating_sub(1)).rev() {
            let id = found.add(address[..=position].to_vec(), run.states[position], 0);
            let to = found.ids[&run.states[position + 1]];
            let kind = M::KINDS[self.machine.kind(run.steps[position])].name;
            if !found.edges.contains(&(id, to, kind)) {
                found.edges.push((id, to, kind));
            }
        }
    }
}

/// How many states before the current one a neighbourhood shows.
const TRAIL_SHOWN: usize = 4;

fn stock<S: Copy + Eq + std::fmt::Debug + std::hash::Hash>(
    action_index: usize,
    action: Option<String>,
    outcome: Option<String>,
    state: Option<&S>,
) -> StockState {
    StockState {
        action,
        outcome,
        state: state.map(|state| format!("{state:#?}")),
        fingerprint: state.map(|state| fingerprint(state)),
        properties: Vec::new(),
        action_index,
    }
}

/// The generator of random walks: small, and the same on every machine, so that a seed can be shared.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).expect("below a usize")
    }
}

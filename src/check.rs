//! `kverdict check`: asks every selected question and prints what comes out.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use reports::results::{EngineState, MechanismRecord, NotRun, Run, SCHEMA, Shard, Summary, VERSION, VariantRecord};

use crate::ask::{self, Answer};
use crate::catalogue::{CATALOGUE, Selection, variant_names};
use crate::cli::{CheckArgs, Format, SearchArgs};
use crate::engine::Engine;
use crate::enumeration;
use crate::environment;
use crate::failure::{Failure, Status};
use crate::litmus;
use crate::question::{Question, StateSearch};
use crate::random_tests;
use crate::size::SizeRequest;
use crate::table;
use crate::weak_memory;
use subjects::{Plan, Subject};

/// Runs the command.
///
/// # Errors
/// Wrong usage, nothing selected, or the output could not be written.
pub fn run(args: &CheckArgs, stop: &Arc<AtomicBool>) -> Result<Status, Failure> {
    let selected = select(args)?;
    let (run, broke_down) = ask_all(args, selected, stop)?;
    if let Some(file) = &args.results {
        write_whole(file, run.to_json().as_bytes())?;
    }
    if args.format == Format::Json {
        anstream::stdout().write_all(run.to_json().as_bytes())?;
    }
    // What was found before is written by now.
    broke_down.map_or_else(|| Ok(status(&run, args)), Err)
}

/// The plan that the arguments describe.
pub fn plan(args: &SearchArgs, stop: &Arc<AtomicBool>) -> Plan {
    Plan {
        threads: args.threads.map_or_else(environment::available_threads, usize::from),
        timeout: args.timeout,
        memory: args.memory,
        symmetry: args.symmetry,
        stop: Arc::clone(stop),
        progress: Arc::new(checker::Progress::default()),
    }
}

/// What is to be asked, and which engines cannot be.
struct Selected {
    questions: Vec<Box<dyn Question>>,
    cannot_run: Vec<(Engine, NotRun)>,
}

/// The questions that the arguments select: mechanism by mechanism, each in the order of its catalogue.
fn select(args: &CheckArgs) -> Result<Selected, Failure> {
    let engines = wanted_engines(args);
    let mut known = variant_names();
    known.extend(litmus::names());
    known.extend(weak_memory::names());
    known.extend(random_tests::names());
    let selection = Selection::parse(&args.targets, &known)?;

    let mut questions = state_searches(args, &engines, &selection)?;
    let mut cannot_run = Vec::new();
    if args.search.symmetry && engines.contains(&Engine::Stateright) {
        // Only its depth-first search would know it.
        let reason = "its breadth-first search ignores symmetry in silence".to_string();
        cannot_run.push((Engine::Stateright, NotRun { reason, how_to_run: "leave out --symmetry".to_string() }));
    }
    if engines.contains(&Engine::Enumerate) {
        questions.extend(enumeration::questions());
    }
    if engines.contains(&Engine::Loom) {
        questions.extend(weak_memory::questions());
    }
    if engines.contains(&Engine::Proptest) {
        questions.extend(random_tests::questions(args.cases, args.seed));
    }
    if engines.contains(&Engine::Lkmm) {
        match litmus::questions(args.kernel_tree.as_deref())? {
            Ok(found) => questions.extend(found),
            Err(why) => cannot_run.push((Engine::Lkmm, why)),
        }
    }
    questions.retain(|q| {
        let names = std::iter::once(q.variant()).chain(q.also_about());
        names.into_iter().any(|name| selection.includes(q.mechanism(), name))
    });
    questions.sort_by_key(|q| CATALOGUE.iter().position(|m| m.name == q.mechanism()));

    if let Some((index, of)) = args.shard {
        let mine = |position: usize| position % of as usize == index as usize - 1;
        let numbered = questions.into_iter().enumerate();
        questions = numbered.filter(|(position, _)| mine(*position)).map(|(_, question)| question).collect();
    }
    if questions.is_empty() && cannot_run.is_empty() {
        return Err(Failure::nothing("nothing was selected: no verdict of these engines in this part"));
    }
    Ok(Selected { questions, cannot_run })
}

fn state_searches(
    args: &CheckArgs,
    engines: &[Engine],
    selection: &Selection,
) -> Result<Vec<Box<dyn Question>>, Failure> {
    let request = SizeRequest::parse(args.search.size.as_deref())?;
    let subjects = CATALOGUE.iter().flat_map(|m| m.subjects.iter().map(Box::as_ref));
    let chosen: Vec<&'static dyn Subject> = subjects.filter(|s| selection.includes(s.mechanism(), s.name())).collect();
    request.check_names(chosen.iter().copied())?;
    if args.search.symmetry && !chosen.iter().any(|s| s.has_symmetry()) {
        return Err(Failure::usage("--symmetry: none of the selected variants has interchangeable parts"));
    }
    let mut questions: Vec<Box<dyn Question>> = Vec::new();
    for subject in chosen {
        let size = request.for_subject(subject)?;
        for engine in [Engine::Exact, Engine::Stateright] {
            let possible = engine == Engine::Exact || !args.search.symmetry;
            if engines.contains(&engine) && possible {
                questions.push(Box::new(StateSearch { subject, engine, size }));
            }
        }
    }
    Ok(questions)
}

fn wanted_engines(args: &CheckArgs) -> Vec<Engine> {
    if args.engine.is_empty() { Engine::ALL.to_vec() } else { args.engine.clone() }
}

/// The answers, and why there are no more of them if an engine broke down.
fn ask_all(args: &CheckArgs, selected: Selected, stop: &Arc<AtomicBool>) -> Result<(Run, Option<Failure>), Failure> {
    let Selected { questions, cannot_run } = selected;
    let (started, clock) = (SystemTime::now(), Instant::now());
    let mut printer = table::Printer::new(args.format == Format::Text);
    let mut records: Vec<VariantRecord> = Vec::new();
    let mut left_out = Vec::new();
    let mut broke_down = None;
    ask::ask_all(&questions, &plan(&args.search, stop), |number, answer, progress| {
        let question = &questions[number];
        let name = || format!("{}/{} ({})", question.mechanism(), question.variant(), question.engine().name());
        match answer {
            Answer::Record(record) => {
                progress.answered(|| printer.record(&record))?;
                records.push(*record);
            }
            Answer::BrokeDown(why) => {
                broke_down.get_or_insert(Failure::usage(format!("{} broke down: {why}", name())));
                left_out.push(name());
            }
            Answer::NotAsked => left_out.push(name()),
        }
        Ok(())
    })?;

    let run = Run {
        shard: args.shard.map(|(index, of)| Shard { index, of }),
        interrupted: stop.load(Ordering::Relaxed) || broke_down.is_some(),
        ..document(started, clock, engine_states(args, &cannot_run), records)
    };
    printer.summary(&run, &left_out)?;
    Ok((run, broke_down))
}

/// The document about these verdicts, with the program, the machine and the command line.
pub fn document(started: SystemTime, clock: Instant, engines: Vec<EngineState>, verdicts: Vec<VariantRecord>) -> Run {
    Run {
        schema: SCHEMA.to_string(),
        version: VERSION,
        checksum: String::new(),
        tool: environment::tool(),
        machine: environment::machine(),
        command: command_line(),
        started: humantime::format_rfc3339_seconds(started).to_string(),
        seconds: crate::question::rounded(clock.elapsed()),
        shard: None,
        parts: Vec::new(),
        interrupted: false,
        engines,
        mechanisms: mechanism_records(&verdicts),
        summary: Summary::of(&verdicts),
        verdicts,
    }
}

fn status(run: &Run, args: &CheckArgs) -> Status {
    let missing_but_required = args.require.iter().any(|engine| {
        let state = run.engines.iter().find(|state| state.name == engine.name());
        state.is_none_or(|state| state.not_run.is_some())
    });
    match run.summary {
        _ if run.interrupted => Status::Interrupted,
        Summary { not_as_expected: 1.., .. } => Status::NotAsExpected,
        _ if missing_but_required => Status::Usage,
        Summary { undecided: 1.., .. } => Status::Undecided,
        _ => Status::AsExpected,
    }
}

fn engine_states(args: &CheckArgs, cannot_run: &[(Engine, NotRun)]) -> Vec<EngineState> {
    let wanted = wanted_engines(args);
    let mut engines: Vec<Engine> = wanted.iter().chain(&args.require).copied().collect();
    engines.sort();
    engines.dedup();
    let state = |engine: Engine| {
        let not_selected =
            || NotRun { reason: "not selected".to_string(), how_to_run: format!("--engine {}", engine.name()) };
        let missing = cannot_run.iter().find(|(e, _)| *e == engine).map(|(_, why)| why.clone());
        EngineState {
            name: engine.name().to_string(),
            version: engine.version().map(str::to_string),
            not_run: missing.or_else(|| (!wanted.contains(&engine)).then(not_selected)),
        }
    };
    engines.into_iter().map(state).collect()
}

fn mechanism_records(records: &[VariantRecord]) -> Vec<MechanismRecord> {
    let chosen = CATALOGUE.iter().filter(|m| records.iter().any(|record| record.mechanism == m.name));
    let record = |m: &crate::catalogue::Mechanism| MechanismRecord {
        name: m.name.to_string(),
        title: m.title.to_string(),
        question: m.question.to_string(),
        source: m.source.to_string(),
        assumptions: m.assumptions.clone(),
    };
    chosen.map(record).collect()
}

fn command_line() -> Vec<String> {
    let mut words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = words.first_mut() {
        *program = "kverdict".to_string();
    }
    words
}

/// Writes a file so that it is there whole or not at all.
pub fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_together(&[(file.to_path_buf(), bytes)])
}

/// Writes files so that each is there whole or not at all, and none is touched unless all can be written.
pub fn write_together(files: &[(PathBuf, &[u8])]) -> Result<(), Failure> {
    let failure =
        |file: &Path, error: std::io::Error| Failure::usage(format!("cannot write {}: {error}", file.display()));
    let mut ready = Vec::new();
    for (file, bytes) in files {
        ready.push((file, temporary(file, bytes).map_err(|error| failure(file, error))?));
    }
    for (file, temporary) in ready {
        temporary.persist(file).map_err(|error| failure(file, error.error))?;
    }
    Ok(())
}

/// A file beside `file` with this content.
fn temporary(file: &Path, bytes: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // Readable for everybody that the user's mask lets read, as any other file.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

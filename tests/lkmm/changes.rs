//! One-line changes to litmus tests: what a slip of the hand would do to the code that they stand for.
//!
//! A change is named by process, kind and statement, such as `P0 weaken smp_store_release(ldt, new)`; where a
//! process has the same statement twice, the second has ` (2)` behind it. Asterisks are left out, for in the comment
//! that the header is, one after a parenthesis would open another comment. The kinds:
//!
//! - `weaken`: a release becomes `WRITE_ONCE()`, an acquire `READ_ONCE()`, an ordered atomic a relaxed one;
//! - `plain`: `READ_ONCE()`, `WRITE_ONCE()` or `rcu_dereference()` becomes a plain access;
//! - `split`: an atomic read-modify-write becomes a load and a store;
//! - `drop`: a barrier or grace period is left out, or a lock and its unlock, or `rcu_read_lock()` and its unlock;
//! - `forget`: a store is left out;
//! - `raise`, `lower`: a statement that orders (a lock, an unlock, a barrier, a release, an acquire, an atomic) changes
//!   places with the statement, or the branch, before or after it, where no register is used before it has its value.
//!   What makes a section between lock and unlock longer is left out: it orders more, never less.
//!
//! An `Indifferent` line names one change, or a statement without a kind: all changes to that statement
//! but leaving it out.

use std::collections::HashMap;

/// A changed test.
pub(super) struct Change {
    /// The process and the statement: `P0 smp_store_release(ldt, new)`.
    statement: String,
    kind: &'static str,
    /// The whole file with the change made.
    pub(super) text: String,
}

impl Change {
    /// The whole name: `P0 weaken smp_store_release(ldt, new)`.
    pub(super) fn id(&self) -> String {
        self.statement.replacen(' ', &format!(" {} ", self.kind), 1)
    }

    /// Whether an `Indifferent` line that names `change` means this one.
    pub(super) fn is_named(&self, change: &str) -> bool {
        (change == self.statement && self.kind != "forget") || change == self.id()
    }
}

/// A statement, or a branch with what it guards: the lines `first..=last` of the file.
struct Item {
    first: usize,
    last: usize,
}

/// Every change that applies to the file `text`.
pub(super) fn changes(text: &str) -> Vec<Change> {
    let lines: Vec<&str> = text.lines().collect();
    let mut changes = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut process = None;
    for (number, line) in lines.iter().enumerate() {
        if let Some(name) = process_name(line) {
            process = Some(name);
        } else if *line == "}" || line.starts_with("exists") {
            process = None;
        }
        let Some(process) = process else { continue };
        let statement = format!("{process} {}", line.trim().trim_end_matches(';').replace('*', ""));
        let count = seen.entry(statement.clone()).and_modify(|count| *count += 1).or_insert(1);
        let statement = if *count == 1 { statement } else { format!("{statement} ({count})") };
        changes.extend(changes_of_line(&lines, number).into_iter().map(|(kind, new)| {
            let text = new.join("\n") + "\n";
            Change { statement: statement.clone(), kind, text }
        }));
    }
    changes
}

/// The changes to the statement on one line: each a kind, and the lines of the changed file.
fn changes_of_line(lines: &[&str], number: usize) -> Vec<(&'static str, Vec<String>)> {
    let line = lines[number];
    let mut found: Vec<_> =
        replacements(line).into_iter().map(|(kind, new)| (kind, with_line(lines, number, &new))).collect();
    if let Some(unlock) = partner(lines, number) {
        found.push(("drop", without(lines, &[number, unlock])));
    }
    if is_fence(line) {
        found.push(("drop", without(lines, &[number])));
    }
    if is_store(line) {
        // herd7 wants something in every block.
        found.push(("forget", with_line(lines, number, "int r9 = 0;")));
    }
    if orders(line) {
        let this = Item { first: number, last: number };
        if let Some(next) = item_at(lines, number + 1).filter(|next| !is_unlock(line) && may_swap(lines, &this, next)) {
            found.push(("lower", swapped(lines, &this, &next)));
        }
        if let Some(last) = item_before(lines, number).filter(|last| !is_lock(line) && may_swap(lines, last, &this)) {
            found.push(("raise", swapped(lines, &last, &this)));
        }
    }
    found
}

fn process_name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('(')?;
    let digits = name.strip_prefix('P')?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// The lines that `line` may be replaced with.
fn replacements(line: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut replace = |kind, new: Option<String>| found.extend(new.map(|new| (kind, new)));
    replace(
        "weaken",
        call(line, "smp_store_release").map(|(before, args, after)| format!("{before}WRITE_ONCE(*{args}){after}")),
    );
    replace(
        "weaken",
        call(line, "rcu_assign_pointer").map(|(before, args, after)| format!("{before}WRITE_ONCE({args}){after}")),
    );
    replace(
        "weaken",
        call(line, "smp_load_acquire").map(|(before, args, after)| format!("{before}READ_ONCE(*{args}){after}")),
    );
    for (ordered, relaxed) in [
        ("atomic_inc_return", "atomic_inc_return_relaxed"),
        ("atomic_dec_return", "atomic_dec_return_relaxed"),
        ("atomic_dec_return_acquire", "atomic_dec_return_relaxed"),
        ("atomic_dec_return_release", "atomic_dec_return_relaxed"),
    ] {
        replace("weaken", call(line, ordered).map(|(before, args, after)| format!("{before}{relaxed}({args}){after}")));
    }
    replace(
        "weaken",
        call(line, "atomic_dec_and_test")
            .map(|(before, args, after)| format!("{before}atomic_dec_return_relaxed({args}) == 0{after}")),
    );
    for load in ["READ_ONCE", "rcu_dereference"] {
        replace("plain", call(line, load).map(|(before, args, after)| format!("{before}{args}{after}")));
    }
    replace(
        "plain",
        call(line, "WRITE_ONCE").and_then(|(before, args, after)| {
            args.split_once(", ").map(|(place, value)| format!("{before}{place} = {value}{after}"))
        }),
    );
    replace("split", split(line));
    found
}

/// `line` as what is before a call of `function`, its arguments, and what is after it.
fn call<'a>(line: &'a str, function: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, rest) = line.split_once(&format!("{function}("))?;
    let mut depth = 1;
    for (position, byte) in rest.bytes().enumerate() {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        if depth == 0 {
            return Some((before, &rest[..position], &rest[position + 1..]));
        }
    }
    None
}

/// An atomic read-modify-write taken apart. The first line's indentation serves for the second as well.
fn split(line: &str) -> Option<String> {
    let indent = &line[..line.len() - line.trim_start().len()];
    for (name, sign) in [("atomic_inc", '+'), ("atomic_dec", '-')] {
        if let Some((_, place, _)) = call(line, name) {
            return Some(format!("{indent}int r9 = atomic_read({place}) {sign} 1;\n{indent}atomic_set({place}, r9);"));
        }
        for suffix in ["_return", "_return_relaxed", "_return_acquire", "_return_release"] {
            if let Some((before, place, _)) = call(line, &format!("{name}{suffix}")) {
                let register = before.trim().trim_end_matches(" =");
                return Some(format!(
                    "{indent}{register} = atomic_read({place}) {sign} 1;\n{indent}atomic_set({place}, {register});"
                ));
            }
        }
    }
    let (before, place, _) = call(line, "atomic_dec_and_test")?;
    Some(format!("{indent}int r9 = atomic_read({place}) - 1;\n{indent}atomic_set({place}, r9);\n{before}(r9 == 0);"))
}

fn is_fence(line: &str) -> bool {
    ["smp_mb();", "smp_rmb();", "smp_wmb();", "synchronize_rcu();"].contains(&line.trim())
}

fn is_store(line: &str) -> bool {
    ["*", "WRITE_ONCE(", "smp_store_release(", "rcu_assign_pointer("].iter().any(|word| line.trim().starts_with(word))
}

/// The line of the unlock that belongs to the lock on line `number`.
fn partner(lines: &[&str], number: usize) -> Option<usize> {
    let line = lines[number];
    if !is_lock(line) {
        return None;
    }
    let unlock = line.replace("_lock(", "_unlock(");
    (number + 1..lines.len()).take_while(|other| lines[*other] != "}").find(|other| lines[*other] == unlock)
}

/// Whether two neighbours may change places. If both order, the first one is lowered, and the second not raised.
fn may_swap(lines: &[&str], one: &Item, other: &Item) -> bool {
    let (one, other) = (&lines[one.first..=one.last], &lines[other.first..=other.last]);
    let independent = |a: &[&str], b: &[&str]| assigned(a).iter().all(|register| !used(b).contains(register));
    let longer_section = is_lock(other[0]) || is_unlock(one[0]);
    !longer_section && independent(one, other) && independent(other, one)
}

fn is_lock(line: &str) -> bool {
    line.contains("_lock(")
}

fn is_unlock(line: &str) -> bool {
    line.contains("_unlock(")
}

/// The statement that begins on this line; `None` for declarations, empty lines and the ends of blocks.
fn item_at(lines: &[&str], first: usize) -> Option<Item> {
    let line = lines.get(first)?;
    let statement = line.trim_start();
    let indent = &line[..line.len() - statement.len()];
    if indent.is_empty() || statement.is_empty() || statement.starts_with("int ") || statement.starts_with('}') {
        return None;
    }
    if !statement.ends_with('{') {
        return Some(Item { first, last: first });
    }
    let end = format!("{indent}}}");
    (first + 1..lines.len()).find(|other| lines[*other] == end).map(|last| Item { first, last })
}

/// The item that ends on the line before `number`.
fn item_before(lines: &[&str], number: usize) -> Option<Item> {
    (0..number).rev().map_while(|first| (!lines[first].is_empty()).then(|| item_at(lines, first))).flatten().find(
        |item| {
            let indent = |line: &str| line.len() - line.trim_start().len();
            item.last + 1 == number && indent(lines[item.first]) == indent(lines[number])
        },
    )
}

fn orders(line: &str) -> bool {
    ["lock(", "smp_", "synchronize_rcu(", "rcu_assign_pointer(", "_return", "_and_test(", "atomic_inc(", "cmpxchg"]
        .iter()
        .any(|word| line.contains(word))
}

/// The registers of an item. Where one is assigned it is taken as used as well: two assignments do not swap.
fn used(item: &[&str]) -> Vec<String> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    item.iter()
        .flat_map(|line| line.split(move |character| !is_word(character)))
        .filter(|word| word.strip_prefix('r').is_some_and(|digits| digits.parse::<u8>().is_ok()))
        .map(str::to_string)
        .collect()
}

fn assigned(item: &[&str]) -> Vec<String> {
    item.iter()
        .filter_map(|line| line.split_once(" = "))
        .map(|(register, _)| register.trim().to_string())
        .filter(|register| register.starts_with('r'))
        .collect()
}

fn with_line(lines: &[&str], number: usize, replacement: &str) -> Vec<String> {
    let mut new: Vec<String> = lines.iter().map(ToString::to_string).collect();
    new[number] = replacement.to_string();
    new
}

fn without(lines: &[&str], numbers: &[usize]) -> Vec<String> {
    lines.iter().enumerate().filter(|(number, _)| !numbers.contains(number)).map(|(_, line)| line.to_string()).collect()
}

fn swapped(lines: &[&str], this: &Item, next: &Item) -> Vec<String> {
    let parts =
        [&lines[..this.first], &lines[next.first..=next.last], &lines[this.first..=this.last], &lines[next.last + 1..]];
    parts.concat().into_iter().map(str::to_string).collect()
}

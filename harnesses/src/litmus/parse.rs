//! Reads a litmus test. The grammar is the part of C, and of herd7's conditions, that the tests use.

use super::program::{Access, Condition, Expression, Operator, Order, Program, Shown, Statement, Value};
use std::collections::{BTreeMap, BTreeSet};

impl Program {
    /// Reads the text of a test.
    ///
    /// # Errors
    /// Something that is not understood, with its line.
    pub fn parse(text: &str) -> Result<Program, String> {
        let (first, rest) = text.split_once('\n').ok_or("it has one line only")?;
        let name = first.strip_prefix("C ").ok_or("its first line is not C and a name")?.trim().to_string();
        let tokens = tokens(rest)?;
        let mut parser = Parser { tokens, at: 0, locations: Vec::new(), process: BTreeMap::new() };
        parser.initial_values()?;
        let mut processes = Vec::new();
        while parser.peek() == format!("P{}", processes.len()) {
            processes.push(parser.process()?);
        }
        let mut shown = BTreeSet::new();
        if parser.takes("locations") {
            parser.expect("[")?;
            while !parser.takes("]") {
                shown.insert(parser.shown()?);
                parser.expect(";")?;
            }
        }
        parser.expect("exists")?;
        let exists = parser.or()?;
        shown.extend(exists.names().into_iter().cloned());
        if parser.peek() != "" {
            return parser.fail("the end of the test");
        }
        Ok(Program { name, locations: parser.locations, processes, shown: shown.into_iter().collect(), exists })
    }
}

/// Words, numbers and signs, each with its line; comments of both kinds are left out. In a process `(*` is no comment,
/// but the parenthesis and asterisk of `READ_ONCE(*map)`.
fn tokens(text: &str) -> Result<Vec<(String, usize)>, String> {
    const LONG: [&str; 4] = ["/\\", "\\/", "==", "!="];
    let mut found = Vec::new();
    let (mut rest, mut line, mut depth) = (text, 2, 0_usize);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    while let Some(first) = rest.bytes().next() {
        let length = if depth == 0 && rest.starts_with("(*") {
            rest.find("*)").ok_or_else(|| format!("line {line}: a comment does not end"))? + 2
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first.is_ascii_whitespace() {
            1
        } else {
            let long = LONG.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len());
            let word = rest.bytes().take_while(|byte| is_word(*byte)).count().max(1);
            let length = long.unwrap_or(word);
            let token = rest.get(..length).ok_or_else(|| format!("line {line}: a sign that is not ASCII"))?;
            found.push((token.to_string(), line));
            depth = (depth + usize::from(token == "{")).saturating_sub(usize::from(token == "}"));
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    Ok(found)
}

struct Parser {
    tokens: Vec<(String, usize)>,
    at: usize,
    locations: Vec<(String, Value)>,
    /// The parameters of the process that is read, and the location that each points to.
    process: BTreeMap<String, usize>,
}

impl Parser {
    /// The next token; empty at the end.
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", |(token, _)| token)
    }
    fn next(&mut self) -> String {
        let token = self.peek().to_string();
        self.at += 1;
        token
    }
    /// Takes the next token if it is this one.
    fn takes(&mut self, token: &str) -> bool {
        let is = self.peek() == token;
        self.at += usize::from(is);
        is
    }
    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { self.fail(token) }
    }
    fn fail<T>(&self, wanted: &str) -> Result<T, String> {
        let last = self.tokens.last().map_or(0, |(_, line)| *line);
        let (found, line) = self.tokens.get(self.at).map_or(("the end", last), |(token, line)| (token, *line));
        Err(format!("line {line}: {found} stands where {wanted} belongs"))
    }
    fn word(&mut self) -> Result<String, String> {
        let is_word = self.peek().bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if is_word { Ok(self.next()) } else { self.fail("a name") }
    }

    /// The index of a location, which is added if it is new: locks have no initial value.
    fn location(&mut self, name: &str) -> usize {
        let known = self.locations.iter().position(|(other, _)| other == name);
        known.unwrap_or_else(|| {
            self.locations.push((name.to_string(), Value::Number(0)));
            self.locations.len() - 1
        })
    }

    /// `{ map=1; ldt=old; }`
    fn initial_values(&mut self) -> Result<(), String> {
        self.expect("{")?;
        while !self.takes("}") {
            let name = self.word()?;
            self.expect("=")?;
            let value = self.value()?;
            self.expect(";")?;
            let location = self.location(&name);
            self.locations[location].1 = value;
        }
        Ok(())
    }

    /// A number, or the name of a location.
    fn value(&mut self) -> Result<Value, String> {
        let negative = self.takes("-");
        if let Ok(number) = self.peek().parse::<i64>() {
            self.at += 1;
            return Ok(Value::Number(if negative { -number } else { number }));
        }
        let name = self.word()?;
        Ok(Value::Pointer(self.location(&name)))
    }

    /// `P0(int *map, spinlock_t *lock) { ... }`
    fn process(&mut self) -> Result<Vec<Statement>, String> {
        self.word()?;
        self.process.clear();
        self.expect("(")?;
        while !self.takes(")") {
            self.word()?;
            while self.takes("*") {}
            let name = self.word()?;
            let location = self.location(&name);
            self.process.insert(name, location);
            self.takes(",");
        }
        self.block()
    }

    fn block(&mut self) -> Result<Vec<Statement>, String> {
        self.expect("{")?;
        let mut statements = Vec::new();
        while !self.takes("}") {
            statements.extend(self.statement()?);
        }
        Ok(statements)
    }

    /// One statement; none for a declaration without a value.
    fn statement(&mut self) -> Result<Option<Statement>, String> {
        let statement = match self.peek() {
            "if" => return self.branch().map(Some),
            "int" => {
                self.at += 1;
                while self.takes("*") {}
                let register = self.word()?;
                if self.takes(";") {
                    return Ok(None);
                }
                self.expect("=")?;
                Statement::Assign(register, self.expression()?)
            }
            "*" => {
                self.at += 1;
                let place = self.unary()?;
                self.expect("=")?;
                Statement::Store(Access::Plain, place, self.expression()?)
            }
            "WRITE_ONCE" => self.store(Access::Once, true)?,
            "rcu_assign_pointer" => self.store(Access::Rcu, true)?,
            "smp_store_release" => self.store(Access::Ordered, false)?,
            "spin_lock" => Statement::Lock(self.argument()?),
            "spin_unlock" => Statement::Unlock(self.argument()?),
            "smp_mb" => self.bare(Statement::FullBarrier)?,
            "smp_rmb" => self.bare(Statement::ReadBarrier)?,
            "smp_wmb" => self.bare(Statement::WriteBarrier)?,
            "rcu_read_lock" => self.bare(Statement::ReadLock)?,
            "rcu_read_unlock" => self.bare(Statement::ReadUnlock)?,
            "synchronize_rcu" => self.bare(Statement::GracePeriod)?,
            "atomic_inc" => Statement::Evaluate(Expression::Add(Order::Relaxed, Box::new(self.argument()?), 1)),
            _ => {
                let register = self.word()?;
                self.expect("=")?;
                Statement::Assign(register, self.expression()?)
            }
        };
        self.expect(";")?;
        Ok(Some(statement))
    }

    fn branch(&mut self) -> Result<Statement, String> {
        self.expect("if")?;
        self.expect("(")?;
        let condition = self.expression()?;
        self.expect(")")?;
        let then = self.block()?;
        let otherwise = if self.takes("else") { self.block()? } else { Vec::new() };
        Ok(Statement::If(condition, then, otherwise))
    }

    fn bare(&mut self, statement: Statement) -> Result<Statement, String> {
        self.at += 1;
        self.expect("(")?;
        self.expect(")")?;
        Ok(statement)
    }

    /// The one argument of a call, whose name comes next.
    fn argument(&mut self) -> Result<Expression, String> {
        self.at += 1;
        self.expect("(")?;
        let argument = self.expression()?;
        self.expect(")")?;
        Ok(argument)
    }

    /// The address that an argument names: `*place` for a macro, `place` for a function.
    fn address(&mut self, macro_like: bool) -> Result<Expression, String> {
        if macro_like {
            self.expect("*")?;
        }
        self.unary()
    }

    fn store(&mut self, access: Access, macro_like: bool) -> Result<Statement, String> {
        self.at += 1;
        self.expect("(")?;
        let address = self.address(macro_like)?;
        self.expect(",")?;
        let value = self.expression()?;
        self.expect(")")?;
        Ok(Statement::Store(access, address, value))
    }

    fn load(&mut self, access: Access, macro_like: bool) -> Result<Expression, String> {
        self.at += 1;
        self.expect("(")?;
        let address = self.address(macro_like)?;
        self.expect(")")?;
        Ok(Expression::Load(access, Box::new(address)))
    }

    /// C's precedence: `|`, then `==` and `!=`, then `+` and `-`.
    fn expression(&mut self) -> Result<Expression, String> {
        self.binary(&[
            &[("|", Operator::Or)],
            &[("==", Operator::Equal), ("!=", Operator::NotEqual)],
            &[("+", Operator::Add), ("-", Operator::Subtract)],
        ])
    }

    fn binary(&mut self, levels: &[&[(&str, Operator)]]) -> Result<Expression, String> {
        let Some((level, tighter)) = levels.split_first() else { return self.unary() };
        let mut left = self.binary(tighter)?;
        while let Some((_, operator)) = level.iter().find(|(sign, _)| *sign == self.peek()) {
            self.at += 1;
            left = Expression::Binary(*operator, Box::new(left), Box::new(self.binary(tighter)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        let add = |order, argument, number| Expression::Add(order, Box::new(argument), number);
        let expression = match self.peek() {
            "(" => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                inner
            }
            "*" => {
                self.at += 1;
                Expression::Load(Access::Plain, Box::new(self.unary()?))
            }
            "READ_ONCE" => self.load(Access::Once, true)?,
            "atomic_read" => self.load(Access::Once, false)?,
            "rcu_dereference" => self.load(Access::Rcu, true)?,
            "smp_load_acquire" => self.load(Access::Ordered, false)?,
            "atomic_inc_return" => add(Order::Full, self.argument()?, 1),
            "atomic_inc_return_relaxed" => add(Order::Relaxed, self.argument()?, 1),
            "atomic_dec_return" => add(Order::Full, self.argument()?, -1),
            "atomic_dec_return_relaxed" => add(Order::Relaxed, self.argument()?, -1),
            "atomic_dec_return_acquire" => add(Order::Acquire, self.argument()?, -1),
            "atomic_dec_return_release" => add(Order::Release, self.argument()?, -1),
            "atomic_dec_and_test" => {
                let new = add(Order::Full, self.argument()?, -1);
                Expression::Binary(Operator::Equal, Box::new(new), Box::new(Expression::Constant(Value::Number(0))))
            }
            "cmpxchg_relaxed" => {
                self.at += 1;
                self.expect("(")?;
                let place = self.expression()?;
                self.expect(",")?;
                let old = self.expression()?;
                self.expect(",")?;
                let new = self.expression()?;
                self.expect(")")?;
                Expression::CompareExchange(Box::new(place), Box::new(old), Box::new(new))
            }
            "-" => Expression::Constant(self.value()?),
            token if token.bytes().all(|byte| byte.is_ascii_digit()) => Expression::Constant(self.value()?),
            _ => {
                let name = self.word()?;
                match self.process.get(&name) {
                    Some(location) => Expression::Constant(Value::Pointer(*location)),
                    None if self.peek() == "(" => return self.fail("an operator: the function before it is unknown"),
                    None => Expression::Register(name),
                }
            }
        };
        Ok(expression)
    }

    /// `1:r0`, or the name of a location.
    fn shown(&mut self) -> Result<Shown, String> {
        if let Ok(process) = self.peek().parse() {
            self.at += 1;
            self.expect(":")?;
            return Ok(Shown::Register(process, self.word()?));
        }
        Ok(Shown::Location(self.word()?))
    }

    fn or(&mut self) -> Result<Condition, String> {
        let left = self.and()?;
        if !self.takes("\\/") {
            return Ok(left);
        }
        Ok(Condition::Or(Box::new(left), Box::new(self.or()?)))
    }

    fn and(&mut self) -> Result<Condition, String> {
        let left = self.atom()?;
        if !self.takes("/\\") {
            return Ok(left);
        }
        Ok(Condition::And(Box::new(left), Box::new(self.and()?)))
    }

    fn atom(&mut self) -> Result<Condition, String> {
        if self.takes("~") {
            return Ok(Condition::Not(Box::new(self.atom()?)));
        }
        if self.takes("(") {
            let inner = self.or()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let shown = self.shown()?;
        self.expect("=")?;
        Ok(Condition::Is(shown, self.value()?))
    }
}

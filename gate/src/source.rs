//! Reads the proofs out of the sources: which there are, what they assume, what they assert and what they cover.
//!
//! This needs no Kani. It follows the `mod` items from `lib.rs` on, as the compiler does under `cfg(kani)`, so that names come out as
//! Kani prints them. What it cannot follow is a problem, never a proof left out: a `kani::proof` that stands in a macro, in a file that no
//! `mod` leads to, behind a `cfg` that is not understood.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Attribute, Expr, Lit, Meta, Token};

/// Everything that the sources say.
#[derive(Debug, Default)]
pub struct Sources {
    /// The proofs, by name.
    pub proofs: Vec<SourceProof>,
    /// What could not be understood, each with its place.
    pub problems: Vec<String>,
}

/// A proof as it stands in the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceProof {
    /// Full name, as Kani prints it.
    pub name: String,
    /// File, from the workspace on.
    pub file: String,
    /// Line of the function's name.
    pub line: usize,
    /// Doc comment.
    pub doc: String,
    /// `kani::unwind`.
    pub unwind: Option<u32>,
    /// `kani::solver`.
    pub solver: Option<String>,
    /// Everything that it assumes, itself or in the helpers that it calls.
    pub assumptions: Vec<Assumption>,
    /// Every cover, likewise.
    pub covers: Vec<Stated>,
    /// Every assertion, likewise.
    pub asserts: Vec<Stated>,
}

impl SourceProof {
    /// The ids of the properties, such as `index-inverse`: what stands before the first colon of the doc comment, with commas between; other
    /// words behind them are for the reader. None, if something else stands there.
    pub fn properties(&self) -> Vec<String> {
        let paragraph = first_sentence(&self.doc).unwrap_or_default();
        let Some((ids, _)) = paragraph.split_once(':') else { return Vec::new() };
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let plain = |id: &&str| !id.is_empty() && id.bytes().all(letters);
        ids.split(',').map(str::trim).take_while(plain).map(str::to_string).collect()
    }

    /// What the proof says: the first paragraph of its doc comment, behind the ids.
    pub fn says(&self) -> String {
        let paragraph = first_sentence(&self.doc).unwrap_or_default();
        let ids = self.properties().join(", ");
        let rest = paragraph.strip_prefix(&ids).and_then(|rest| rest.strip_prefix(':')).filter(|_| !ids.is_empty());
        rest.unwrap_or(&paragraph).trim().to_string()
    }

    /// The mechanism: the module that contains it.
    pub fn mechanism(&self) -> String {
        self.name.split("::").next().unwrap_or_default().replace('_', "-")
    }

    /// For a twin, a proof that a known bug is found: the variant with the bug. Its name says so: `posted_count_is_found`.
    pub fn twin_of(&self) -> Option<String> {
        let function = self.name.rsplit("::").next().unwrap_or_default();
        function.strip_suffix("_is_found").map(|variant| variant.replace('_', "-"))
    }
}

/// What kind of assumption it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssumptionKind {
    /// `kani::assume`.
    Assume,
    /// `kani::any_where`, or an `Arbitrary` that makes values of a type.
    Domain,
    /// A helper that makes values; what it assumes is listed, too.
    Helper,
    /// `kani::unwind`.
    Unwind,
    /// `kani::stub`.
    Stub,
}

/// One assumption, with the words that stand beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Assumption {
    /// File, from the workspace on.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Kind.
    pub kind: AssumptionKind,
    /// Source text, on one line.
    pub text: String,
    /// The comment behind it or above it, or the doc comment of the helper.
    pub reason: Option<String>,
}

/// An assertion or a cover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// File, from the workspace on.
    pub file: String,
    /// First line.
    pub line: usize,
    /// Last line.
    pub last_line: usize,
    /// The text that Kani prints for it.
    pub text: String,
}

/// The text of an assertion in the form in which texts are compared: rustc prints expressions with blanks and trailing commas of its
/// own, and Kani puts a message into a second pair of quotes.
pub fn normal(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).filter(|text| !text.contains('"'));
    let dense: String = inner.unwrap_or(text).chars().filter(|c| !c.is_whitespace()).collect();
    dense.replace(",)", ")").replace(",]", "]").replace(",}", "}")
}

/// Reads all proofs below `folder` (the `src` of the proofs), with names of files from `root` on. Types that `also` (further source
/// folders) makes with an `Arbitrary` of its own count too.
pub fn read(root: &Path, folder: &Path, also: &[PathBuf]) -> Sources {
    let mut crate_ = Crate { root: root.to_path_buf(), ..Crate::default() };
    crate_.file(&root.join(folder).join("lib.rs"), &[], true);
    crate_.strangers(&root.join(folder));
    for folder in also {
        for path in rust_files(&root.join(folder)) {
            crate_.other_file(&path);
        }
    }
    crate_.finish()
}

/// A function of the crate, with what its own body says.
#[derive(Default)]
struct Function {
    file: String,
    name: String,
    doc: String,
    line: usize,
    assumptions: Vec<Assumption>,
    covers: Vec<Stated>,
    asserts: Vec<Stated>,
    /// Every name that its body or signature mentions in a way that may be a call or a type.
    mentions: BTreeSet<String>,
    /// The type, where this is the `any` of an `Arbitrary`.
    arbitrary: Option<String>,
    /// A function without `pub`, which only its module and those below it can call.
    private: bool,
    /// It makes values: its name begins with `any_`, or it is given a function `choose` to choose them with.
    makes_values: bool,
}

/// The attributes of a proof.
#[derive(Default)]
struct ProofAttributes {
    proof: bool,
    unwind: Option<u32>,
    solver: Option<String>,
    stubs: Vec<(usize, String)>,
    unwind_line: usize,
}

#[derive(Default)]
struct Crate {
    root: PathBuf,
    functions: Vec<Function>,
    /// Index of the function, full name, attributes.
    found: Vec<(usize, String, ProofAttributes)>,
    seen: BTreeSet<PathBuf>,
    problems: Vec<String>,
}

impl Crate {
    fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    fn parse(&mut self, path: &Path) -> Option<(syn::File, String)> {
        let read = fs::read_to_string(path).map_err(|error| error.to_string());
        match read.and_then(|text| syn::parse_file(&text).map(|file| (file, text)).map_err(|error| error.to_string())) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let short = self.short(path);
                self.problems.push(format!("{short}: cannot be read: {error}"));
                None
            }
        }
    }

    /// Reads one file of the crate. `is_root`: `lib.rs` or `mod.rs`, whose modules lie beside it.
    fn file(&mut self, path: &Path, module: &[String], is_root: bool) {
        self.seen.insert(path.to_path_buf());
        let Some((file, text)) = self.parse(path) else { return };
        let short = self.short(path);
        let before = self.found.len();
        let stem = path.with_extension("");
        let folder = if is_root { path.parent().unwrap_or(path).to_path_buf() } else { stem };
        let mut place = Place { short: short.clone(), lines: text.lines().map(str::to_string).collect(), in_file: 0 };
        if self.enabled(&file.attrs, &short) {
            self.items(&file.items, module, &folder, &mut place);
        }
        let tokens: TokenStream = text.parse().unwrap_or_default();
        let mentioned = count_path(&tokens, "proof");
        let understood = self.found.len() - before - place.in_file;
        if mentioned != understood {
            let what = "in a macro, in a function, renamed by `use`, or left out by a cfg";
            self.problems.push(format!(
                "{short}: `kani::proof` stands {mentioned} times, but {understood} proofs were found ({what})"
            ));
        }
        if text.contains("kani as ") || text.contains("use kani::proof") {
            self.problems.push(format!("{short}: `kani` under another name, so its attributes cannot be recognised"));
        }
    }

    /// A file that the compiler does not see under `cfg(kani)`, for example what only tests need: no proof may stand there.
    fn left_out(&mut self, path: &Path) {
        self.seen.insert(path.to_path_buf());
        let Some((_, text)) = self.parse(path) else { return };
        let mentioned = count_path(&text.parse().unwrap_or_default(), "proof");
        if mentioned > 0 {
            let short = self.short(path);
            self.problems
                .push(format!("{short}: `kani::proof` stands {mentioned} times in a file that is left out by a cfg"));
        }
    }

    /// Files of the folder that no `mod` leads to.
    fn strangers(&mut self, folder: &Path) {
        for path in rust_files(folder) {
            if !self.seen.contains(&path) {
                let short = self.short(&path);
                self.problems.push(format!("{short}: no `mod` leads to this file"));
            }
        }
    }

    /// A file of another crate: only what makes values for Kani, and what assumes something, counts.
    fn other_file(&mut self, path: &Path) {
        let Ok(text) = fs::read_to_string(path) else { return };
        if !text.contains("kani") {
            return;
        }
        let Some((file, text)) = self.parse(path) else { return };
        let short = self.short(path);
        let place = Place { short: short.clone(), lines: text.lines().map(str::to_string).collect(), in_file: 0 };
        let before = self.functions.len();
        for item in &file.items {
            self.arbitrary(item, &place);
        }
        let listed: usize = self.functions[before..].iter().map(|function| function.assumptions.len()).sum();
        let tokens: TokenStream = text.parse().unwrap_or_default();
        let assumed = ["assume", "any_where"].iter().map(|name| count_path(&tokens, name)).sum::<usize>();
        if assumed > listed || count_path(&tokens, "proof") > 0 {
            self.problems.push(format!(
                "{short}: assumptions or proofs for Kani outside an `Arbitrary`: they belong into the proofs"
            ));
        }
    }

    fn items(&mut self, items: &[syn::Item], module: &[String], folder: &Path, place: &mut Place) {
        for item in items {
            match item {
                syn::Item::Fn(function) => {
                    let before = self.functions.len();
                    self.function(&function.attrs, &function.sig, &function.block, module, place);
                    let private = matches!(function.vis, syn::Visibility::Inherited);
                    self.functions[before..].iter_mut().for_each(|found| found.private = private);
                }
                syn::Item::Mod(inner) => self.module(inner, module, folder, place),
                syn::Item::Impl(block) => {
                    self.arbitrary(item, place);
                    if trait_name(block).as_deref() != Some("Arbitrary") {
                        for inner in &block.items {
                            if let syn::ImplItem::Fn(function) = inner {
                                self.function(&function.attrs, &function.sig, &function.block, module, place);
                            }
                        }
                    }
                }
                syn::Item::Macro(makro) => {
                    let words = ["assume", "any_where", "proof", "cover"];
                    if words.iter().any(|word| count_path(&makro.mac.tokens, word) > 0) {
                        let line = makro.span().start().line;
                        self.problems.push(format!(
                            "{}:{line}: a macro that assumes, covers or proves cannot be listed",
                            place.short
                        ));
                    }
                }
                _ => {}
            }
        }
    }

    fn module(&mut self, inner: &syn::ItemMod, module: &[String], folder: &Path, place: &mut Place) {
        let name = inner.ident.to_string();
        if !self.enabled(&inner.attrs, &place.short) {
            if inner.content.is_none() {
                self.left_out(&folder.join(format!("{name}.rs")));
            }
            return;
        }
        let mut path = module.to_vec();
        path.push(name.clone());
        if inner.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            self.problems.push(format!("{}: `mod {name}` with a path of its own is not followed", place.short));
            return;
        }
        if let Some((_, items)) = &inner.content {
            self.items(items, &path, &folder.join(&name), place);
            return;
        }
        let (beside, below) = (folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs"));
        let before = self.found.len();
        if beside.is_file() {
            self.file(&beside, &path, false);
        } else if below.is_file() {
            self.file(&below, &path, true);
        } else {
            self.problems.push(format!("{}: `mod {name}` has no file", place.short));
        }
        place.in_file += self.found.len() - before;
    }

    fn function(
        &mut self,
        attrs: &[Attribute],
        sig: &syn::Signature,
        block: &syn::Block,
        module: &[String],
        place: &Place,
    ) {
        let attributes = self.proof_attributes(attrs, &place.short);
        let enabled = self.enabled(attrs, &place.short);
        let mut function = self.body(sig, block, place);
        function.doc = doc(attrs);
        for (line, text) in &attributes.stubs {
            function.assumptions.push(place.assumption(*line, *line, usize::MAX, AssumptionKind::Stub, text));
        }
        if let Some(bound) = attributes.unwind {
            let text = format!("loops are unwound {bound} times");
            let line = attributes.unwind_line;
            let mut unwinding = place.assumption(line, line, usize::MAX, AssumptionKind::Unwind, &text);
            // A reason that needs sentences has its own paragraph in the doc comment.
            let paragraph = function.doc.split("\n\n").find(|paragraph| paragraph.starts_with("Unwinding"));
            unwinding.reason = unwinding.reason.or_else(|| paragraph.map(one_line));
            function.assumptions.push(unwinding);
        }
        if attributes.proof && enabled {
            let mut name = module.to_vec();
            name.push(sig.ident.to_string());
            self.found.push((self.functions.len(), name.join("::"), attributes));
        }
        if enabled {
            self.functions.push(function);
        }
    }

    fn body(&mut self, sig: &syn::Signature, block: &syn::Block, place: &Place) -> Function {
        let line = sig.ident.span().start().line;
        let mut function =
            Function { file: place.short.clone(), name: sig.ident.to_string(), line, ..Function::default() };
        let chooses = sig.inputs.iter().any(|input| match input {
            syn::FnArg::Typed(typed) => matches!(&*typed.pat, syn::Pat::Ident(name) if name.ident == "choose"),
            syn::FnArg::Receiver(_) => false,
        });
        function.makes_values = chooses || function.name.starts_with("any_");
        let mut body = Body { place, function: &mut function };
        body.visit_block(block);
        mentions(&quote_tokens(sig), &mut function.mentions);
        mentions(&quote_tokens(block), &mut function.mentions);
        function
    }

    /// An `impl Arbitrary for T`: the `any` in it decides which values a proof sees.
    fn arbitrary(&mut self, item: &syn::Item, place: &Place) {
        let syn::Item::Impl(block) = item else {
            if let syn::Item::Mod(syn::ItemMod { content: Some((_, items)), .. }) = item {
                items.iter().for_each(|item| self.arbitrary(item, place));
            }
            return;
        };
        let (Some(name), syn::Type::Path(ty)) = (trait_name(block), block.self_ty.as_ref()) else { return };
        let Some(ty) = ty.path.segments.last().map(|segment| segment.ident.to_string()) else { return };
        if name != "Arbitrary" {
            return;
        }
        for inner in &block.items {
            if let syn::ImplItem::Fn(method) = inner {
                let mut function = self.body(&method.sig, &method.block, place);
                function.doc = doc(&block.attrs);
                function.arbitrary = Some(ty.clone());
                let line = block.impl_token.span.start().line;
                let text = format!("Arbitrary for {ty}: {}", quote_text(&method.block));
                let mut domain = place.assumption(line, line, usize::MAX, AssumptionKind::Domain, &text);
                if domain.reason.is_none() {
                    domain.reason = first_sentence(&function.doc);
                }
                function.assumptions.insert(0, domain);
                self.functions.push(function);
            }
        }
    }

    /// Whether an item is there under `cfg(kani)`. A cfg about anything but `kani` and `test` is a problem, and counts as there.
    fn enabled(&mut self, attrs: &[Attribute], place: &str) -> bool {
        attrs.iter().all(|attribute| {
            if !attribute.path().is_ident("cfg") {
                return true;
            }
            let parsed = attribute.parse_args::<Meta>().ok();
            let value = parsed.as_ref().and_then(cfg_value);
            if value.is_none() {
                let line = attribute.span().start().line;
                self.problems.push(format!("{place}:{line}: a cfg that is not understood"));
            }
            value.unwrap_or(true)
        })
    }

    fn proof_attributes(&mut self, attrs: &[Attribute], place: &str) -> ProofAttributes {
        let mut found = ProofAttributes::default();
        for attribute in attrs {
            let line = attribute.span().start().line;
            let metas = if attribute.path().is_ident("cfg_attr") {
                let list =
                    attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
                let condition = list.first().and_then(cfg_value);
                if list.iter().skip(1).any(is_kani) && condition != Some(true) {
                    self.problems
                        .push(format!("{place}:{line}: an attribute for Kani behind a condition that is not `kani`"));
                }
                list.into_iter().skip(1).collect()
            } else {
                vec![attribute.meta.clone()]
            };
            for meta in metas.iter().filter(|meta| is_kani(meta)) {
                self.kani_attribute(meta, line, place, &mut found);
            }
        }
        found
    }

    fn kani_attribute(&mut self, meta: &Meta, line: usize, place: &str, found: &mut ProofAttributes) {
        let name = meta.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let argument = meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        match name.as_str() {
            "proof" => found.proof = true,
            "solver" => found.solver = Some(argument),
            "stub" | "stub_verified" => found.stubs.push((line, format!("{name}({})", argument.replace(' ', "")))),
            "unwind" => {
                found.unwind = argument.parse().ok();
                found.unwind_line = line;
                if found.unwind.is_none() {
                    self.problems.push(format!("{place}:{line}: an unwinding bound that is not a number"));
                }
            }
            _ => self.problems.push(format!("{place}:{line}: `kani::{name}` is not understood")),
        }
    }

    /// Puts together what each proof assumes, asserts and covers, with everything that it reaches.
    fn finish(mut self) -> Sources {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, function) in self.functions.iter().enumerate() {
            by_name.entry(function.arbitrary.as_deref().unwrap_or(&function.name)).or_default().push(index);
        }
        let mut proofs: BTreeMap<String, SourceProof> = BTreeMap::new();
        for (index, name, attributes) in &self.found {
            let reached = reach(&self.functions, &by_name, *index);
            let of = |pick: fn(&Function) -> &Vec<Stated>| {
                reached.iter().flat_map(|f| pick(&self.functions[*f]).clone()).collect()
            };
            let mut assumptions: Vec<Assumption> =
                reached.iter().flat_map(|f| assumptions(&self.functions[*f], f != index)).collect();
            assumptions.sort();
            assumptions.dedup();
            let function = &self.functions[*index];
            let proof = SourceProof {
                name: name.clone(),
                file: function.file.clone(),
                line: function.line,
                doc: function.doc.clone(),
                unwind: attributes.unwind,
                solver: attributes.solver.clone(),
                assumptions,
                covers: of(|function| &function.covers),
                asserts: of(|function| &function.asserts),
            };
            if proofs.insert(name.clone(), proof).is_some() {
                self.problems.push(format!("{name}: two proofs have this name"));
            }
        }
        Sources { proofs: proofs.into_values().collect(), problems: self.problems }
    }
}

/// The assumptions of a function, and the function itself where it is a helper that makes values.
fn assumptions(function: &Function, is_helper: bool) -> Vec<Assumption> {
    let mut all = function.assumptions.clone();
    if is_helper && function.arbitrary.is_none() && function.makes_values {
        all.push(Assumption {
            file: function.file.clone(),
            line: function.line,
            kind: AssumptionKind::Helper,
            text: format!("values come from {}()", function.name),
            reason: first_sentence(&function.doc),
        });
    }
    all
}

/// Every function that one leads to. Names are matched without their paths: where a name is ambiguous, those of the same file are
/// meant if there are any, and else all that can be called from there, so that no assumption is left out.
fn reach(functions: &[Function], by_name: &HashMap<&str, Vec<usize>>, start: usize) -> Vec<usize> {
    let mut reached = vec![start];
    let mut next = 0;
    while let Some(&current) = reached.get(next) {
        next += 1;
        for name in &functions[current].mentions {
            let all = by_name.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            let file = functions[current].file.as_str();
            let near: Vec<usize> = all.iter().copied().filter(|f| functions[*f].file == file).collect();
            let visible = |f: &usize| !functions[*f].private || is_below(file, &functions[*f].file);
            let far = || all.iter().copied().filter(visible).collect();
            for target in if near.is_empty() { far() } else { near } {
                if !reached.contains(&target) {
                    reached.push(target);
                }
            }
        }
    }
    reached
}

/// Whether a file belongs to a module below that of another one.
fn is_below(file: &str, other: &str) -> bool {
    let module = other.strip_suffix("/mod.rs").or_else(|| other.strip_suffix("/lib.rs"));
    let module = module.or_else(|| other.strip_suffix(".rs")).unwrap_or(other);
    file.strip_prefix(module).is_some_and(|rest| rest.starts_with('/'))
}

/// The file that is being read.
struct Place {
    short: String,
    lines: Vec<String>,
    /// Proofs found in other files while this one was read.
    in_file: usize,
}

impl Place {
    fn assumption(&self, line: usize, last: usize, column: usize, kind: AssumptionKind, text: &str) -> Assumption {
        let reason = self.comment(line, last, column);
        Assumption { file: self.short.clone(), line, kind, text: one_line(text), reason }
    }

    /// The comment behind a statement, else those inside it, else the lines of comment right above it.
    fn comment(&self, line: usize, last: usize, column: usize) -> Option<String> {
        let behind = |number: usize, from: usize| -> Option<String> {
            let text = self.lines.get(number.checked_sub(1)?)?;
            let rest: String = text.chars().skip(from).collect();
            let at = rest.find("//")?;
            Some(rest[at..].trim_start_matches('/').trim().to_string())
        };
        let column = if column == usize::MAX { 0 } else { column };
        if let Some(comment) = behind(last, column).filter(|comment| !comment.is_empty()) {
            return Some(comment);
        }
        let inside: Vec<String> = (line..last).filter_map(|number| behind(number, 0)).collect();
        if !inside.is_empty() {
            return Some(inside.join(" "));
        }
        let mut above: Vec<&str> = Vec::new();
        for text in self.lines[..line.saturating_sub(1).min(self.lines.len())].iter().rev() {
            match text.trim().strip_prefix("//").filter(|rest| !rest.starts_with('/')) {
                Some(comment) => above.insert(0, comment.trim()),
                None => break,
            }
        }
        (!above.is_empty()).then(|| above.join(" "))
    }
}

/// Walks one body.
struct Body<'a> {
    place: &'a Place,
    function: &'a mut Function,
}

impl Body<'_> {
    fn assume(&mut self, kind: AssumptionKind, span: proc_macro2::Span, text: &str) {
        let (start, end) = (span.start(), span.end());
        self.function.assumptions.push(self.place.assumption(start.line, end.line, end.column, kind, text));
    }

    fn stated(&self, span: proc_macro2::Span, text: String) -> Stated {
        Stated { file: self.place.short.clone(), line: span.start().line, last_line: span.end().line, text }
    }

    fn makro(&mut self, makro: &syn::Macro) {
        let name = makro.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let arguments: Vec<Expr> = makro
            .parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated)
            .map(|list| list.into_iter().collect())
            .unwrap_or_default();
        for argument in &arguments {
            self.visit_expr(argument);
        }
        let span = makro.span();
        let message = |from: usize| {
            let rest: Vec<String> = arguments.iter().skip(from).map(quote_text).collect();
            (!rest.is_empty()).then(|| rest.join(", "))
        };
        let first = arguments.first().map(quote_text).unwrap_or_default();
        let second = arguments.get(1).map(quote_text).unwrap_or_default();
        let compared =
            |operator: &str| message(2).unwrap_or_else(|| format!("assertion failed: {first} {operator} {second}"));
        match name.as_str() {
            "cover" => {
                let text = message(1).unwrap_or_else(|| format!("cover condition: {first}"));
                let text = text.trim_matches('"').to_string();
                self.function.covers.push(self.stated(span, text));
            }
            "assert" | "debug_assert" => {
                let text = message(1).unwrap_or_else(|| format!("assertion failed: {first}"));
                self.function.asserts.push(self.stated(span, text));
            }
            "assert_eq" | "debug_assert_eq" => self.function.asserts.push(self.stated(span, compared("=="))),
            "assert_ne" | "debug_assert_ne" => self.function.asserts.push(self.stated(span, compared("!="))),
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Body<'_> {
    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(path) = call.func.as_ref() {
            let segments: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let of_kani = segments.len() == 1 || segments[segments.len() - 2] == "kani";
            match segments.last().map(String::as_str) {
                Some("assume") if of_kani => self.assume(AssumptionKind::Assume, call.span(), &quote_text(call)),
                Some("any_where") if of_kani => self.assume(AssumptionKind::Domain, call.span(), &quote_text(call)),
                Some("assert") if of_kani && segments.len() > 1 => {
                    let text = call.args.iter().nth(1).map(quote_text).unwrap_or_default();
                    let stated = self.stated(call.span(), text.trim_matches('"').to_string());
                    self.function.asserts.push(stated);
                }
                _ => {}
            }
        }
        syn::visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, makro: &'ast syn::Macro) {
        self.makro(makro);
    }

    /// What is not there under Kani assumes and asserts nothing.
    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        let attrs: &[Attribute] = match statement {
            syn::Stmt::Local(local) => &local.attrs,
            syn::Stmt::Macro(makro) => &makro.attrs,
            syn::Stmt::Expr(Expr::Block(block), _) => &block.attrs,
            syn::Stmt::Expr(Expr::Call(call), _) => &call.attrs,
            syn::Stmt::Expr(Expr::Return(returned), _) => &returned.attrs,
            _ => &[],
        };
        let absent = |attribute: &Attribute| {
            let is_cfg = attribute.path().is_ident("cfg");
            is_cfg && attribute.parse_args::<Meta>().ok().as_ref().and_then(cfg_value) == Some(false)
        };
        if !attrs.iter().any(absent) {
            syn::visit::visit_stmt(self, statement);
        }
    }
}

fn trait_name(block: &syn::ItemImpl) -> Option<String> {
    let (_, path, _) = block.trait_.as_ref()?;
    path.segments.last().map(|segment| segment.ident.to_string())
}

fn is_kani(meta: &Meta) -> bool {
    meta.path().segments.first().is_some_and(|segment| segment.ident == "kani") && meta.path().segments.len() > 1
}

/// The value of a cfg under Kani, where it depends on nothing else.
fn cfg_value(meta: &Meta) -> Option<bool> {
    match meta {
        Meta::Path(path) if path.is_ident("kani") => Some(true),
        Meta::Path(path) if path.is_ident("test") => Some(false),
        Meta::List(list) => {
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
            let values: Vec<Option<bool>> = parts.iter().map(cfg_value).collect();
            if list.path.is_ident("not") {
                values.first().copied().flatten().map(|value| !value)
            } else if list.path.is_ident("all") {
                values.into_iter().try_fold(true, |all, value| value.map(|value| all && value))
            } else if list.path.is_ident("any") {
                values.into_iter().try_fold(false, |any, value| value.map(|value| any || value))
            } else {
                None
            }
        }
        _ => None,
    }
}

fn doc(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_string()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_string()
}

fn first_sentence(doc: &str) -> Option<String> {
    let paragraph = doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    (!paragraph.is_empty()).then_some(paragraph)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn quote_text<T: Spanned>(node: &T) -> String {
    // Comments inside would end up in the text of an assertion.
    let text = node.span().source_text().unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(|line| line.split("// ").next().unwrap_or(line)).collect();
    one_line(&lines.join(" "))
}

fn quote_tokens<T: Spanned>(node: &T) -> TokenStream {
    node.span().source_text().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// How often `kani::NAME` stands in the tokens; comments and doc comments do not count.
fn count_path(tokens: &TokenStream, name: &str) -> usize {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut count = 0;
    for (index, tree) in trees.iter().enumerate() {
        if let TokenTree::Group(group) = tree {
            count += count_path(&group.stream(), name);
        }
        let is_colon = |at: usize| matches!(trees.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        let is_name = |at: usize, word: &str| matches!(trees.get(at), Some(TokenTree::Ident(ident)) if ident == word);
        if is_name(index, "kani") && is_colon(index + 1) && is_colon(index + 2) && is_name(index + 3, name) {
            count += 1;
        }
    }
    count
}

/// Every name that may be a call or a type: one before `(`, before `::<`, one that starts with a capital letter, or one that is passed
/// as an argument or assigned, as a function may be.
fn mentions(tokens: &TokenStream, names: &mut BTreeSet<String>) {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let is_punct = |tree: Option<&TokenTree>, of: &str| matches!(tree, Some(TokenTree::Punct(punct)) if of.contains(punct.as_char()));
    for (index, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => mentions(&group.stream(), names),
            TokenTree::Ident(ident) => {
                let text = ident.to_string();
                let next = trees.get(index + 1);
                let called =
                    matches!(next, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
                let path = matches!(next, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
                    && matches!(trees.get(index + 3), Some(TokenTree::Punct(punct)) if punct.as_char() == '<');
                let before = index.checked_sub(1).and_then(|before| trees.get(before));
                let is_mut = matches!(before, Some(TokenTree::Ident(word)) if word == "mut");
                let passed = (before.is_none() || is_mut || is_punct(before, ",&=>|"))
                    && (next.is_none() || is_punct(next, ",;"));
                if called || path || passed || text.starts_with(|c: char| c.is_ascii_uppercase()) {
                    names.insert(text);
                }
            }
            _ => {}
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

//! The committed list of proofs, and how it differs from the sources.
//!
//! A proof that is added, renamed, weakened or removed shows up as a change of `proofs/census.toml` in review; without that change
//! it is an error here. None of this needs Kani.

use crate::source::{AssumptionKind, SourceProof, Sources};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

const HEAD: &str = "\
# Every proof, and what was agreed about it. A difference from the sources is an error.
# `KVERDICT_UPDATE=1 cargo test --package kverdict-gate` rewrites the counts in place and adds and removes entries; the
# other fields are written by people and kept:
#   variant     what it is about, where that is neither `mainline` nor, for a twin, the variant in its name
#   no_cover    why there is no cover
#   no_assert   why there is no assertion
#   timeout     seconds, where not 300
#   covers_run  how many covers Kani sees, where a helper with a cover is compiled more than once
#   unreachable checks that may be unreachable: check (its text), function (where it stands), reason, at_most (how many, else 1)
";

/// Seconds that a proof may take where the census says nothing else.
pub const TIMEOUT: u64 = 300;

/// The committed list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Census {
    /// The proofs, sorted by name.
    #[serde(default, rename = "proof")]
    pub proofs: Vec<Entry>,
}

/// What was agreed about one proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Full name, as Kani prints it.
    pub name: String,
    /// The properties that it is about, as in the first line of its doc comment.
    pub properties: Vec<String>,
    /// The variant that it is about.
    #[serde(default = "mainline", skip_serializing_if = "is_mainline")]
    pub variant: String,
    /// Whether it shows that the variant is broken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub twin: bool,
    /// Covers in the source.
    pub covers: usize,
    /// Covers that Kani reports, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers_run: Option<usize>,
    /// Assertions in the source.
    pub asserts: usize,
    /// Assumptions, bounds and stubs in the source.
    pub assumptions: usize,
    /// Unwinding bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwind: Option<u32>,
    /// Why there is no cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_cover: Option<String>,
    /// Why there is no assertion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_assert: Option<String>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Checks that may be unreachable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<Unreachable>,
}

/// A check that may be unreachable, because somebody looked at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreachable {
    /// The text of the check.
    pub check: String,
    /// The function that contains it.
    pub function: String,
    /// Why nothing leads there, and why that is right.
    pub reason: String,
    /// How many such checks there may be.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub at_most: usize,
}

fn mainline() -> String {
    "mainline".to_string()
}

fn is_mainline(variant: &str) -> bool {
    variant == "mainline"
}

fn one() -> usize {
    1
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

impl Entry {
    /// Seconds that it may take.
    pub fn timeout(&self) -> u64 {
        self.timeout.unwrap_or(TIMEOUT)
    }

    fn of(proof: &SourceProof) -> Entry {
        Entry {
            name: proof.name.clone(),
            properties: proof.properties(),
            variant: proof.twin_of().unwrap_or_else(mainline),
            twin: proof.twin_of().is_some(),
            covers: proof.covers.len(),
            asserts: proof.asserts.len(),
            assumptions: proof.assumptions.len(),
            unwind: proof.unwind,
            ..Entry::default()
        }
    }
}

impl Census {
    /// Reads the file. A file that is not there is an empty census.
    pub fn read(path: &Path) -> Result<Census, String> {
        match fs::read_to_string(path) {
            Ok(text) => Census::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Census::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Reads its text.
    pub fn parse(text: &str) -> Result<Census, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut sorted = self.clone();
        sorted.proofs.sort_by(|a, b| a.name.cmp(&b.name));
        match toml::to_string(&sorted) {
            Ok(text) => format!("{HEAD}\n{text}"),
            Err(error) => unreachable!("a census of plain values: {error}"),
        }
    }

    /// The census as the sources have it; what people wrote is kept.
    pub fn updated(&self, sources: &Sources) -> Census {
        let proofs = sources.proofs.iter().map(|proof| {
            let new = Entry::of(proof);
            match self.proofs.iter().find(|entry| entry.name == proof.name) {
                Some(old) => Entry {
                    properties: new.properties,
                    twin: new.twin,
                    covers: new.covers,
                    asserts: new.asserts,
                    assumptions: new.assumptions,
                    unwind: new.unwind,
                    ..old.clone()
                },
                None => new,
            }
        });
        Census { proofs: proofs.collect() }
    }

    /// The entry of a proof.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.proofs.iter().find(|entry| entry.name == name)
    }

    /// Every difference from the sources, and every rule that a proof does not keep.
    pub fn compare(&self, sources: &Sources) -> Vec<String> {
        let mut errors = sources.problems.clone();
        let mut listed: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in &self.proofs {
            if listed.insert(&entry.name, entry).is_some() {
                errors.push(format!("{}: listed twice in the census", entry.name));
            }
        }
        for proof in &sources.proofs {
            match listed.remove(proof.name.as_str()) {
                Some(entry) => errors.extend(compare_entry(entry, proof)),
                None => errors.push(format!("{}: in {}:{}, not in the census", proof.name, proof.file, proof.line)),
            }
        }
        errors.extend(listed.keys().map(|name| format!("{name}: in the census, not in the sources")));
        if self.proofs.is_empty() {
            errors.push("the census lists no proof".to_string());
        }
        errors
    }
}

fn compare_entry(entry: &Entry, proof: &SourceProof) -> Vec<String> {
    let mut errors = Vec::new();
    let name = &entry.name;
    let place = format!("{}:{}", proof.file, proof.line);
    if proof.properties().is_empty() {
        errors.push(format!("{name}: the doc comment at {place} does not start with the id of a property and a colon"));
    } else if proof.properties() != entry.properties {
        let (now, then) = (proof.properties().join(", "), entry.properties.join(", "));
        errors.push(format!("{name}: it is about {now}, in the census about {then}"));
    }
    if proof.twin_of().is_some() != entry.twin {
        errors.push(format!("{name}: a name that ends with `_is_found` is that of a twin, and no other"));
    }
    let counts = [
        ("covers", proof.covers.len(), entry.covers),
        ("assertions", proof.asserts.len(), entry.asserts),
        ("assumptions", proof.assumptions.len(), entry.assumptions),
    ];
    for (what, source, census) in counts {
        if source != census {
            errors.push(format!("{name}: {source} {what} at {place}, {census} in the census"));
        }
    }
    if proof.unwind != entry.unwind {
        errors.push(format!("{name}: another unwinding bound at {place} than in the census"));
    }
    if proof.covers.is_empty() && entry.no_cover.is_none() {
        errors
            .push(format!("{name}: no cover shows that the interesting case occurs, and the census does not say why"));
    }
    if proof.asserts.is_empty() && entry.no_assert.is_none() {
        errors.push(format!("{name}: it asserts nothing, and the census does not say why"));
    }
    for assumption in proof
        .assumptions
        .iter()
        .filter(|assumption| assumption.kind != AssumptionKind::Helper && assumption.reason.is_none())
    {
        let place = format!("{}:{}", assumption.file, assumption.line);
        errors.push(format!("{name}: `{}` at {place} has no comment that says why", assumption.text));
    }
    errors
}

//! The catalogue: every mechanism with its variants, whatever their types.

use std::sync::LazyLock;

use models::machine::{Expect, Machine, Variant};
use models::words;
use subjects::Subject;

use crate::failure::{Failure, did_you_mean};

/// A mechanism, as the command line and the reports know it.
pub struct Mechanism {
    /// For example `ldt`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The question that the mail thread is about.
    pub question: &'static str,
    /// The kernel source that is modelled.
    pub source: &'static str,
    /// The numbered assumptions, read from the model's documentation.
    pub assumptions: Vec<String>,
    /// All variants in words, in catalogue order.
    pub variants: Vec<VariantInfo>,
    /// The variants that are state machines, in catalogue order.
    pub subjects: Vec<Box<dyn Subject>>,
}

/// All mechanisms, in the order in which the kernel met them.
pub static CATALOGUE: LazyLock<Vec<Mechanism>> = LazyLock::new(|| {
    vec![
        Mechanism {
            name: words::IO_BITMAP.name,
            title: words::IO_BITMAP.title,
            question: words::IO_BITMAP.question,
            source: words::IO_BITMAP.source,
            assumptions: assumptions(&[include_str!("../models/src/io_bitmap/mod.rs")]),
            variants: variants::<models::io_bitmap::IoBitmap>(),
            subjects: subjects::of_mechanism(words::IO_BITMAP.name),
        },
        Mechanism {
            name: words::LDT.name,
            title: words::LDT.title,
            question: words::LDT.question,
            source: words::LDT.source,
            assumptions: assumptions(&[
                include_str!("../models/src/ldt/mod.rs"),
                include_str!("../models/src/ldt/fork.rs"),
                include_str!("../models/src/ldt/clear_asid.rs"),
            ]),
            variants: [
                variants::<models::ldt::Ldt>(),
                variants::<models::ldt::fork::LdtFork>(),
                variants::<models::ldt::clear_asid::ClearAsid>(),
            ]
            .concat(),
            subjects: subjects::of_mechanism(words::LDT.name),
        },
        Mechanism {
            name: words::IOMMU_FLUSH.name,
            title: words::IOMMU_FLUSH.title,
            question: words::IOMMU_FLUSH.question,
            source: words::IOMMU_FLUSH.source,
            assumptions: assumptions(&[
                include_str!("../models/src/iommu_flush/mod.rs"),
                include_str!("../models/src/iommu_flush/deferred/mod.rs"),
            ]),
            variants: [
                variants::<models::iommu_flush::IommuFlush>(),
                variants::<models::iommu_flush::deferred::DeferredFree>(),
            ]
            .concat(),
            subjects: subjects::of_mechanism(words::IOMMU_FLUSH.name),
        },
        Mechanism {
            name: words::PKEYS.name,
            title: words::PKEYS.title,
            question: words::PKEYS.question,
            source: words::PKEYS.source,
            assumptions: assumptions(&[include_str!("../models/src/pkeys/mod.rs")]),
            variants: variants::<models::pkeys::Pkeys>(),
            subjects: subjects::of_mechanism(words::PKEYS.name),
        },
        Mechanism {
            name: words::IOVA_BITMAP.name,
            title: words::IOVA_BITMAP.title,
            question: words::IOVA_BITMAP.question,
            source: words::IOVA_BITMAP.source,
            assumptions: assumptions(&[include_str!("../models/src/iova_bitmap/mod.rs")]),
            variants: models::iova_bitmap::VARIANTS.iter().map(VariantInfo::of).collect(),
            subjects: Vec::new(),
        },
    ]
});

/// A variant in words, whatever kind of model it has.
#[derive(Clone, Copy, Debug)]
pub struct VariantInfo {
    /// Its name.
    pub name: &'static str,
    /// What it does differently.
    pub what: &'static str,
    /// Where it comes from.
    pub origin: &'static str,
    /// The form that holds and from which it differs least.
    pub compare_with: &'static str,
    /// What is expected.
    pub expect: Expect,
}

impl VariantInfo {
    fn of<C>(variant: &'static Variant<C>) -> Self {
        let Variant { name, what, origin, compare_with, expect, .. } = *variant;
        Self { name, what, origin, compare_with, expect }
    }
}

fn variants<M: Machine>() -> Vec<VariantInfo> {
    M::VARIANTS.iter().map(VariantInfo::of).collect()
}

/// The assumptions `A1`, `A2`, ... of a model, as they stand in its documentation comments.
///
/// They are read from the source so that there is one copy of them.
fn assumptions(documentation: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in documentation.iter().flat_map(|text| text.lines()) {
        let Some(text) = line.trim_start().strip_prefix("//!").map(str::trim) else {
            inside = false;
            continue;
        };
        if let Some(item) = text.strip_prefix("- ").filter(|item| is_assumption(item)) {
            found.push(item.to_string());
            inside = true;
        } else if text.is_empty() || text.starts_with('#') || text.starts_with("- ") {
            inside = false;
        } else if inside {
            let last = found.last_mut().expect("inside an item");
            last.push(' ');
            last.push_str(text);
        }
    }
    found
}

/// Starts like `A1:` or `A12 `.
fn is_assumption(item: &str) -> bool {
    let Some(rest) = item.strip_prefix('A') else { return false };
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    digits > 0 && rest[digits..].starts_with([':', '.', ' '])
}

/// The selection of variants that a person has named.
pub struct Selection {
    /// Pairs of mechanism and variant; a missing variant means all.
    wanted: Vec<(String, Option<String>)>,
}

impl Selection {
    /// Reads names like `ldt` and `ldt/posted`; no name means everything.
    ///
    /// # Errors
    /// A name is unknown; the message lists the close ones.
    pub fn parse(targets: &[String], known: &[(String, String)]) -> Result<Self, Failure> {
        let wanted = targets.iter().map(|target| parse_target(target, known)).collect::<Result<_, _>>()?;
        Ok(Self { wanted })
    }

    /// Whether a variant was named, or nothing was.
    pub fn includes(&self, mechanism: &str, variant: &str) -> bool {
        let named = |(m, v): &(String, Option<String>)| m == mechanism && v.as_deref().is_none_or(|v| v == variant);
        self.wanted.is_empty() || self.wanted.iter().any(named)
    }
}

fn parse_target(target: &str, known: &[(String, String)]) -> Result<(String, Option<String>), Failure> {
    let (mechanism, variant) = match target.split_once('/') {
        Some((mechanism, variant)) => (mechanism, Some(variant)),
        None => (target, None),
    };
    if !known.iter().any(|(m, _)| m == mechanism) {
        let hint = did_you_mean(mechanism, known.iter().map(|(m, _)| m.as_str()));
        let all: Vec<&str> = CATALOGUE.iter().map(|m| m.name).collect();
        return Err(Failure::usage(format!(
            "unknown mechanism '{}'{hint}; known: {}",
            shown(mechanism),
            all.join(", ")
        )));
    }
    let variants = || known.iter().filter(|(m, _)| m == mechanism).map(|(_, v)| v.as_str());
    if let Some(name) = variant
        && !variants().any(|v| v == name)
    {
        let hint = did_you_mean(name, variants());
        let list = format!("'kverdict list {mechanism}' names them all");
        return Err(Failure::usage(format!("unknown variant '{}' of {mechanism}{hint}; {list}", shown(name))));
    }
    Ok((mechanism.to_string(), variant.map(str::to_string)))
}

/// A name a person typed, fit for one line of output: short, and without control characters.
fn shown(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).take(60).collect();
    if name.chars().count() > 60 { format!("{clean}...") } else { clean }
}

/// Mechanism and name of every variant.
pub fn variant_names() -> Vec<(String, String)> {
    let names = |m: &'static Mechanism| m.variants.iter().map(|v| (m.name.to_string(), v.name.to_string()));
    CATALOGUE.iter().flat_map(names).collect()
}

/// The subject with exactly this name.
///
/// # Errors
/// There is none; the message lists the close ones.
pub fn find_subject(target: &str) -> Result<&'static dyn Subject, Failure> {
    let known = variant_names();
    let (mechanism, variant) = parse_target(target, &known)?;
    let Some(variant) = variant else {
        return Err(Failure::usage(format!("'{mechanism}' is a mechanism; name a variant of it: {mechanism}/VARIANT")));
    };
    let all = CATALOGUE.iter().flat_map(|m| &m.subjects);
    let found = all.map(Box::as_ref).find(|s| s.mechanism() == mechanism && s.name() == variant);
    found.ok_or_else(|| Failure::usage(format!("{target} is arithmetic and has no states to walk through")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumptions_are_read_from_the_documentation() {
        let text = "//! # Assumptions\n//! - A1: steps are\n//!   sequentially consistent.\n//! - A2: one writer.\n//!\n//! text\n";
        assert_eq!(assumptions(&[text]), ["A1: steps are sequentially consistent.", "A2: one writer."]);
    }

    #[test]
    fn names_are_unique_and_comparisons_exist() {
        for mechanism in CATALOGUE.iter() {
            let names: Vec<&str> = mechanism.variants.iter().map(|v| v.name).collect();
            for (index, variant) in mechanism.variants.iter().enumerate() {
                assert!(!names[..index].contains(&variant.name), "{}/{} stands twice", mechanism.name, variant.name);
                let other = variant.compare_with;
                assert!(names.contains(&other), "{} compares with {other}, which does not exist", variant.name);
            }
            assert!(!mechanism.assumptions.is_empty(), "{} states no assumption", mechanism.name);
        }
    }
}

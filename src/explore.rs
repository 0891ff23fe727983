//! `kverdict explore`: the Explorer on the whole catalogue, or Stateright's own on one variant.

use std::io::Write;
use std::net::TcpListener;
use std::sync::LazyLock;

use reports::baseline::Baseline;

use crate::catalogue::{CATALOGUE, Mechanism, Selection, VariantInfo, find_subject, variant_names};
use crate::cli::ExploreArgs;
use crate::failure::{Failure, Status};
use crate::size::SizeRequest;
use subjects::Subject;

/// Runs the command; it returns only if it cannot start.
///
/// # Errors
/// Unknown names, a busy port, or an address that is not of this machine.
pub fn run(args: &ExploreArgs) -> Result<Status, Failure> {
    let target = args.target.as_deref();
    Selection::parse(&args.target.iter().cloned().collect::<Vec<_>>(), &variant_names())?;
    let request = SizeRequest::parse(args.size.as_deref())?;
    if args.stock {
        let Some(target) = target else {
            return Err(Failure::usage("--stock serves one variant: name it as MECHANISM/VARIANT"));
        };
        return stock(args, target, &request);
    }
    let catalogue = catalogue(&request, target)?;
    let listener = listen(args)?;
    let page = match target.map(|target| target.split_once('/').ok_or(target)) {
        None => String::new(),
        Some(Err(mechanism)) => format!("?mechanism={mechanism}"),
        Some(Ok((mechanism, variant))) => {
            format!("variant/{mechanism}/{variant}{}", size(&catalogue, mechanism, variant))
        }
    };
    announce("kverdict", &format!("http://{}/{page}", listener.local_addr().map_err(Failure::usage)?))?;
    let served = explorer::serve(catalogue, explorer::Limits::default(), listener);
    served.map_err(|error| Failure::usage(format!("cannot serve: {error}")))?;
    Ok(Status::AsExpected)
}

/// The size as a page's address has it: nothing if it is `quick`.
fn size(catalogue: &explorer::Catalogue, mechanism: &str, variant: &str) -> String {
    let walk = catalogue.find(mechanism, variant).and_then(|(_, variant)| variant.walk.as_ref());
    let size = walk.filter(|walk| walk.size() != walk.quick_size()).map(|walk| format!("?size={}", walk.size()));
    size.unwrap_or_default()
}

fn stock(args: &ExploreArgs, target: &str, request: &SizeRequest) -> Result<Status, Failure> {
    let subject = find_subject(target)?;
    request.check_names(std::iter::once(subject))?;
    let size = request.for_subject(subject)?;
    // Stateright panics on a busy port; asking first gives a clear line instead.
    let address = listen(args)?.local_addr().map_err(Failure::usage)?;
    announce(target, &format!("http://{address}/"))?;
    subject.serve_stock_explorer(size, address);
    Ok(Status::AsExpected)
}

fn listen(args: &ExploreArgs) -> Result<TcpListener, Failure> {
    TcpListener::bind(args.listen).map_err(|error| {
        Failure::usage(format!("cannot listen on {}: {error}; choose another with --listen", args.listen))
    })
}

fn announce(what: &str, address: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{what}: {address} (Ctrl-C stops it)")?;
    Ok(out.flush()?)
}

/// The whole catalogue at the size asked for.
fn catalogue(request: &SizeRequest, target: Option<&str>) -> Result<explorer::Catalogue, Failure> {
    let subjects = || CATALOGUE.iter().flat_map(|mechanism| &mechanism.subjects).map(Box::as_ref);
    request.check_names(subjects())?;
    let mechanisms = CATALOGUE.iter().map(|m| mechanism(m, request)).collect::<Result<_, _>>()?;
    let start = target.and_then(|target| target.split_once('/'));
    Ok(explorer::Catalogue { mechanisms, start: start.map(|(m, v)| (m.to_string(), v.to_string())) })
}

fn mechanism(mechanism: &'static Mechanism, request: &SizeRequest) -> Result<explorer::Mechanism, Failure> {
    let variants = mechanism.variants.iter().map(|info| {
        let subject = mechanism.subjects.iter().map(Box::as_ref).find(|subject| subject.name() == info.name);
        variant(mechanism.name, info, subject, request)
    });
    Ok(explorer::Mechanism {
        name: mechanism.name.to_string(),
        title: mechanism.title.to_string(),
        question: mechanism.question.to_string(),
        source: mechanism.source.to_string(),
        assumptions: mechanism.assumptions.clone(),
        variants: variants.collect::<Result<_, _>>()?,
    })
}

fn variant(
    mechanism: &str,
    info: &VariantInfo,
    subject: Option<&'static dyn Subject>,
    request: &SizeRequest,
) -> Result<explorer::Variant, Failure> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
    Ok(explorer::Variant {
        name: info.name.to_string(),
        what: info.what.to_string(),
        origin: info.origin.to_string(),
        compare_with: info.compare_with.to_string(),
        expected_broken: owned(info.expect.broken),
        expected_unseen: owned(info.expect.unseen),
        why: info.expect.why.to_string(),
        walk: subject.map(|subject| request.for_subject(subject).map(|size| subject.walkable(size))).transpose()?,
        arithmetic: arithmetic(mechanism, info.name),
        pinned: explorer::Pinned::of(&BASELINE, mechanism, info.name),
    })
}

fn arithmetic(mechanism: &str, name: &str) -> Option<explorer::Arithmetic> {
    let found = models::iova_bitmap::VARIANTS.iter().find(|variant| variant.name == name)?;
    (mechanism == models::iova_bitmap::MECHANISM).then_some(explorer::Arithmetic(found))
}

/// The verdicts of the committed run, which the pages show until the server has searched itself.
static BASELINE: LazyLock<Baseline> = LazyLock::new(|| {
    let text = include_str!("../reports/baseline.json");
    Baseline::from_json(text).expect("a test reads the committed baseline")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_shows_the_verdict_of_the_committed_run_on_every_variant() {
        let request = SizeRequest::parse(None).expect("the quick size");
        let catalogue = catalogue(&request, None).expect("it is complete");
        for mechanism in &catalogue.mechanisms {
            for variant in &mechanism.variants {
                let name = format!("{}/{}", mechanism.name, variant.name);
                let pinned = variant.pinned.as_ref().unwrap_or_else(|| panic!("{name} is not in the baseline"));
                assert!(pinned.count > 0 && !pinned.properties.is_empty(), "{name}");
                let size = variant.walk.as_ref().map_or_else(String::new, |walk| walk.size());
                assert_eq!(pinned.size, size, "{name}");
                let mut broken: Vec<&str> =
                    pinned.properties.iter().filter(|p| p.verdict == "BROKEN").map(|p| p.name.as_str()).collect();
                let mut expected: Vec<&str> = variant.expected_broken.iter().map(String::as_str).collect();
                broken.sort_unstable();
                expected.sort_unstable();
                assert_eq!(broken, expected, "{name}");
                assert!(variant.walk.is_some() != variant.arithmetic.is_some(), "{name} is one of the two");
            }
        }
    }
}

//! `kverdict explore`: the Explorer on the whole catalogue, or Stateright's own on one variant.

use std::io::Write;
use std::net::TcpListener;

use crate::catalogue::{CATALOGUE, Mechanism, Selection, VariantInfo, find_subject, variant_names};
use crate::cli::ExploreArgs;
use crate::failure::{Failure, Status};
use crate::size::SizeRequest;
use crate::subject::Subject;

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
        Some(Ok((mechanism, variant))) => format!("variant/{mechanism}/{variant}"),
    };
    announce("kverdict", &format!("http://{}/{page}", listener.local_addr().map_err(Failure::usage)?))?;
    let served = explorer::serve(catalogue, explorer::Limits::default(), listener);
    served.map_err(|error| Failure::usage(format!("cannot serve: {error}")))?;
    Ok(Status::AsExpected)
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
        variant(info, subject, request)
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
        pinned: None,
    })
}

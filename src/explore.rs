//! `kverdict explore`: Stateright's own Explorer on one variant.

use std::io::Write;
use std::net::TcpListener;

use crate::catalogue::find_subject;
use crate::cli::ExploreArgs;
use crate::failure::{Failure, Status};
use crate::size::SizeRequest;

/// Runs the command; it returns only if it cannot start.
///
/// # Errors
/// Unknown names, a busy port, or an address that is not of this machine.
pub fn run(args: &ExploreArgs) -> Result<Status, Failure> {
    let subject = find_subject(&args.target)?;
    let request = SizeRequest::parse(args.size.as_deref())?;
    request.check_names(std::iter::once(subject))?;
    let size = request.for_subject(subject)?;
    // Stateright panics on a busy port; asking first gives a clear line instead.
    let listener = TcpListener::bind(args.listen).map_err(|error| {
        Failure::usage(format!("cannot listen on {}: {error}; choose another with --listen", args.listen))
    })?;
    let address = listener.local_addr().map_err(Failure::usage)?;
    drop(listener);
    let mut out = anstream::stdout().lock();
    writeln!(out, "{}/{}: http://{address}/ (Ctrl-C stops it)", subject.mechanism(), subject.name())?;
    out.flush()?;
    drop(out);
    subject.serve_stock_explorer(size, address);
    Ok(Status::AsExpected)
}

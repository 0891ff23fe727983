//! The program; everything is in the library.

fn main() -> std::process::ExitCode {
    kverdict::main(std::env::args_os())
}

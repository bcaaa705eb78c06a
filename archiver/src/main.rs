//! `vedette-archiver`: the archiver as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    vedette_service::main("archiver", vedette_archiver::run)
}

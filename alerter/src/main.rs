//! `vedette-alerter`: the alerter as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    vedette_service::main("alerter", vedette_alerter::run)
}

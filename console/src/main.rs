//! `vedette-console`: the console as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    vedette_service::main("console", vedette_console::run)
}

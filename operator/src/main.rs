//! The program `vedette-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vedette_service::main("operator", vedette_operator::run)
}

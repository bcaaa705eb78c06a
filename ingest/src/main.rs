//! The program `vedette-ingest`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vedette_service::main("ingest", vedette_ingest::run)
}

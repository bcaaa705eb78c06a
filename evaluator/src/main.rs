//! `vedette-evaluator`: the evaluator as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    vedette_service::main("evaluator", vedette_evaluator::run)
}

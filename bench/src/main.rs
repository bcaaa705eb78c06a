//! Benchmarks. Each subject prints one table: what was measured, what it was held against, and the bar.
//!
//! A number alone says little on a shared machine. So every figure has a peer or a limit that was measured in the same
//! run, in rounds that alternate between the two, and what counts is the median of the rounds' ratios. Where one thread
//! does the work, its own CPU time is the clock, which other processes hardly disturb; where processes work together, the
//! wall clock is, and the load of the machine is printed beside it.
//!
//! The harness is our own: the subjects are whole processes as often as functions, which no benchmark library measures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark has nothing better to do with an error than to stop and say so"
)]

use std::process::ExitCode;

mod broker;
mod load;
mod machine;
mod measure;
#[cfg(feature = "peers")]
mod peers;
mod policy;
mod receiver;
mod sample;
mod services;
mod sets;
mod subject;
mod table;
mod week;

const USAGE: &str =
    "usage: vedette-bench [SUBJECT…] [--seconds N] [--rounds N] [--events N] [--engine es7|es9|opensearch]\nsubjects:";

/// How long and how often is measured.
#[derive(Debug, Clone)]
pub(crate) struct Effort {
    /// About how long one round of a whole-process subject lasts, in seconds.
    pub(crate) seconds: u32,
    /// Rounds of each; medians are taken over them.
    pub(crate) rounds: usize,
    /// Events of the week that questions are asked of.
    pub(crate) events: u64,
    /// The search engine behind the archiver.
    pub(crate) engine: vedette_e2e::Engine,
}

fn main() -> ExitCode {
    let (subjects, effort) = match arguments() {
        Ok(read) => read,
        Err(message) => {
            let all: Vec<String> =
                subject::ALL.iter().map(|subject| format!("  {:<10} {}", subject.name, subject.about)).collect();
            eprintln!("{message}\n{USAGE}\n  all        every one of them; so does naming none\n{}", all.join("\n"));
            return ExitCode::from(2);
        }
    };
    // The subject `queries` starts this program again, to be measured without what filling takes.
    if let Some(folder) = std::env::var_os(subject::queries::FILL) {
        subject::queries::fill(std::path::Path::new(&folder), effort.events);
        return ExitCode::SUCCESS;
    }
    // Whoever asks for TLS finds the provider installed; a second installation is no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    println!("{}", machine::facts());
    let sample = sample::Sample::read();
    println!("{}\n", sample.facts());
    let mut missed = 0;
    for subject in subjects {
        println!("{}: {}", subject.name, subject.about);
        println!("load before: {}", machine::load());
        let table = (subject.run)(&sample, &effort);
        println!("{table}");
        println!("load after: {}\n", machine::load());
        missed += table.missed();
    }
    if missed == 0 {
        return ExitCode::SUCCESS;
    }
    println!("{missed} of the bars that are in force were missed");
    ExitCode::FAILURE
}

fn arguments() -> Result<(Vec<&'static subject::Subject>, Effort), String> {
    let mut effort = Effort { seconds: 8, rounds: 5, events: 10_000_000, engine: vedette_e2e::Engine::Es9 };
    let mut subjects = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "all" => subjects.extend(&subject::ALL),
            "--seconds" => effort.seconds = number(&value()?)?,
            "--rounds" => effort.rounds = number(&value()?)? as usize,
            "--events" => effort.events = u64::from(number(&value()?)?),
            "--engine" => effort.engine = engine(&value()?)?,
            name => match subject::ALL.iter().find(|subject| subject.name == name) {
                Some(subject) => subjects.push(subject),
                None => return Err(format!("no subject {name:?}")),
            },
        }
    }
    if subjects.is_empty() {
        subjects.extend(&subject::ALL);
    }
    Ok((subjects, effort))
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or(format!("{text:?} is no number above 0"))
}

fn engine(name: &str) -> Result<vedette_e2e::Engine, String> {
    use vedette_e2e::Engine;
    let all = [Engine::Es7, Engine::Es9, Engine::OpenSearch];
    all.into_iter().find(|engine| engine.name() == name).ok_or(format!("no engine {name:?}"))
}

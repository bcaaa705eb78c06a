//! Clocks, rounds and medians, and what the kernel knows about a process.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Figures of several subjects, one a round.
#[derive(Debug)]
pub(crate) struct Rounds {
    figures: Vec<Vec<f64>>,
}

impl Rounds {
    /// Measures every subject once a round, in turn, so that what disturbs the machine disturbs all of them.
    ///
    /// One round more is made first and thrown away: it warms caches and files.
    pub(crate) fn run(rounds: usize, subjects: &mut [&mut dyn FnMut() -> f64]) -> Self {
        for subject in subjects.iter_mut() {
            black_box(subject());
        }
        let mut figures = vec![Vec::with_capacity(rounds); subjects.len()];
        for _ in 0..rounds {
            for (figures, subject) in figures.iter_mut().zip(subjects.iter_mut()) {
                figures.push(subject());
            }
        }
        Self { figures }
    }

    /// From figures that were taken in turn elsewhere.
    pub(crate) fn of(figures: Vec<Vec<f64>>) -> Self {
        Self { figures }
    }

    /// The median of one subject.
    pub(crate) fn median(&self, subject: usize) -> f64 {
        median(self.figures[subject].clone())
    }

    /// The median of the rounds' ratios of two subjects.
    pub(crate) fn ratio(&self, subject: usize, against: usize) -> f64 {
        median(self.figures[subject].iter().zip(&self.figures[against]).map(|(a, b)| a / b).collect())
    }

    /// The least and the greatest figure of one subject.
    pub(crate) fn range(&self, subject: usize) -> (f64, f64) {
        let figures = &self.figures[subject];
        (figures.iter().copied().fold(f64::INFINITY, f64::min), figures.iter().copied().fold(0.0, f64::max))
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => (figures[middle - 1] + figures[middle]) / 2.0,
        _ => figures[middle],
    }
}

/// The figure below which `part` of them lie.
pub(crate) fn quantile(mut figures: Vec<f64>, part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let index = ((figures.len() as f64 * part).ceil() as usize).clamp(1, figures.len().max(1)) - 1;
    figures.get(index).copied().unwrap_or(f64::NAN)
}

/// Things done in a second of this thread's own CPU time, from at least 200 ms of it.
///
/// `work` does a known number of things and says how many.
pub(crate) fn per_core(mut work: impl FnMut() -> usize) -> f64 {
    let start = thread_time();
    let mut done = 0;
    loop {
        done += work();
        let spent = thread_time() - start;
        if spent >= Duration::from_millis(200) {
            return done as f64 / spent.as_secs_f64();
        }
    }
}

/// The CPU time of this thread.
pub(crate) fn thread_time() -> Duration {
    time(ClockId::ThreadCPUTime)
}

/// The CPU time of this process, all threads.
pub(crate) fn process_time() -> Duration {
    time(ClockId::ProcessCPUTime)
}

fn time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The CPU time of another process with its ended children not counted, at the kernel's tick of 10 ms.
pub(crate) fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything: fields are counted from behind it.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 1000 / rustix::param::clock_ticks_per_second())
}

/// The most memory that a process had resident so far, in MiB.
pub(crate) fn peak_resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

/// How a count grew: where the middle of the work began and ended.
///
/// Starting up and waiting for a last batch to fill are no part of a rate. So a rate is taken from the first sample with a
/// tenth done to the first with nine tenths done.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    samples: Vec<(Instant, Duration, u64)>,
}

impl Progress {
    /// Notes that `done` is done after `cpu` of the process's time.
    pub(crate) fn note(&mut self, cpu: Duration, done: u64) {
        self.samples.push((Instant::now(), cpu, done));
    }

    /// Done per second of wall-clock time, and per second of CPU time.
    pub(crate) fn rates(&self, all: u64) -> (f64, f64) {
        let at = |part: u64| self.samples.iter().find(|(_, _, done)| *done >= part);
        let (Some(first), Some(last)) = (at(all / 10), at(all / 10 * 9)) else { return (f64::NAN, f64::NAN) };
        let done = (last.2 - first.2) as f64;
        (done / (last.0 - first.0).as_secs_f64(), done / last.1.saturating_sub(first.1).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::{Rounds, cpu_of, median, peak_resident, quantile};

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile((1..=100).map(f64::from).collect(), 0.99), 99.0);
        assert_eq!(quantile(vec![7.0], 0.5), 7.0);
    }

    #[test]
    fn a_ratio_is_the_median_of_ratios() {
        let rounds = Rounds::of(vec![vec![1.0, 10.0, 100.0], vec![2.0, 10.0, 25.0]]);
        assert_eq!((rounds.median(0), rounds.median(1), rounds.ratio(0, 1)), (10.0, 10.0, 1.0));
        assert_eq!(rounds.range(1), (2.0, 25.0));
    }

    #[test]
    fn the_kernel_knows_this_process() {
        let id = std::process::id();
        assert!(peak_resident(id) > 1.0);
        let start = super::process_time();
        let mut sum = 0_u64;
        while super::process_time() - start < std::time::Duration::from_millis(60) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(cpu_of(id) >= std::time::Duration::from_millis(30));
    }
}

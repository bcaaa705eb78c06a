//! What the figures were measured on.

use std::process::Command;

/// Cores, processor, kernel, compiler, commit and broker, on one line each.
pub(crate) fn facts() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = first_line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = first_line("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = output(Command::new("git").args(["describe", "--always", "--dirty"]));
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]));
    let compiler = output(Command::new("rustc").arg("--version"));
    let broker = output(Command::new(vedette_e2e::tools::path("nats-server")).arg("--version"));
    format!(
        "{date}, commit {commit}\n{cores} cores ({processor}), memory {memory}, Linux {}, {compiler}\n{broker}; load {}",
        kernel.trim(),
        load()
    )
}

/// The average number of runnable tasks over 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn first_line(file: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn output(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    output.unwrap_or_else(|_| "unknown".to_owned())
}

//! The machine that this process runs on, as it is told apart from others.

/// The host's name, empty if it has none. In a container, that of its pod.
pub fn name() -> String {
    let known = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    known.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default().trim().to_owned()
}

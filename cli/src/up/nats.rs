//! The nats-server that `vedette up` starts beside itself.
//!
//! It is the real one, with the configuration that is shipped; only addresses and the folder of its data are its own. It runs
//! in a process group of its own, so that Ctrl-C reaches the services first and it goes last. One that was left behind by a
//! `vedette up` that was killed is ended before the next is started.
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::{Child, Command};

use crate::http::{self, Trust};
use crate::outcome::Failure;

/// What is shipped; see there.
const CONFIG: &str = include_str!("../../../deploy/nats/nats-server.conf");
/// Until it must be ready; reading much data at the start takes a while.
const READY: Duration = Duration::from_secs(60);
/// Until it must have ended after being asked to.
const END: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(25);
/// So often it is started again within [`WHILE`] before that is given up.
const RESTARTS: usize = 3;
const WHILE: Duration = Duration::from_secs(60);
/// Lines of its log that are shown when it does not start.
const LAST_LINES: usize = 5;

/// A running nats-server.
pub(crate) struct Nats {
    program: PathBuf,
    folder: PathBuf,
    ports: Ports,
    child: Child,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ports {
    client: u16,
    monitor: u16,
}

impl Nats {
    /// Starts it on the data in `folder` and waits until it is ready.
    pub(crate) async fn start(folder: &Path) -> Result<Self, Failure> {
        let program = program()?;
        let failed = |error: io::Error| Failure::failed("can't prepare nats-server's folder").because(error);
        fs::create_dir_all(folder).map_err(failed)?;
        // nats-server's own idea of relative paths must not matter.
        let folder = fs::canonicalize(folder).map_err(failed)?;
        end_left_behind(&folder).await?;
        let ports = ports(&folder).map_err(failed)?;
        fs::write(config_file(&folder), config(ports, &folder)).map_err(failed)?;
        let child = spawn(&program, &folder).map_err(|error| cannot_start(&program).because(error))?;
        let mut nats = Self { program, folder, ports, child };
        nats.ready().await?;
        Ok(nats)
    }

    /// Where services reach it.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.ports.client)
    }

    /// Where it says how it is set up.
    pub(crate) fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.monitor)
    }

    /// Starts it again whenever it ends, and returns when that has no end.
    pub(crate) async fn attend(&mut self) -> Failure {
        let mut ends: Vec<Instant> = Vec::new();
        loop {
            let ended = match self.child.wait().await {
                Ok(status) => said(status),
                Err(error) => error.to_string(),
            };
            let now = Instant::now();
            ends.retain(|end| now.duration_since(*end) < WHILE);
            ends.push(now);
            if ends.len() > RESTARTS {
                let log = log_file(&self.folder);
                return Failure::failed(format!("nats-server keeps ending ({ended})"))
                    .help(format!("its log is {}", log.display()));
            }
            tracing::error!(status = ended, "nats-server ended, starting it again");
            match spawn(&self.program, &self.folder) {
                Ok(child) => self.child = child,
                Err(error) => return cannot_start(&self.program).because(error),
            }
            match self.ready().await {
                Ok(()) => tracing::warn!("nats-server is back"),
                Err(failure) => return failure,
            }
        }
    }

    /// Ends it in good order, or at once if it does not listen.
    pub(crate) async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(pid) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(END, self.child.wait()).await.is_err() {
            tracing::warn!("nats-server did not end in time and is killed");
            let _ = self.child.kill().await;
        }
        let _ = fs::remove_file(pid_file(&self.folder));
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let http = http::client("vedette-up", Trust::Anyone)?;
        let health = format!("{}/healthz", self.monitor_url());
        let end = Instant::now() + READY;
        loop {
            let asked = http.get(&health).timeout(Duration::from_secs(2)).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > end {
                let what = match ended {
                    Some(status) => format!("nats-server ended while it started ({})", said(status)),
                    None => format!("nats-server was not ready within {} s", READY.as_secs()),
                };
                let log = log_file(&self.folder);
                let help = format!("its log is {}; it ends with\n{}", log.display(), last_lines(&log));
                return Err(Failure::failed(what).help(help));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Nats {
    /// Where it was not stopped in good order, nothing is left behind either.
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}

fn cannot_start(program: &Path) -> Failure {
    Failure::failed(format!("can't start `{}`", program.display()))
}

fn said(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".to_owned(),
    }
}

/// `$VEDETTE_NATS_SERVER`, in `$PATH`, or where `make up` puts it.
fn program() -> Result<PathBuf, Failure> {
    const NAME: &str = "nats-server";
    if let Some(named) = std::env::var_os("VEDETTE_NATS_SERVER").filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        if named.is_file() {
            return Ok(named);
        }
        let what = format!("VEDETTE_NATS_SERVER names `{}`, which is no file", named.display());
        return Err(Failure::usage(what));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from).or_else(home);
    std::env::split_paths(&path)
        .chain(cache.map(|cache| cache.join("vedette").join("bin")))
        .map(|folder| folder.join(NAME))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            Failure::usage("there is no nats-server")
                .help("`scripts/tools.sh nats` fetches it; or name one with VEDETTE_NATS_SERVER, or put it in PATH")
        })
}

fn spawn(program: &Path, folder: &Path) -> io::Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(log_file(folder))?;
    Command::new(program)
        .arg("-c")
        .arg(config_file(folder))
        .env("VEDETTE_NATS_DATA", folder.join("data"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// The shipped configuration, with this folder's addresses: of two values for one key the later one counts.
fn config(ports: Ports, folder: &Path) -> String {
    let Ports { client, monitor } = ports;
    format!(
        "{CONFIG}\n# Made by `vedette up` at each start.\nlisten: \"127.0.0.1:{client}\"\nhttp: \"127.0.0.1:{monitor}\"\n\
         pid_file: {}\n",
        serde_json::Value::from(pid_file(folder).to_string_lossy())
    )
}

/// Those of the last start where they are free, so that what was pointed at them still is right; else new ones.
fn ports(folder: &Path) -> io::Result<Ports> {
    let file = folder.join("ports");
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let Ok(text) = fs::read_to_string(&file)
        && let Some((client, monitor)) = text.trim().split_once(' ')
        && let (Ok(client), Ok(monitor)) = (client.parse(), monitor.parse())
        && free(client).is_ok()
        && free(monitor).is_ok()
    {
        return Ok(Ports { client, monitor });
    }
    // Both held at once, so that they differ.
    let (client, monitor) = (free(0)?, free(0)?);
    let ports = Ports { client: client.local_addr()?.port(), monitor: monitor.local_addr()?.port() };
    fs::write(&file, format!("{} {}\n", ports.client, ports.monitor))?;
    Ok(ports)
}

/// A `vedette up` that was killed with -9 could not end its nats-server.
async fn end_left_behind(folder: &Path) -> Result<(), Failure> {
    let Some(pid) = left_behind(folder) else { return Ok(()) };
    tracing::info!(pid = pid.as_raw_nonzero(), "ending the nats-server that an earlier start left behind");
    let _ = kill_process(pid, Signal::TERM);
    let end = Instant::now() + END;
    while test_kill_process(pid).is_ok() && left_behind(folder).is_some() {
        if Instant::now() > end {
            let _ = kill_process(pid, Signal::KILL);
        }
        if Instant::now() > end + END {
            let what = format!("the nats-server of an earlier start (process {}) does not end", pid.as_raw_nonzero());
            return Err(Failure::failed(what).help("end it, then start again"));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The process that runs with this folder's configuration, if there is one. The number in the file may be another
/// process's by now, so its arguments are looked at.
fn left_behind(folder: &Path) -> Option<Pid> {
    let number = fs::read_to_string(pid_file(folder)).ok()?.trim().parse::<u32>().ok()?;
    let arguments = fs::read(format!("/proc/{number}/cmdline")).ok()?;
    let own = config_file(folder);
    let is_own = arguments.split(|&byte| byte == 0).any(|argument| argument == own.as_os_str().as_encoded_bytes());
    if is_own { pid(number) } else { None }
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

fn last_lines(file: &Path) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines.iter().skip(from).map(|line| format!("       {line}")).collect::<Vec<_>>().join("\n")
}

fn config_file(folder: &Path) -> PathBuf {
    folder.join("nats-server.conf")
}

fn pid_file(folder: &Path) -> PathBuf {
    folder.join("nats-server.pid")
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("nats-server.log")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{ports, said};

    #[test]
    fn ports_stay_unless_another_process_took_one() {
        let folder = tempfile::tempdir().unwrap();
        let first = ports(folder.path()).unwrap();
        assert_ne!(first.client, first.monitor);
        assert_eq!(ports(folder.path()).unwrap(), first);
        let taken = TcpListener::bind(("127.0.0.1", first.client)).unwrap();
        let other = ports(folder.path()).unwrap();
        assert_ne!(other.client, first.client);
        drop(taken);
        assert_eq!(ports(folder.path()).unwrap(), other);
    }

    #[test]
    fn the_end_of_a_process_is_said_in_words() {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(said(std::process::ExitStatus::from_raw(9)), "signal 9");
        assert_eq!(said(std::process::ExitStatus::from_raw(1 << 8)), "exit code 1");
    }
}

//! One process of a test: its group, its log, and its end.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{tools, wait};

/// Lines of a log that a failure prints.
const TAIL: usize = 40;
/// How long the threads of a process may take to stop.
const PAUSED: Duration = Duration::from_secs(30);

/// A running process, leader of its own process group.
///
/// Dropping it kills the group. If the test is killed before it can drop anything, the kernel kills the process: the
/// command is started through `setpriv --pdeathsig KILL`, the safe way to `PR_SET_PDEATHSIG`.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// What to start, without anything that could fail before the start.
#[derive(Debug, Clone)]
pub struct Plan {
    name: String,
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    folder: Option<PathBuf>,
    log: PathBuf,
}

impl Plan {
    /// `program`, called `name` in messages, with its output appended to `log`.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            log: log.into(),
        }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_str().expect("arguments are text").to_owned()));
        self
    }

    /// Sets a variable of the environment, over what the test itself has.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it in `folder`.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Starts it.
    pub fn start(&self) -> Process {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("the log can be opened");
        let mut command = Command::new(tools::system("setpriv", "util-linux"));
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program).args(&self.args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle can be cloned")).stderr(log);
        command.process_group(0);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let child = spawn(command).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        Process { name: self.name.clone(), child, log: self.log.clone() }
    }
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be waited for")
    }

    /// Waits until `ready` holds.
    ///
    /// # Panics
    /// If the process ends first, or `limit` passes; with the end of its log.
    pub fn wait_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) {
        let what = format!("{} to be ready", self.name);
        wait::until(limit, &what, || {
            if let Some(status) = self.ended() {
                panic!("{} ended before it was ready: {status}", self.name);
            }
            ready().then_some(())
        });
    }

    /// Asks it to end (SIGTERM) and gives its exit status.
    ///
    /// # Panics
    /// If it has not ended within `limit`.
    pub fn stop(&mut self, limit: Duration) -> ExitStatus {
        if let Some(status) = self.ended() {
            return status;
        }
        self.signal(Signal::TERM);
        let what = format!("{} to end", self.name);
        wait::until(limit, &what, || self.child.try_wait().expect("the child can be waited for"))
    }

    /// Kills it and its group at once (SIGKILL), as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// The whole log so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Stops it where it stands, as a machine that hangs; returns once none of its threads runs any more, which the signal
    /// itself does not wait for.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let threads = format!("/proc/{}/task", self.id());
        wait::until(PAUSED, "all threads to stop", || {
            let mut threads = std::fs::read_dir(&threads).ok()?.flatten();
            threads.all(|thread| is_stopped(&thread.path())).then_some(())
        });
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        // It may have ended by itself meanwhile: then there is nothing to signal.
        let _ = kill_process_group(pid, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = match self.child.try_wait() {
                Ok(Some(status)) => match status.signal() {
                    Some(signal) => format!("ended by signal {signal}"),
                    None => format!("ended: {status}"),
                },
                _ => "running".to_owned(),
            };
            eprintln!("--- {} ({state}), end of its log\n{}---", self.name, tail(&self.log));
        }
        self.kill();
    }
}

/// The last lines of a file.
fn tail(path: &Path) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = File::open(path) {
        let length = file.metadata().map(|m| m.len()).unwrap_or(0);
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(64 << 10)));
        let _ = file.read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| format!("{line}\n")).collect()
}

type Request = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Whether the kernel says of a thread (its folder in `/proc`) that it is stopped: the letter behind its name in parentheses.
fn is_stopped(thread: &Path) -> bool {
    let stat = std::fs::read_to_string(thread.join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

/// Starts `command` from a thread that lives as long as this process: the kernel sends a death signal when the
/// *thread* that started a process ends, which a thread of an asynchronous runtime may do at any time.
fn spawn(command: Command) -> std::io::Result<Child> {
    static STARTER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        std::thread::Builder::new()
            .name("starter".to_owned())
            .spawn(move || {
                for (mut command, answer) in requests {
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("a thread can be started");
        sender
    });
    let (answer, child) = mpsc::channel();
    starter.send((command, answer)).expect("the starter lives as long as the process");
    child.recv().expect("the starter answers")
}

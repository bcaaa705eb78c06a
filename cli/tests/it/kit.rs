//! Starting `vedette up` in a folder of its own and talking to it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use vedette_e2e::{tools, wait};

/// What anything here may take, on a machine that does much else.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A data folder and what is started on it.
pub(crate) struct Home {
    folder: TempDir,
    /// The port where rules are managed.
    pub(crate) operator: u16,
}

/// A running `vedette up`.
pub(crate) struct Up {
    child: Child,
    out: PathBuf,
    pub(crate) err: PathBuf,
    data: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("vedette-up-").tempdir().unwrap();
        Self { folder, operator: vedette_e2e::ports::free() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Starts on free ports, in the repository, and does not wait.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Up {
        let (out, err) = (self.path("out"), self.path("err"));
        let child = vedette()
            .arg("up")
            .arg("--data-dir")
            .arg(self.data())
            .args(["--webhook-listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0"])
            .args(["--operator-listen", &format!("127.0.0.1:{}", self.operator)])
            .args(arguments)
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Up { child, out, err, data: self.data() }
    }

    /// Starts and waits until the summary is there.
    pub(crate) fn start(&self, arguments: &[&str]) -> Up {
        let mut up = self.spawn(arguments);
        up.wait_for("Ctrl-C stops");
        up
    }

    /// The first lists of the bundled sample, enough to hold events of every kind.
    pub(crate) fn small_sample(&self, lists: usize) -> PathBuf {
        let file = self.path("sample.ndjson.gz");
        let mut out = GzEncoder::new(File::create(&file).unwrap(), Compression::fast());
        for line in sample_lines().take(lists) {
            writeln!(out, "{line}").unwrap();
        }
        out.finish().unwrap();
        file
    }

    /// The process id of the nats-server on this folder's data, if one runs.
    pub(crate) fn nats_server(&self) -> Option<u32> {
        nats_server(&self.data())
    }
}

impl Up {
    /// What it has printed.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    pub(crate) fn line(&self, part: &str) -> String {
        let text = self.text();
        text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("no `{part}` in\n{text}")).to_owned()
    }

    pub(crate) fn wait_for(&mut self, part: &str) {
        wait::until(LIMIT, &format!("`{part}`"), || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status}:\n{}\n{}", self.text(), self.errors());
            }
            self.text().contains(part).then_some(())
        });
    }

    pub(crate) fn webhook(&self) -> String {
        word(&self.line(" webhook "), "https://")
    }

    pub(crate) fn console(&self) -> String {
        let login = word(&self.line(" console "), "http://");
        login.split_once("/#login=").unwrap_or_else(|| panic!("{login} signs nobody in")).0.to_owned()
    }

    /// Asks the console, as `vedette query …` does.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A command that asks the console.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = vedette();
        command.args(arguments).arg("--url").arg(self.console()).arg("--data-dir").arg(&self.data);
        command
    }

    /// Sends a file to the webhook.
    pub(crate) fn replay(&self, file: &Path, arguments: &[&str]) -> Output {
        let mut command = vedette();
        command.arg("replay").arg(file).arg("--url").arg(self.webhook()).arg("--data-dir").arg(&self.data);
        command.args(arguments).output().unwrap()
    }

    /// The console's document.
    pub(crate) fn status(&self) -> Value {
        json(&self.ask(&["status", "-o", "json"]))
    }

    /// The console's document once everything received was applied and `done` is true of it.
    pub(crate) fn settled(&self, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        wait::until(LIMIT, what, || {
            let status = self.status();
            (status["books"]["settled"] == true && done(&status)).then_some(status)
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id() as i32).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait::until(LIMIT, "the end of vedette up", || self.child.try_wait().unwrap())
    }

    /// Ctrl-C, and the end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::INT);
        self.ended()
    }

    /// The end without a chance to do anything (-9).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(pid) = nats_server(&self.data) {
            let _ = kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL);
        }
    }
}

/// The program that was built, at the root of the repository, with nothing of the caller's settings.
pub(crate) fn vedette() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    command.current_dir(tools::repository("."));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("VEDETTE_") && name != "VEDETTE_NATS_SERVER" {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// The lists of the bundled sample, as kube-apiserver sent them.
pub(crate) fn sample_lines() -> impl Iterator<Item = String> {
    let file = tools::repository("e2e/testdata/kube-apiserver-eventlists.ndjson.gz");
    BufReader::new(MultiGzDecoder::new(File::open(file).unwrap())).lines().map(Result::unwrap)
}

/// The other parts of the sample: KubeSphere's list and those of the incidents, in the order in which they are sent.
pub(crate) fn more_lists() -> Vec<Value> {
    let kubesphere = fs::read(tools::repository("e2e/testdata/kubesphere-eventlists.json")).unwrap();
    let incidents = File::open(tools::repository("e2e/testdata/incidents-eventlists.ndjson.gz")).unwrap();
    let incidents = BufReader::new(MultiGzDecoder::new(incidents)).lines().map(Result::unwrap);
    let lists = incidents.map(|line| serde_json::from_str(&line).unwrap());
    std::iter::once(serde_json::from_slice(&kubesphere).unwrap()).chain(lists).collect()
}

/// What the oracle counted: of the traffic (`expected.json`) or of the other parts (`expected-incidents.json`).
pub(crate) fn expected(file: &str) -> Value {
    serde_json::from_slice(&fs::read(tools::repository("e2e/testdata").join(file)).unwrap()).unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The lines of the standard output, with one space where columns have many.
pub(crate) fn rows(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}{}", text(output), errors(output));
    text(output).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error} in\n{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

fn word(line: &str, start: &str) -> String {
    line.split_whitespace().find(|word| word.starts_with(start)).unwrap().to_owned()
}

fn nats_server(data: &Path) -> Option<u32> {
    let config = fs::canonicalize(data).ok()?.join("nats").join("nats-server.conf");
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let arguments = fs::read(entry.path().join("cmdline")).ok()?;
        let mut arguments = arguments.split(|&byte| byte == 0);
        arguments.any(|argument| argument == config.as_os_str().as_encoded_bytes()).then_some(pid)
    })
}

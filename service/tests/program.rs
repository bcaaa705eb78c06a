//! The program around a service, run as a program: `examples/chassis.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

/// The example, which cargo builds beside the tests.
fn chassis(variables: &[(&str, &str)]) -> Command {
    let tests = std::env::current_exe().unwrap();
    let path: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples/chassis");
    let mut command = Command::new(path);
    command.env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ends_at_once(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// A running service, killed if the test fails.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = chassis(variables).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// The next line of the log with `words` in it. A service that ends closes its log, so that this ends too.
    fn logs(&mut self, words: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            if line.contains(words) {
                return line;
            }
            line.clear();
        }
        panic!("the service ended without logging {words:?}");
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    fn ends(&mut self) -> (i32, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_runs_until_it_is_told_to_stop() {
    for signal in ["TERM", "INT"] {
        let mut service = Running::start(&[("VEDETTE_CHASSIS_GREETING", "good morning")]);
        assert!(service.logs("greeted").contains("good morning"));
        service.signal(signal);
        let (code, log) = service.ends();
        assert_eq!(code, 0, "{log}");
        assert!(log.contains("stopped"), "{log}");
    }
}

#[test]
fn a_service_that_fails_says_why_once_and_exits_with_1() {
    let mut service = Running::start(&[("VEDETTE_CHASSIS_END", "badly")]);
    service.logs("greeted");
    service.signal("TERM");
    let (code, log) = service.ends();
    assert_eq!(code, 1, "{log}");
    assert_eq!(log.matches("keep the peace: it broke").count(), 1, "{log}");
}

#[test]
fn a_second_signal_ends_a_service_that_does_not_drain() {
    let mut service = Running::start(&[("VEDETTE_CHASSIS_END", "never")]);
    service.logs("greeted");
    service.signal("TERM");
    service.logs("stopping");
    service.signal("TERM");
    let (code, log) = service.ends();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("stopping at once"), "{log}");
}

#[test]
fn logs_are_json_where_asked() {
    let mut service = Running::start(&[("VEDETTE_LOG_FORMAT", "json")]);
    let line = service.logs("greeted");
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["message"], "greeted");
    assert_eq!(record["greeting"], "hello");
    assert_eq!(record["level"], "INFO");
}

#[test]
fn the_side_door_is_open_while_the_service_runs() {
    let mut service = Running::start(&[("VEDETTE_CHASSIS_ADMIN__LISTEN", "127.0.0.1:0")]);
    let line = service.logs("serving health and metrics");
    service.logs("greeted");
    let address = line.split("listen=").nth(1).unwrap().trim();
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("greeter"), "{answer}");
}

#[test]
fn a_wrong_configuration_exits_with_2_and_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chassis.yaml");
    std::fs::write(&file, "greating: hi\n").unwrap();
    let wanted = format!("{}: `greating`: unknown key, expected one of `greeting`, `end`, `admin`", file.display());
    let (code, text) = ends_at_once(chassis(&[]).arg("--config").arg(&file));
    assert!(code == 2 && text.contains(&wanted), "{code}: {text}");
    let (code, text) = ends_at_once(&mut chassis(&[("VEDETTE_CHASSIS_CONFIG", file.to_str().unwrap())]));
    assert!(code == 2 && text.contains(&wanted), "{code}: {text}");
    let (code, text) = ends_at_once(&mut chassis(&[("VEDETTE_LOG_FORMAT", "xml")]));
    assert!(code == 2 && text.contains("VEDETTE_LOG_FORMAT is `xml`"), "{code}: {text}");
}

#[test]
fn arguments_are_those_of_any_program() {
    let (code, text) = ends_at_once(chassis(&[]).arg("--version"));
    assert_eq!((code, text.trim()), (0, concat!("vedette-chassis ", env!("CARGO_PKG_VERSION"))));
    let (code, text) = ends_at_once(chassis(&[]).arg("--help"));
    assert!(code == 0 && text.contains("VEDETTE_CHASSIS_CONFIG"), "{text}");
    let (code, text) = ends_at_once(chassis(&[]).arg("--frobnicate"));
    assert!(code == 2 && text.contains("--frobnicate"), "{text}");
}

//! Ports of 127.0.0.1 that a process can be told to listen on, and find free again after it was killed.
//!
//! They lie below the range from which the kernel takes ports for outgoing connections, and a lock file for each keeps
//! two tests from being given the same one, so that a restarted server always gets its port back.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

const FIRST: u16 = 18_000;
const COUNT: u16 = 12_000;

static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that nothing listens on, reserved until the process of the test ends.
pub fn free() -> u16 {
    let folder = std::env::temp_dir().join("vedette-test-ports");
    std::fs::create_dir_all(&folder).expect("the folder for port locks can be made");
    let start = std::process::id() % u32::from(COUNT);
    for step in 0..COUNT {
        let port = FIRST + ((start as u16) + step) % COUNT;
        let Ok(file) = File::create(folder.join(format!("{port}.lock"))) else { continue };
        if file.try_lock().is_err() {
            continue;
        }
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            TAKEN.lock().expect("no holder of this lock panics").push(file);
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}

//! Who has the port that is wanted.
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use crate::outcome::Failure;

/// Holds an address, or says who has it. `setting` is the flag that names another.
pub(crate) fn hold(address: SocketAddr, what: &str, setting: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        if error.kind() != std::io::ErrorKind::AddrInUse {
            let help = format!("name another with {setting}");
            return Failure::failed(format!("the {what} can't listen on {address}")).because(error).help(help);
        }
        let holder = holder(address).map(|holder| format!(" by {holder}")).unwrap_or_default();
        let help = format!("end that, or name another with {setting}, as {setting} {}", elsewhere(address));
        Failure::failed(format!("the {what} can't listen on {address}: it is taken{holder}")).help(help)
    })
}

fn elsewhere(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port().checked_add(1000).unwrap_or(18_080))
}

/// The process that listens there, where the system lets us see it.
fn holder(address: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| listening(table, address))?;
    let socket = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let has = files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|to| to == Path::new(&socket)));
        if has {
            let command = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("`{}` (process {pid})", command.trim()));
        }
    }
    None
}

/// The inode of the socket that listens on this port, on the address itself or on all.
fn listening(table: &str, address: SocketAddr) -> Option<String> {
    const LISTEN: &str = "0A";
    let text = fs::read_to_string(table).ok()?;
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, state, _, _, _, _, _, inode, ..] = fields.as_slice() else { return None };
        let (ip, port) = local.split_once(':')?;
        let wanted = *state == LISTEN && u16::from_str_radix(port, 16).ok()? == address.port();
        let all = ip.bytes().all(|byte| byte == b'0') || address.ip().is_unspecified();
        (wanted && (all || ip == hex(address.ip()))).then(|| (*inode).to_owned())
    })
}

/// An address as the kernel writes it: each four bytes in the machine's order.
fn hex(ip: IpAddr) -> String {
    let word = |bytes: &[u8]| bytes.iter().rev().map(|byte| format!("{byte:02X}")).collect::<String>();
    match ip {
        IpAddr::V4(ip) => word(&ip.octets()),
        IpAddr::V6(ip) => ip.octets().chunks(4).map(word).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::hold;

    #[test]
    fn who_has_a_port_is_named() {
        let free = hold("127.0.0.1:0".parse().unwrap(), "webhook", "--webhook-listen").unwrap();
        drop(free);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = hold(address, "webhook", "--webhook-listen").unwrap_err().render(false);
        assert!(error.contains(&format!("the webhook can't listen on {address}: it is taken by `")), "{error}");
        assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
        assert!(error.contains("--webhook-listen 127.0.0.1:"), "{error}");
    }
}

//! Finds the process that listens on an address, as far as `/proc` tells (proc(5)).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// Its name and number; those of other users are root's to see.
pub(super) fn of(address: SocketAddr) -> Option<String> {
    let inodes: Vec<_> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, address.port()))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let process = process.path();
        let number: u32 = process.file_name()?.to_str()?.parse().ok()?;
        if !holds(&process, &inodes) {
            return None;
        }
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        // A process names itself.
        let name = name.trim_end().replace(char::is_control, " ");
        Some(format!("{name:?} (process {number})"))
    })
}

/// The inodes of the sockets that listen on this port, of whatever address.
fn listening(table: &str, port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let inode = |line: &str| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let found = words.get(1)?.ends_with(&port) && *words.get(3)? == LISTEN;
        found.then(|| words.get(9).map(ToString::to_string))?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn holds(process: &Path, sockets: &[String]) -> bool {
    let descriptors = fs::read_dir(process.join("fd"));
    descriptors
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|target| sockets.iter().any(|socket| Path::new(socket) == target))
}

/// The kernel's `TCP_LISTEN`.
const LISTEN: &str = "0A";

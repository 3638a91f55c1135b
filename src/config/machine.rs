//! What the configuration's defaults depend on: the board's size, who runs postern, and the usual paths.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::LogSource;

/// The facts of the machine that defaults are sized by. Tests make up their own.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Cores that this process may use, 1 or more.
    pub cores: usize,
    /// Memory of the whole machine, in bytes.
    pub memory: u64,
    /// Whether the process runs as root.
    pub root: bool,
    /// The env file that is read when none is named and this one exists.
    pub env_file: PathBuf,
    /// The log that the board keeps of itself, if this process may read one.
    pub log: Option<LogSource>,
}

impl Machine {
    /// The machine this process runs on.
    #[must_use]
    pub fn detect() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, NonZero::get),
            memory: memory_total().unwrap_or(ASSUMED_MEMORY),
            root: rustix::process::geteuid().is_root(),
            env_file: PathBuf::from(super::DEFAULT_ENV_FILE),
            log: board_log(),
        }
    }

    /// One worker a core; more than four would only share the work of a device's few clients.
    pub(super) fn workers(&self) -> usize {
        self.cores.clamp(1, 4)
    }

    /// Two connections a mebibyte: at 16 KB for an idle one, a thirtieth of the memory.
    pub(super) fn max_connections(&self) -> usize {
        to_usize((self.memory / MIB * 2).clamp(64, 1024))
    }

    /// A 256th of the memory, and enough for a few thousand lines on the smallest board.
    pub(super) fn log_buffer_bytes(&self) -> usize {
        to_usize((self.memory / 256).clamp(MIB / 4, MIB * 4))
    }
}

/// journald where it runs, for it has the kernel's messages too; else the kernel's alone, which not everybody may read.
fn board_log() -> Option<LogSource> {
    let journalctl = journalctl_places().any(|place| place.is_file());
    let kmsg = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(KMSG);
    let journald = Path::new(JOURNALD_SOCKET).exists();
    first_choice(journald, journalctl, kmsg.is_ok())
}

/// journald without anything to read it is chosen only where there is nothing else: its state then says what is
/// missing.
fn first_choice(journald: bool, journalctl: bool, kmsg: bool) -> Option<LogSource> {
    if journald && (journalctl || !kmsg) {
        return Some(LogSource::Journald);
    }
    kmsg.then_some(LogSource::Kmsg)
}

/// Where `journalctl` may be, the likeliest place first.
pub(crate) fn journalctl_places() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others: Vec<_> = std::env::split_paths(&path).collect();
    ["/usr/bin", "/bin"]
        .map(PathBuf::from)
        .into_iter()
        // What a relative path means depends on where one stands.
        .chain(others.into_iter().filter(|folder| folder.is_absolute()))
        .map(|folder| folder.join("journalctl"))
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn memory_total() -> Option<u64> {
    let mut text = String::new();
    File::open("/proc/meminfo")
        .ok()?
        .take(MEMINFO_BYTES)
        .read_to_string(&mut text)
        .ok()?;
    parse_memory_total(&text)
}

fn parse_memory_total(meminfo: &str) -> Option<u64> {
    let kibibytes = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?
        .trim()
        .strip_suffix("kB")?
        .trim_end();
    kibibytes.parse::<u64>().ok()?.checked_mul(1024)
}

fn to_usize(bounded: u64) -> usize {
    usize::try_from(bounded).unwrap_or(usize::MAX)
}

/// Where journald takes what services write; there only while it runs.
const JOURNALD_SOCKET: &str = "/run/systemd/journal/stdout";

/// The kernel's messages.
pub(crate) const KMSG: &str = "/dev/kmsg";

const MIB: u64 = 1024 * 1024;

/// Without `/proc` the board is taken for a small one.
const ASSUMED_MEMORY: u64 = 256 * MIB;

/// `MemTotal` is the first line; the whole file has some 1.5 KB.
const MEMINFO_BYTES: u64 = 8 * 1024;

#[cfg(test)]
mod tests;

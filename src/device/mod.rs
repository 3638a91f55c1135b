//! What the board says of itself, from `/proc` and `/sys`. A figure the board does not have is `None`, never a guess.

pub mod updates;

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The board's model, from the device tree, or the machine's from its firmware.
#[must_use]
pub fn model() -> Option<String> {
    ["/proc/device-tree/model", "/sys/class/dmi/id/product_name"]
        .iter()
        .find_map(|path| read_small(path))
        .map(|text| {
            text.trim_matches(|c: char| c == '\0' || c.is_whitespace())
                .to_owned()
        })
        .filter(|text| !text.is_empty())
}

/// The host's name, without a domain.
#[must_use]
pub fn hostname() -> Option<String> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?;
    let name = name.split('.').next().unwrap_or_default();
    (!name.is_empty() && name != "(none)").then(|| name.to_owned())
}

/// Seconds since the kernel started.
#[must_use]
pub fn uptime_seconds() -> Option<u64> {
    let text = read_small("/proc/uptime")?;
    let whole = text.split(['.', ' ']).next()?;
    whole.parse().ok()
}

/// The load averages of 1, 5 and 15 minutes.
#[must_use]
pub fn load_average() -> Option<[f64; 3]> {
    let text = read_small("/proc/loadavg")?;
    let mut numbers = text.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What the kernel manages.
    pub total: u64,
    /// What could be had without swapping.
    pub available: u64,
    /// What this process has in memory.
    pub resident: u64,
}

/// The device's memory, and this process's part of it.
#[must_use]
pub fn memory() -> Option<Memory> {
    let device = read_small("/proc/meminfo")?;
    let process = read_small("/proc/self/status")?;
    Some(Memory {
        total: kib_field(&device, "MemTotal:")?,
        available: kib_field(&device, "MemAvailable:")?,
        resident: kib_field(&process, "VmRSS:")?,
    })
}

/// `Name:   1234 kB`, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

/// The processor's temperature in degrees Celsius: the first thermal zone that has a plausible one.
#[must_use]
pub fn temperature() -> Option<f64> {
    (0..MAX_THERMAL_ZONES)
        .map_while(|zone| read_small(&format!("/sys/class/thermal/thermal_zone{zone}/temp")))
        .filter_map(|text| text.trim().parse::<f64>().ok())
        .map(|thousandths| thousandths / 1000.0)
        .find(|celsius| (-60.0..=200.0).contains(celsius))
}

/// Space on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Its size.
    pub total: u64,
    /// What an ordinary user may still write.
    pub available: u64,
}

/// The file system that holds `path`.
#[must_use]
pub fn disk(path: &Path) -> Option<Disk> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(Disk {
        total: stat.f_blocks.checked_mul(stat.f_frsize)?,
        available: stat.f_bavail.checked_mul(stat.f_frsize)?,
    })
}

fn read_small(path: &str) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(MAX_PROC_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The files read here have a few kilobytes.
const MAX_PROC_FILE: u64 = 64 * 1024;

/// Boards have a handful.
const MAX_THERMAL_ZONES: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_says_what_every_linux_says() {
        let memory = memory().expect("memory");
        assert!(memory.resident > 0 && memory.resident < memory.total);
        assert!(memory.available <= memory.total);
        assert!(
            load_average()
                .expect("load")
                .iter()
                .all(|load| *load >= 0.0)
        );
        assert!(uptime_seconds().is_some());
        let disk = disk(Path::new("/")).expect("disk");
        assert!(disk.available <= disk.total);
    }

    #[test]
    fn what_is_not_there_is_absent() {
        assert_eq!(read_small("/nowhere/at/all"), None);
        assert_eq!(kib_field("MemTotal: many kB", "MemTotal:"), None);
        assert_eq!(disk(Path::new("/nowhere/at/all")), None);
    }
}

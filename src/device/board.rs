//! What the board says of itself, from `/proc` and `/sys`. A figure the board does not have is `None`, never a guess.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The files that the kernel shows a board by.
#[derive(Debug, Clone)]
pub struct BoardReader {
    root: PathBuf,
}

impl Default for BoardReader {
    fn default() -> Self {
        Self::under("/")
    }
}

impl BoardReader {
    /// The board whose `/proc` and `/sys` are under this folder.
    #[must_use]
    pub fn under(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The board's model, from the device tree, or the machine's from its firmware.
    #[must_use]
    pub fn model(&self) -> Option<String> {
        ["proc/device-tree/model", "sys/class/dmi/id/product_name"]
            .iter()
            .find_map(|path| self.read(path))
            .map(|text| {
                text.trim_matches(|c: char| c == '\0' || c.is_whitespace())
                    .to_owned()
            })
            .filter(|text| !text.is_empty())
    }

    /// Whether systemd-timesyncd has set the clock since the board was switched on; `None` where it does not run. The kernel's
    /// own `STA_UNSYNC` would know of any daemon, but only adjtimex(2) tells it, for which there is no safe call.
    #[must_use]
    pub fn clock_synchronised(&self) -> Option<bool> {
        let folder = self.root.join("run/systemd/timesync");
        folder
            .is_dir()
            .then(|| folder.join("synchronized").exists())
    }

    /// Seconds since the kernel started.
    #[must_use]
    pub fn uptime_seconds(&self) -> Option<u64> {
        let text = self.read("proc/uptime")?;
        let whole = text.split(['.', ' ']).next()?;
        whole.parse().ok()
    }

    /// The load averages of 1, 5 and 15 minutes.
    #[must_use]
    pub fn load_average(&self) -> Option<[f64; 3]> {
        let text = self.read("proc/loadavg")?;
        let mut numbers = text.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok().filter(|load: &f64| load.is_finite());
        Some([next()?, next()?, next()?])
    }

    /// The device's memory.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        let text = self.read("proc/meminfo")?;
        Some(Memory {
            total: kib_field(&text, "MemTotal:")?,
            available: kib_field(&text, "MemAvailable:")?,
        })
    }

    /// What this process uses.
    #[must_use]
    pub fn process(&self) -> Option<Process> {
        let status = self.read("proc/self/status")?;
        // Fields from the third on, behind the name, which may hold anything: proc_pid_stat(5).
        let stat = self.read("proc/self/stat")?;
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks = |field: usize| -> Option<u64> {
            fields.split_ascii_whitespace().nth(field - 3)?.parse().ok()
        };
        let descriptors = fs::read_dir(self.root.join("proc/self/fd")).ok()?.count();
        Some(Process {
            resident: kib_field(&status, "VmRSS:")?,
            threads: field(&status, "Threads:")?.parse().ok()?,
            cpu_ticks: ticks(14)?.checked_add(ticks(15)?)?,
            // One of them is the folder, open to be counted.
            descriptors: descriptors.saturating_sub(1),
        })
    }

    /// The processor's temperature in degrees Celsius: the first thermal zone that has a plausible one.
    #[must_use]
    pub fn temperature(&self) -> Option<f64> {
        (0..MAX_THERMAL_ZONES)
            .map_while(|zone| self.read(format!("sys/class/thermal/thermal_zone{zone}/temp")))
            .filter_map(|text| text.trim().parse::<f64>().ok())
            .map(|thousandths| thousandths / 1000.0)
            .find(|celsius| (-60.0..=200.0).contains(celsius))
    }

    /// What a Raspberry Pi's firmware says about its power and heat.
    #[must_use]
    pub fn throttling(&self) -> Option<Throttling> {
        // The vendor's kernel has all flags, in hexadecimal; any other kernel has the first one.
        let firmware = fs::read_dir(self.root.join(FIRMWARE)).into_iter().flatten();
        let all = firmware
            .take(MAX_SENSORS)
            .filter_map(Result::ok)
            .find_map(|device| self.read(device.path().join("get_throttled")));
        if let Some(all) = all {
            let digits = all.trim().trim_start_matches("0x");
            return u32::from_str_radix(digits, 16)
                .ok()
                .map(|flags| Throttling {
                    flags,
                    known: ALL_FLAGS,
                });
        }
        (0..MAX_SENSORS)
            .map(|sensor| format!("sys/class/hwmon/hwmon{sensor}"))
            .find(|sensor| {
                let name = self.read(format!("{sensor}/name"));
                name.is_some_and(|name| name.trim() == "rpi_volt")
            })
            .and_then(|sensor| self.read(format!("{sensor}/in0_lcrit_alarm")))
            .and_then(|alarm| match alarm.trim() {
                "0" => Some(0),
                "1" => Some(UNDER_VOLTAGE.bit),
                _ => None,
            })
            .map(|flags| Throttling {
                flags,
                known: UNDER_VOLTAGE.bit,
            })
    }

    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut text = String::new();
        let file = File::open(self.root.join(path)).ok()?;
        file.take(MAX_PROC_FILE).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

/// The host's name, without a domain.
#[must_use]
pub fn hostname() -> Option<String> {
    let whole = whole_hostname()?;
    let name = whole.split('.').next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The host's name, with its domain if it was given one.
#[must_use]
pub fn whole_hostname() -> Option<String> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?;
    (!name.is_empty() && name != "(none)").then(|| name.to_owned())
}

/// The device's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What the kernel manages.
    pub total: u64,
    /// What could be had without swapping.
    pub available: u64,
}

/// What this process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// What it has in memory, in bytes.
    pub resident: u64,
    /// Its threads.
    pub threads: u64,
    /// Processor time, its own and the kernel's for it, in [`CPU_TICKS`] a second.
    pub cpu_ticks: u64,
    /// Its open descriptors.
    pub descriptors: usize,
}

/// `USER_HZ`: what the kernel counts processor time in for programs, on every architecture postern is built for (time(7)).
pub const CPU_TICKS: u64 = 100;

/// What a Raspberry Pi's firmware reports: flags as `vcgencmd get_throttled` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttling {
    flags: u32,
    /// Which of them this board tells.
    known: u32,
}

impl Throttling {
    /// The flags that the board tells: each one's name, and whether it holds.
    pub fn now(self) -> impl Iterator<Item = (&'static str, bool)> {
        FLAGS
            .iter()
            .filter(move |flag| self.known & flag.bit != 0)
            .map(move |flag| (flag.name, self.flags & flag.bit != 0))
    }

    /// The same for whether it has held since the board was switched on; none where the board does not tell.
    pub fn since_boot(self) -> impl Iterator<Item = (&'static str, bool)> {
        FLAGS
            .iter()
            .map(|flag| (flag.name, flag.bit << SINCE_BOOT))
            .filter(move |(_, bit)| self.known & bit != 0)
            .map(move |(name, bit)| (name, self.flags & bit != 0))
    }
}

struct ThrottlingFlag {
    name: &'static str,
    bit: u32,
}

const UNDER_VOLTAGE: ThrottlingFlag = ThrottlingFlag {
    name: "under_voltage",
    bit: 1,
};

/// The names are the firmware documentation's.
const FLAGS: [ThrottlingFlag; 4] = [
    UNDER_VOLTAGE,
    ThrottlingFlag {
        name: "frequency_capped",
        bit: 1 << 1,
    },
    ThrottlingFlag {
        name: "throttled",
        bit: 1 << 2,
    },
    ThrottlingFlag {
        name: "soft_temperature_limit",
        bit: 1 << 3,
    },
];

/// So far above each flag stands the one that says it has held since the board was switched on.
const SINCE_BOOT: u32 = 16;

const ALL_FLAGS: u32 = 0xf | 0xf << SINCE_BOOT;

/// The driver of the firmware in the vendor's kernels. Its device has another name on each model.
const FIRMWARE: &str = "sys/bus/platform/drivers/raspberrypi-firmware";

/// Space on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Its size.
    pub total: u64,
    /// What an ordinary user may still write.
    pub available: u64,
}

/// The file system that holds `path`.
#[must_use]
pub fn disk(path: &Path) -> Option<DiskSpace> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(DiskSpace {
        total: stat.f_blocks.checked_mul(stat.f_frsize)?,
        available: stat.f_bavail.checked_mul(stat.f_frsize)?,
    })
}

/// `Name:   1234 kB`, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let number: u64 = field(text, name)?
        .strip_suffix(" kB")?
        .trim()
        .parse()
        .ok()?;
    number.checked_mul(1024)
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim())
}

/// The files read here have a few kilobytes.
const MAX_PROC_FILE: u64 = 64 * 1024;

/// Boards have a handful.
const MAX_THERMAL_ZONES: u32 = 16;

/// Here too.
const MAX_SENSORS: usize = 16;

#[cfg(test)]
mod tests;

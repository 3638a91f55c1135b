//! What the device is made of: the crates in this program, and the packages of the system it runs on, as the package
//! manager's own list has them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::advisories::order::{Order, is_sane};
use super::inventory;
use crate::files;

/// What advisories are held against.
#[derive(Debug, Default)]
pub struct Packages {
    crates: Versions,
    /// The system's, if it is one that is known, and its list could be read.
    system: Option<System>,
}

/// The system's packages.
#[derive(Debug, Clone)]
pub struct System {
    release: Release,
    packages: Versions,
}

/// Packages by the name that advisories know them by, each with the versions that are there.
type Versions = HashMap<Box<str>, Vec<Box<str>>>;

/// Which system it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Release {
    /// OSV's name: `Debian`, `Ubuntu`, `Alpine`, `OpenWrt`.
    name: &'static str,
    /// OSV's spelling: `12`, `22.04`, `v3.19`, `23.05`. Empty if it does not say, as Debian's testing.
    number: String,
}

/// Packages that an advisory is about.
#[derive(Debug, Clone, Copy)]
pub struct Ecosystem<'a> {
    /// How their versions are ordered.
    pub order: Order,
    packages: &'a Versions,
    release: Option<&'a Release>,
}

impl Packages {
    /// Those of this program, and of the system under `root`. If its list cannot be read, those that were `known` are
    /// taken, and what was wrong with it is told.
    #[must_use]
    pub fn look(root: &Path, known: Option<&Self>) -> (Self, Option<String>) {
        let mut crates = Versions::new();
        // postern itself is in no registry: whatever has its name there is somebody else's.
        for one in inventory::crates().iter().filter(|one| !one.is_own()) {
            let versions = crates.entry(one.name.into()).or_default();
            versions.push(one.version.into());
        }
        let (system, problem) = match System::look(root) {
            Ok(system) => (system, None),
            Err(problem) => (known.and_then(|known| known.system.clone()), Some(problem)),
        };
        (Self { crates, system }, problem)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        let system = self
            .system
            .as_ref()
            .map_or(0, |system| system.packages.len());
        self.crates.len() + system
    }

    /// The part that an advisory of OSV's ecosystem of this name is about; none if nothing here is of it.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Ecosystem<'_>> {
        if name == CRATES {
            return Some(Ecosystem {
                order: Order::Semver,
                packages: &self.crates,
                release: None,
            });
        }
        let System { release, packages } = self.system.as_ref()?;
        let order = match release.name {
            "Alpine" => Order::Alpine,
            _ => Order::Debian,
        };
        release.is(name).then_some(Ecosystem {
            order,
            packages,
            release: Some(release),
        })
    }
}

impl Ecosystem<'_> {
    /// The versions of this package that are here.
    #[must_use]
    pub fn versions(&self, package: &str) -> &[Box<str>] {
        self.packages.get(package).map_or(&[], Vec::as_slice)
    }

    /// Its name in full, in OSV's spelling.
    #[must_use]
    pub fn name(&self) -> String {
        match self.release {
            None => CRATES.to_owned(),
            Some(Release { name, number }) if number.is_empty() => (*name).to_owned(),
            Some(Release { name, number }) => format!("{name}:{number}"),
        }
    }
}

impl Release {
    /// Out of os-release(5).
    fn of(os_release: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut values = os_release
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            values
                .next_back()
                .unwrap_or("")
                .trim()
                .trim_matches(['"', '\''])
        };
        let number = field("VERSION_ID");
        let (name, number) = match field("ID") {
            // Raspberry Pi OS for ARMv6 is Debian, built anew.
            "debian" | "raspbian" => ("Debian", number.to_owned()),
            "ubuntu" => ("Ubuntu", number.to_owned()),
            "alpine" => ("Alpine", format!("v{}", first_two(number))),
            "openwrt" => ("OpenWrt", first_two(number).to_owned()),
            _ => return None,
        };
        Some(Self { name, number })
    }

    /// Whether OSV's ecosystem is this release, or all of them: `Debian:12`, `Ubuntu:22.04:LTS`, `Alpine`.
    fn is(&self, ecosystem: &str) -> bool {
        let mut parts = ecosystem.split(':');
        // Ubuntu's Pro has packages of its own, which are not known to be here.
        parts.next() == Some(self.name) && parts.next().is_none_or(|number| number == self.number)
    }
}

/// `3.19` of `3.19.1`.
fn first_two(number: &str) -> &str {
    let mut points = number.match_indices('.');
    points.nth(1).map_or(number, |(end, _)| &number[..end])
}

impl System {
    fn look(root: &Path) -> Result<Option<Self>, String> {
        let os_release = OS_RELEASE.iter().find_map(|path| {
            let bytes = files::read_up_to(&root.join(path), MAX_OS_RELEASE).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        });
        let Some(release) = os_release.as_deref().and_then(Release::of) else {
            return Ok(None);
        };
        let mut packages = Versions::new();
        let mut is_there = false;
        for (path, dialect) in LISTS {
            let path = root.join(path);
            let read = match files::open_regular(&path) {
                Ok(file) => read_list(file, *dialect, &mut packages),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Err(error),
            };
            read.map_err(|error| format!("{}: {error}", path.display()))?;
            is_there = true;
        }
        Ok(is_there.then_some(Self { release, packages }))
    }
}

/// Everything that tells whether [`Packages::look`] would find something new.
pub fn paths(root: &Path) -> impl Iterator<Item = PathBuf> {
    let lists = LISTS.iter().map(|(path, _)| path);
    OS_RELEASE
        .iter()
        .chain(lists)
        .map(move |path| root.join(path))
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// dpkg's and opkg's: `Package: name`.
    Control,
    /// apk's: `P:name`.
    Apk,
}

/// One package, as far as it was read.
#[derive(Default)]
struct Stanza {
    name: Option<String>,
    version: Option<String>,
    /// What it was built from, and that one's version, if that is another.
    source: Option<(String, Option<String>)>,
    is_gone: bool,
}

fn read_list(file: File, dialect: Dialect, packages: &mut Versions) -> io::Result<()> {
    let size = file.metadata()?.len();
    if size > MAX_LIST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut file = BufReader::new(file.take(MAX_LIST));
    let mut stanza = Stanza::default();
    let mut line = Vec::new();
    let mut whole = true;
    loop {
        line.clear();
        // A longer line is read in pieces, of which only the first means anything.
        let read = (&mut file).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let starts = std::mem::replace(&mut whole, line.ends_with(b"\n"));
        let text = line.trim_ascii_end();
        if starts && text.is_empty() {
            std::mem::take(&mut stanza).end(packages)?;
        } else if starts && let Ok(text) = std::str::from_utf8(text) {
            stanza.learn(text, dialect);
        }
    }
    // A list that was cut off ends in the midst of a line.
    if !whole {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    stanza.end(packages)
}

impl Stanza {
    fn learn(&mut self, line: &str, dialect: Dialect) {
        let Some((field, value)) = line.split_once(':') else {
            return;
        };
        let value = value.trim();
        match (dialect, field) {
            (Dialect::Control, "Package") | (Dialect::Apk, "P") => self.name = Some(value.into()),
            (Dialect::Control, "Version") | (Dialect::Apk, "V") => {
                self.version = Some(value.into())
            }
            (Dialect::Apk, "o") => self.source = Some((value.into(), None)),
            // `glibc`, or `glibc (2.36-9)`. OpenWrt has a path there, by which nobody knows a package.
            (Dialect::Control, "Source") if !value.contains('/') => {
                let (name, version) = match value.split_once(" (") {
                    Some((name, version)) => (name, version.strip_suffix(')')),
                    None => (value, None),
                };
                self.source = Some((name.into(), version.map(str::to_owned)));
            }
            // What is there in part is there.
            (Dialect::Control, "Status") => {
                let state = value.rsplit(' ').next().unwrap_or_default();
                self.is_gone = ["not-installed", "config-files"].contains(&state);
            }
            _ => {}
        }
    }

    /// Advisories name what a package was built from.
    fn end(self, packages: &mut Versions) -> io::Result<()> {
        let Some(name) = self.name else {
            return Ok(());
        };
        let (name, version) = match self.source {
            Some((source, version)) => (source, version.or(self.version)),
            None => (name, self.version),
        };
        if self.is_gone {
            return Ok(());
        }
        let Some(version) = version.filter(|version| is_sane(version) && is_sane(&name)) else {
            let message = "a package in it has no name or no version that could be one";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        };
        if packages.len() >= MAX_PACKAGES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let versions = packages.entry(name.into()).or_default();
        if versions.len() < MAX_VERSIONS && !versions.iter().any(|known| **known == *version) {
            versions.push(version.into());
        }
        Ok(())
    }
}

/// OSV's name of the crates' registry.
pub const CRATES: &str = "crates.io";

/// os-release(5).
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// Where the package managers keep what is installed.
const LISTS: &[(&str, Dialect)] = &[
    ("var/lib/dpkg/status", Dialect::Control),
    ("usr/lib/opkg/status", Dialect::Control),
    ("var/lib/opkg/status", Dialect::Control),
    ("lib/apk/db/installed", Dialect::Apk),
];

const MAX_OS_RELEASE: u64 = 64 * 1024;

/// Debian with all of a desktop has 5 MB.
const MAX_LIST: u64 = 64 * 1024 * 1024;

/// The fields that count are shorter; others are skipped.
const MAX_LINE: u64 = 8 * 1024;

const MAX_PACKAGES: usize = 50_000;

/// Of one source: kernels, mostly.
const MAX_VERSIONS: usize = 64;

#[cfg(test)]
#[path = "packages_tests.rs"]
mod tests;

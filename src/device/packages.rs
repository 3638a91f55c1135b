//! What the device is made of: the crates in this program, and the packages of the system it runs on, as the package
//! manager's own list has them.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::advisories::order::{VersionOrder, is_sane};
use super::inventory;
use crate::files;

/// What advisories are held against.
#[derive(Debug, Default)]
pub struct Packages {
    crates: Versions,
    /// The system's, if it is one that is known, and its list could be read.
    system: Option<SystemPackages>,
}

/// The system's packages.
#[derive(Debug, Clone)]
pub struct SystemPackages {
    release: SystemRelease,
    packages: Versions,
}

/// Packages by the name that advisories know them by, each with the versions that are there.
type Versions = HashMap<Box<str>, Vec<Box<str>>>;

/// Which system it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SystemRelease {
    /// OSV's name: `Debian`, `Ubuntu`, `Alpine`, `OpenWrt`.
    name: &'static str,
    /// OSV's spelling: `12`, `22.04`, `v3.19`, `23.05`. Empty if it does not say, as Debian's testing.
    number: String,
}

/// Packages that an advisory is about.
#[derive(Debug, Clone, Copy)]
pub struct EcosystemPackages<'a> {
    /// How their versions are ordered.
    pub order: VersionOrder,
    packages: &'a Versions,
    release: Option<&'a SystemRelease>,
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
        let before = known.and_then(|known| known.system.as_ref());
        let (system, problem) = match SystemPackages::look(root) {
            // A system does not go away; where its files are may.
            Ok(None) if before.is_some() => (before.cloned(), Some(GONE.to_owned())),
            Ok(system) => (system, None),
            Err(problem) => (before.cloned(), Some(problem)),
        };
        (Self { crates, system }, problem)
    }

    /// The system's ecosystem, in OSV's spelling; none if it is not one that is known.
    #[must_use]
    pub fn system(&self) -> Option<String> {
        let release = &self.system.as_ref()?.release;
        Some(release.to_string())
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
    pub fn of(&self, name: &str) -> Option<EcosystemPackages<'_>> {
        if name == CRATES {
            return Some(EcosystemPackages {
                order: VersionOrder::Semver,
                packages: &self.crates,
                release: None,
            });
        }
        let SystemPackages { release, packages } = self.system.as_ref()?;
        let order = match release.name {
            "Alpine" => VersionOrder::Alpine,
            _ => VersionOrder::Debian,
        };
        release.is(name).then_some(EcosystemPackages {
            order,
            packages,
            release: Some(release),
        })
    }
}

impl EcosystemPackages<'_> {
    /// The versions of this package that are here.
    #[must_use]
    pub fn versions(&self, package: &str) -> &[Box<str>] {
        self.packages.get(package).map_or(&[], Vec::as_slice)
    }

    /// Whether it is this program's crates.
    #[must_use]
    pub fn is_crates(&self) -> bool {
        self.release.is_none()
    }

    /// Its name in full, in OSV's spelling.
    #[must_use]
    pub fn name(&self) -> String {
        self.release
            .map_or_else(|| CRATES.to_owned(), SystemRelease::to_string)
    }
}

impl fmt::Display for SystemRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, number } = self;
        f.write_str(name)?;
        if number.is_empty() {
            Ok(())
        } else {
            write!(f, ":{number}")
        }
    }
}

impl SystemRelease {
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

impl SystemPackages {
    fn look(root: &Path) -> Result<Option<Self>, String> {
        let mut release = None;
        for path in OS_RELEASE.map(|path| root.join(path)) {
            match files::read_up_to(&path, MAX_OS_RELEASE) {
                Ok(text) => {
                    release = SystemRelease::of(&String::from_utf8_lossy(&text));
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{}: {error}", path.display())),
            }
        }
        // Of systems whose packages nobody gives advisories for, and of those that have no packages.
        let Some(release) = release else {
            return Ok(None);
        };
        let mut packages = Versions::new();
        for (path, dialect) in LISTS {
            let path = root.join(path);
            let read = match files::open_regular(&path) {
                Ok(file) => read_list(file, *dialect, &mut packages),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Err(error),
            };
            read.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        // A card that lost its power may have a list without anything in it.
        if packages.is_empty() {
            return Err(GONE.to_owned());
        }
        Ok(Some(Self { release, packages }))
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
enum ListFormat {
    /// dpkg's and opkg's: `Package: name`.
    Control,
    /// apk's: `P:name`.
    Apk,
}

/// One package, as far as it was read.
#[derive(Default)]
struct PackageStanza {
    name: Option<String>,
    version: Option<String>,
    /// What it was built from, and that one's version, if that is another.
    source: Option<(String, Option<String>)>,
    /// What else is in it: `linux (= 6.1.170-3)`.
    built_using: Option<String>,
    is_gone: bool,
}

fn read_list(file: File, dialect: ListFormat, packages: &mut Versions) -> io::Result<()> {
    let size = file.metadata()?.len();
    if size > MAX_LIST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut file = BufReader::new(file.take(MAX_LIST));
    let mut stanza = PackageStanza::default();
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

impl PackageStanza {
    fn learn(&mut self, line: &str, dialect: ListFormat) {
        let Some((field, value)) = line.split_once(':') else {
            return;
        };
        let value = value.trim();
        match (dialect, field) {
            (ListFormat::Control, "Package") | (ListFormat::Apk, "P") => {
                self.name = Some(value.into());
            }
            (ListFormat::Control, "Version") | (ListFormat::Apk, "V") => {
                self.version = Some(value.into());
            }
            (ListFormat::Apk, "o") => self.source = Some((value.into(), None)),
            // `glibc`, or `glibc (2.36-9)`. OpenWrt has a path there, by which nobody knows a package.
            (ListFormat::Control, "Source") if !value.contains('/') => {
                let (name, version) = match value.split_once(" (") {
                    Some((name, version)) => (name, version.strip_suffix(')')),
                    None => (value, None),
                };
                self.source = Some((name.into(), version.map(str::to_owned)));
            }
            (ListFormat::Control, "Built-Using") => self.built_using = Some(value.into()),
            // What is there in part is there.
            (ListFormat::Control, "Status") => {
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
        if self.is_gone {
            return Ok(());
        }
        let (name, version) = match self.source {
            Some((source, version)) => (source, version.or(self.version)),
            None => (name, self.version),
        };
        // Debian signs its kernels and boot loaders in a source of their own, which no advisory names.
        if name.contains("-signed")
            && let Some(built_using) = &self.built_using
        {
            for part in built_using.split(", ") {
                if let Some((name, version)) = part.split_once(" (= ") {
                    add(name, version.trim_end_matches(')'), packages)?;
                }
            }
        }
        add(&name, version.as_deref().unwrap_or_default(), packages)
    }
}

fn add(name: &str, version: &str, packages: &mut Versions) -> io::Result<()> {
    if !is_sane(version) || !is_sane(name) {
        let message = "a package in it has no name or no version that could be one";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let is_full = packages.len() >= MAX_PACKAGES;
    let versions = packages.entry(name.into()).or_default();
    if versions.iter().any(|known| **known == *version) {
        return Ok(());
    }
    if is_full || versions.len() >= MAX_VERSIONS {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    versions.push(version.into());
    Ok(())
}

/// OSV's name of the crates' registry.
pub const CRATES: &str = "crates.io";

/// os-release(5).
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// Where the package managers keep what is installed.
const LISTS: &[(&str, ListFormat)] = &[
    ("var/lib/dpkg/status", ListFormat::Control),
    ("usr/lib/opkg/status", ListFormat::Control),
    ("var/lib/opkg/status", ListFormat::Control),
    ("lib/apk/db/installed", ListFormat::Apk),
    ("usr/lib/apk/db/installed", ListFormat::Apk),
];

/// What is said when packages should be there and are not.
const GONE: &str = "the list of the system's packages is not there, or empty";

const MAX_OS_RELEASE: u64 = 64 * 1024;

/// Debian with all of a desktop has 5 MB.
const MAX_LIST: u64 = 64 * 1024 * 1024;

/// The fields that count are shorter; others are skipped.
const MAX_LINE: u64 = 8 * 1024;

const MAX_PACKAGES: usize = 50_000;

/// Of one source: kernels, mostly.
const MAX_VERSIONS: usize = 64;

#[cfg(test)]
mod tests;

//! Compares versions by the rules of each ecosystem: Debian, Alpine and semver order the same text differently.

use std::cmp::Ordering;

use deb_version::compare_versions;
use semver::Version;

/// How versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionOrder {
    /// `SemVer` 2.0, section 11: crates.
    Semver,
    /// deb-version(7): Debian, Ubuntu, and opkg, which took it from there.
    Debian,
    /// apk-package(5): Alpine.
    Alpine,
}

/// A text that is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names a version that this ecosystem does not allow")]
pub struct BadVersion;

impl VersionOrder {
    /// How `a` stands to `b`.
    ///
    /// # Errors
    /// [`BadVersion`] if one of them is none.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, BadVersion> {
        if !is_sane(a) || !is_sane(b) {
            return Err(BadVersion);
        }
        match self {
            Self::Semver => Ok(semver(a)?.cmp_precedence(&semver(b)?)),
            // It takes any ASCII, and breaks on anything else: `is_sane` has seen to that.
            Self::Debian => Ok(compare_versions(a, b)),
            Self::Alpine => Ok(ApkVersion::parse(a)?.cmp(&ApkVersion::parse(b)?)),
        }
    }
}

/// Takes `1.2` for 1.2.0, as some of those who write advisories do.
fn semver(text: &str) -> Result<Version, BadVersion> {
    let numbers = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(numbers);
    let missing = match numbers.bytes().filter(|b| *b == b'.').count() {
        0 => ".0.0",
        1 => ".0",
        _ => "",
    };
    Version::parse(&[numbers, missing, rest].concat()).map_err(|_| BadVersion)
}

/// What any version looks like.
#[must_use]
pub fn is_sane(version: &str) -> bool {
    (1..=MAX_VERSION).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_graphic())
}

/// `1.2.3b_rc1_p2-r4`, split up.
#[derive(Debug, PartialEq, Eq)]
struct ApkVersion<'a> {
    numbers: Vec<&'a str>,
    letter: Option<u8>,
    /// Each with its rank: below zero before the release itself, above it after.
    suffixes: Vec<(i8, &'a str)>,
    revision: &'a str,
}

impl<'a> ApkVersion<'a> {
    fn parse(text: &'a str) -> Result<Self, BadVersion> {
        let (text, revision) = match text.rsplit_once("-r") {
            Some((text, revision)) if is_number(revision) => (text, revision),
            Some(_) => return Err(BadVersion),
            None => (text, ""),
        };
        // The hash of a commit says nothing about the order.
        let text = text.split_once('~').map_or(text, |(text, _)| text);
        let mut parts = text.split('_');
        let mut main = parts.next().unwrap_or_default();
        let letter = main.bytes().last().filter(u8::is_ascii_lowercase);
        if letter.is_some() {
            main = &main[..main.len() - 1];
        }
        let numbers: Vec<_> = main.split('.').collect();
        if !numbers.iter().all(|number| is_number(number)) {
            return Err(BadVersion);
        }
        let suffixes = parts.map(suffix).collect::<Result<_, _>>()?;
        Ok(Self {
            numbers,
            letter,
            suffixes,
            revision,
        })
    }
}

impl Ord for ApkVersion<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let mut numbers = self.numbers.iter().zip(&other.numbers).enumerate();
        let by_number = numbers.find_map(|(index, (a, b))| {
            // Behind a point a leading zero makes it a fraction: 1.05 comes before 1.5.
            let fraction = index > 0 && (a.starts_with('0') || b.starts_with('0'));
            let order = if fraction { a.cmp(b) } else { by_value(a, b) };
            Some(order).filter(|order| order.is_ne())
        });
        by_number
            .unwrap_or_else(|| self.numbers.len().cmp(&other.numbers.len()))
            .then(self.letter.cmp(&other.letter))
            .then_with(|| by_suffixes(&self.suffixes, &other.suffixes))
            .then_with(|| by_value(self.revision, other.revision))
    }
}

impl PartialOrd for ApkVersion<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn by_suffixes(a: &[(i8, &str)], b: &[(i8, &str)]) -> Ordering {
    for index in 0..a.len().max(b.len()) {
        // One that is not there stands between `_rc` and `_p`.
        let [a, b] = [a, b].map(|all| all.get(index).copied().unwrap_or((0, "")));
        let order = a.0.cmp(&b.0).then_with(|| by_value(a.1, b.1));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn suffix(text: &str) -> Result<(i8, &str), BadVersion> {
    let digits = text
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(text.len());
    let (name, number) = text.split_at(digits);
    let (_, rank) = SUFFIXES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or(BadVersion)?;
    if !number.is_empty() && !is_number(number) {
        return Err(BadVersion);
    }
    Ok((*rank, number))
}

/// By what they count, however long; nothing is 0.
fn by_value(a: &str, b: &str) -> Ordering {
    let [a, b] = [a, b].map(|number| number.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// apk-package(5), "pkgver".
const SUFFIXES: [(&str, i8); 9] = [
    ("alpha", -4),
    ("beta", -3),
    ("pre", -2),
    ("rc", -1),
    ("cvs", 1),
    ("svn", 2),
    ("git", 3),
    ("hg", 4),
    ("p", 5),
];

/// The longest in Debian has 70 bytes.
const MAX_VERSION: usize = 256;

#[cfg(test)]
mod tests;

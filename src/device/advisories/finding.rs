//! An advisory that applies to a package of this device.

use std::collections::HashMap;
use std::iter;

use super::severity::Severity;

/// One known vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The advisory's: `RUSTSEC-2024-0001`, `CVE-2024-1`, `DSA-5000-1`. Letters, digits and `-_.:+`, 64 at most.
    pub id: String,
    /// Other names of the same vulnerability, spelt alike.
    pub aliases: Vec<String>,
    /// Whose package it is: `crates.io`, `Debian:12`, `Alpine:v3.19`.
    pub ecosystem: String,
    /// The package: for crates one of those this program is made of.
    pub package: String,
    /// Its version here.
    pub installed: String,
    /// The first version that is good again, if there is one.
    pub fixed_in: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Where to read on: an address that begins with `https://`.
    pub link: Option<String>,
}

/// What becomes of a version.
pub enum Verdict {
    /// The vulnerability is not in it.
    Good,
    /// It is; and the first version in which it is no more, if there is one.
    Affected(Option<String>),
}

/// An advisory that applies to a package, before it is put together with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// As in [`Finding`].
    pub id: String,
    /// As in [`Finding`].
    pub aliases: Vec<String>,
    /// The vulnerabilities that a distribution's advisory is about: one, or those that an update mends together.
    pub upstream: Vec<String>,
    /// As in [`Finding`].
    pub ecosystem: String,
    /// As in [`Finding`].
    pub package: String,
    /// As in [`Finding`].
    pub installed: String,
    /// As in [`Finding`].
    pub fixed_in: Option<String>,
    /// As in [`Finding`].
    pub severity: Severity,
    /// As in [`Finding`].
    pub link: Option<String>,
}

/// Where an advisory of a known collection can be read.
#[must_use]
pub fn link(id: &str) -> Option<String> {
    let known = COLLECTIONS.iter().any(|prefix| id.starts_with(prefix));
    known.then(|| format!("https://osv.dev/vulnerability/{id}"))
}

/// Puts together what is about the same vulnerability of the same package, and leaves out what is `ignored`; tells how many
/// those are. An advisory about several (Debian's of an update, say) counts by itself only if one of them has no advisory
/// of its own here.
#[must_use]
pub fn put_together<'a>(
    matches: impl IntoIterator<Item = &'a Match>,
    ignored: &[String],
) -> (Vec<Finding>, usize) {
    let mut matches: Vec<_> = matches.into_iter().collect();
    matches.sort_by(|a, b| a.order().cmp(&b.order()));
    let is_ignored = |name: &String| ignored.iter().any(|one| one.eq_ignore_ascii_case(name));
    let mut groups: Vec<FindingGroup> = Vec::new();
    let mut by_name: HashMap<[&str; 4], usize> = HashMap::new();
    for one in matches {
        let key = |name: &'a String| [&*one.ecosystem, &*one.package, &*one.installed, name];
        if one.is_bundle()
            && (one.upstream.iter())
                .all(|name| is_ignored(name) || by_name.contains_key(&key(name)))
        {
            continue;
        }
        let names: Vec<_> = one.names().collect();
        // It may be what shows that two others are the same.
        let mut places: Vec<_> = names
            .iter()
            .filter_map(|name| by_name.get(&key(name)).copied())
            .collect();
        places.sort_unstable();
        places.dedup();
        // The smaller ones go into the largest, so that nobody moves often.
        let largest = places
            .iter()
            .max_by_key(|place| groups[**place].matches.len());
        let place = largest.copied().unwrap_or(groups.len());
        if place == groups.len() {
            groups.push(FindingGroup::default());
        }
        for other in places.iter().filter(|other| **other != place) {
            let other = std::mem::take(&mut groups[*other]);
            for name in other.matches.iter().flat_map(|one| one.names()) {
                by_name.insert(key(name), place);
            }
            groups[place].matches.extend(other.matches);
        }
        for name in names {
            by_name.insert(key(name), place);
        }
        groups[place].matches.push(one);
    }
    let groups: Vec<_> = groups
        .iter()
        .filter(|group| !group.matches.is_empty())
        .collect();
    let of_all = groups.len();
    let counting = groups.into_iter().filter(|group| {
        let mut names = group.matches.iter().flat_map(|one| one.names());
        !names.any(is_ignored)
    });
    let mut findings: Vec<_> = counting.filter_map(FindingGroup::finding).collect();
    findings.sort_by(|a, b| {
        let worst_first = b.severity.rank().cmp(&a.severity.rank());
        worst_first.then_with(|| (&a.package, &a.id).cmp(&(&b.package, &b.id)))
    });
    let ignored = of_all - findings.len();
    (findings, ignored)
}

/// Matches of one vulnerability in one package; none if they went into another group.
#[derive(Default)]
struct FindingGroup<'a> {
    matches: Vec<&'a Match>,
}

impl FindingGroup<'_> {
    fn finding(&self) -> Option<Finding> {
        let first = self
            .matches
            .iter()
            .min_by(|a, b| a.order().cmp(&b.order()))?;
        let all = || self.matches.iter();
        let mut aliases: Vec<_> = all()
            .flat_map(|one| one.names().chain(&one.upstream))
            .filter(|name| **name != first.id)
            .cloned()
            .collect();
        aliases.sort_unstable();
        aliases.dedup();
        aliases.truncate(MAX_ALIASES);
        Some(Finding {
            id: first.id.clone(),
            aliases,
            ecosystem: first.ecosystem.clone(),
            package: first.package.clone(),
            installed: first.installed.clone(),
            fixed_in: all().find_map(|one| one.fixed_in.clone()),
            severity: all().map(|one| one.severity).max().unwrap_or_default(),
            link: first
                .link
                .clone()
                .or_else(|| all().find_map(|one| one.link.clone())),
        })
    }
}

impl Match {
    /// Whose name and link are shown comes first.
    fn order(&self) -> impl Ord {
        // GitHub's names say least.
        (self.is_bundle(), self.id.starts_with("GHSA-"), &self.id)
    }

    /// Whether it is about several vulnerabilities.
    fn is_bundle(&self) -> bool {
        self.upstream.len() > 1
    }

    /// What it goes by: its own names, and that of the one vulnerability that it is about.
    fn names(&self) -> impl Iterator<Item = &String> {
        let upstream = self.upstream.iter().filter(|_| !self.is_bundle());
        iter::once(&self.id).chain(&self.aliases).chain(upstream)
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let names = self.aliases.iter().chain(&self.upstream);
        let texts = [&self.id, &self.ecosystem, &self.package, &self.installed];
        let perhaps = [&self.fixed_in, &self.link].into_iter().flatten();
        let texts = names.chain(texts).chain(perhaps);
        size_of::<Self>()
            + texts
                .map(|text| size_of::<String>() + text.len())
                .sum::<usize>()
    }
}

/// Names of one vulnerability that are kept.
pub const MAX_ALIASES: usize = 32;

/// Collections of advisories that osv.dev has.
const COLLECTIONS: [&str; 9] = [
    "ALPINE-", "CVE-", "DEBIAN-", "DLA-", "DSA-", "GHSA-", "RUSTSEC-", "UBUNTU-", "USN-",
];

#[cfg(test)]
mod tests;

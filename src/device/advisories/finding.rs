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

/// An advisory that applies to a package, before it is put together with others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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

/// Puts together what is about the same vulnerability of the same package. An advisory about several (Debian's of an
/// update, say) counts by itself only if one of them has no advisory of its own here.
#[must_use]
pub fn put_together<'a>(matches: impl IntoIterator<Item = &'a Match>) -> Vec<Finding> {
    let mut matches: Vec<_> = matches.into_iter().collect();
    matches.sort_by_key(|found| {
        let is_bundle = found.upstream.len() > 1;
        // GitHub's names say least.
        (is_bundle, found.id.starts_with("GHSA-"), &found.id)
    });
    let mut findings: Vec<Finding> = Vec::new();
    let mut by_name: HashMap<(&str, &str, &str), usize> = HashMap::new();
    for found in matches {
        let is_bundle = found.upstream.len() > 1;
        let own = iter::once(&found.id).chain(&found.aliases);
        let names = own.chain(found.upstream.iter().filter(|_| !is_bundle));
        let names: Vec<_> = names.map(String::as_str).collect();
        let key = |name: &'a str| (&*found.package, &*found.installed, name);
        if is_bundle && (found.upstream.iter()).all(|name| by_name.contains_key(&key(name))) {
            continue;
        }
        let place = names
            .iter()
            .find_map(|name| by_name.get(&key(name)).copied());
        let place = place.unwrap_or(findings.len());
        if place == findings.len() {
            findings.push(Finding {
                id: found.id.clone(),
                aliases: Vec::new(),
                ecosystem: found.ecosystem.clone(),
                package: found.package.clone(),
                installed: found.installed.clone(),
                fixed_in: None,
                severity: Severity::Unknown,
                link: found.link.clone(),
            });
        }
        let finding = &mut findings[place];
        finding.severity = finding.severity.max(found.severity);
        finding.fixed_in = finding.fixed_in.take().or_else(|| found.fixed_in.clone());
        for name in names
            .iter()
            .copied()
            .chain(found.upstream.iter().map(String::as_str))
        {
            if name != finding.id && !finding.aliases.iter().any(|known| known == name) {
                finding.aliases.push(name.to_owned());
            }
        }
        for name in names {
            by_name.entry(key(name)).or_insert(place);
        }
    }
    findings.sort_by(|a, b| {
        let worst_first = b.severity.cmp(&a.severity);
        worst_first.then_with(|| (&a.package, &a.id).cmp(&(&b.package, &b.id)))
    });
    findings
}

/// Collections of advisories that osv.dev has.
const COLLECTIONS: [&str; 9] = [
    "ALPINE-", "CVE-", "DEBIAN-", "DLA-", "DSA-", "GHSA-", "RUSTSEC-", "UBUNTU-", "USN-",
];

#[cfg(test)]
#[path = "finding_tests.rs"]
mod tests;

//! Advisories as OSV writes them (schema 1.7): JSON, one vulnerability a file, with the packages it is in.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::finding::{Match, Severity, link};
use super::order::{BadVersion, Order};
use super::{Broken, is_id};
use crate::config::HttpsUrl;
use crate::device::packages::Packages;

/// What is read first. The rest is left as it stands until a package of it turns out to be here.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    affected: Option<Vec<Affected<'a>>>,
    #[serde(borrow, default)]
    withdrawn: Option<&'a RawValue>,
    #[serde(borrow, default)]
    aliases: Option<&'a RawValue>,
    #[serde(borrow, default)]
    upstream: Option<&'a RawValue>,
    #[serde(borrow, default)]
    severity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    references: Option<&'a RawValue>,
    #[serde(borrow, default)]
    database_specific: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Affected<'a> {
    #[serde(borrow, default)]
    package: Option<Package<'a>>,
    #[serde(borrow, default)]
    versions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ranges: Option<&'a RawValue>,
    #[serde(borrow, default)]
    severity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ecosystem_specific: Option<&'a RawValue>,
    #[serde(borrow, default)]
    database_specific: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Range<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    events: Vec<Event<'a>>,
}

/// One of these is there.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    introduced: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    fixed: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    last_affected: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Link<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

/// Calls `found` for each package here that this advisory is about.
///
/// # Errors
/// [`Broken`] if it is no advisory, or one that cannot be judged.
pub fn read(bytes: &[u8], packages: &Packages, found: &mut dyn FnMut(Match)) -> Result<(), Broken> {
    let entry: Entry = serde_json::from_slice(bytes).map_err(|error| Broken::json(&error))?;
    if !is_id(&entry.id) {
        return Err(Broken::Id);
    }
    if entry
        .withdrawn
        .is_some_and(|withdrawn| withdrawn.get() != "null")
    {
        return Ok(());
    }
    for affected in entry.affected.iter().flatten() {
        let Some(package) = &affected.package else {
            continue;
        };
        let Some(ecosystem) = packages.of(&package.ecosystem) else {
            continue;
        };
        for installed in ecosystem.versions(&package.name) {
            if affected.is_no_vulnerability() || affected.is_of_other_machines() {
                continue;
            }
            if let Some(fixed_in) = affected.judge(ecosystem.order, installed)? {
                found(Match {
                    id: entry.id.clone().into_owned(),
                    aliases: ids(entry.aliases)?,
                    upstream: ids(entry.upstream)?,
                    ecosystem: ecosystem.name(),
                    package: package.name.clone().into_owned(),
                    installed: installed.to_string(),
                    fixed_in,
                    severity: entry.severity(affected),
                    link: entry.link(),
                });
            }
        }
    }
    Ok(())
}

impl Entry<'_> {
    /// The worst that it says: a CVSS vector's, or a word of GitHub's, Debian's or Ubuntu's.
    fn severity(&self, affected: &Affected) -> Severity {
        let scores = [affected.severity, self.severity].into_iter().flatten();
        let scores = scores
            .filter_map(|raw| serde_json::from_str::<Vec<serde_json::Value>>(raw.get()).ok())
            .flatten()
            .filter_map(|one| Severity::of_text(one["score"].as_str()?));
        let words = [
            self.database_specific,
            affected.database_specific,
            affected.ecosystem_specific,
        ];
        let words = words
            .into_iter()
            .flatten()
            .flat_map(|raw| ["severity", "urgency", "ubuntu_priority"].map(|name| word(raw, name)));
        // A vector says more than a word.
        let worst = scores.max().filter(|score| *score != Severity::Unknown);
        let words = words.flatten().map(|word| Severity::of_word(&word));
        worst.unwrap_or_else(|| words.max().unwrap_or_default())
    }

    /// The advisory's own page, or osv.dev's, or whatever it refers to first.
    fn link(&self) -> Option<String> {
        let links: Vec<Link> = parse(self.references).unwrap_or_default();
        let first = |kind: Option<&str>| {
            links.iter().find_map(|link| {
                let url = HttpsUrl::parse(&link.url).ok()?;
                let is_meant = kind.is_none_or(|kind| link.kind == kind);
                is_meant.then(|| url.as_str().to_owned())
            })
        };
        first(Some("ADVISORY"))
            .or_else(|| link(&self.id))
            .or_else(|| first(None))
    }
}

impl Affected<'_> {
    /// Whether it only tells something: that nobody looks after a crate any more, say; or that Debian calls it no problem.
    fn is_no_vulnerability(&self) -> bool {
        let informational = self
            .database_specific
            .and_then(|raw| word(raw, "informational"));
        let urgency = self.ecosystem_specific.and_then(|raw| word(raw, "urgency"));
        informational.is_some() || urgency.as_deref() == Some("unimportant")
    }

    /// Whether it is about other processors or systems only, as `RustSec` says of some.
    fn is_of_other_machines(&self) -> bool {
        let Some(specific) = self.ecosystem_specific else {
            return false;
        };
        let specific: serde_json::Value = serde_json::from_str(specific.get()).unwrap_or_default();
        let names_others = |list: &str, ours: &str| {
            let list = specific["affects"][list].as_array();
            list.is_some_and(|list| !list.is_empty() && !list.iter().any(|one| one == ours))
        };
        names_others("arch", std::env::consts::ARCH) || names_others("os", std::env::consts::OS)
    }

    /// Whether the vulnerability is in this version, and if so the first one in which it is no more (schema, "Evaluation").
    /// Where no version is told at all, it is in all of them.
    fn judge(&self, order: Order, installed: &str) -> Result<Option<Option<String>>, Broken> {
        let versions: Vec<Cow<str>> = parse(self.versions)?;
        let ranges: Vec<Range> = parse(self.ranges)?;
        let mut ranges = ranges.iter().filter(|range| range.kind != "GIT").peekable();
        let says_nothing = versions.is_empty() && ranges.peek().is_none();
        let mut applies = says_nothing || versions.iter().any(|version| version == installed);
        let mut fixed_in: Option<&str> = None;
        for range in ranges {
            let (inside, next) = range.judge(order, installed)?;
            applies |= inside;
            if let Some(next) = next.filter(|_| inside || fixed_in.is_none()) {
                fixed_in = Some(next);
            }
        }
        Ok(applies.then(|| fixed_in.map(str::to_owned)))
    }
}

impl Range<'_> {
    /// Whether the version is in it, and the first good one behind that version.
    fn judge(&self, order: Order, installed: &str) -> Result<(bool, Option<&str>), BadVersion> {
        // The last event at or before the version tells; of two at once, the worse.
        let mut latest: Option<&str> = None;
        let mut inside = false;
        let mut next: Option<&str> = None;
        for event in &self.events {
            let (at, bad, applies) = if let Some(at) = event.introduced.as_deref() {
                let since = at == "0" || order.compare(installed, at)?.is_ge();
                (at, true, since)
            } else if let Some(at) = event.fixed.as_deref() {
                let good = order.compare(installed, at)?.is_ge();
                if !good && next.is_none_or(|next| order.compare(at, next) == Ok(Ordering::Less)) {
                    next = Some(at);
                }
                (at, false, good)
            } else if let Some(at) = event.last_affected.as_deref() {
                (at, false, order.compare(installed, at)?.is_gt())
            } else {
                continue;
            };
            if !applies {
                continue;
            }
            let step = match latest {
                None | Some("0") => Ordering::Greater,
                Some(_) if at == "0" => Ordering::Less,
                Some(latest) => order.compare(at, latest)?,
            };
            match step {
                Ordering::Less => {}
                Ordering::Equal => inside |= bad,
                Ordering::Greater => (latest, inside) = (Some(at), bad),
            }
        }
        Ok((inside, next))
    }
}

/// An array that may be absent or null.
fn parse<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<Vec<T>, Broken> {
    let parsed: Option<Vec<T>> = raw
        .map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|error| Broken::json(&error))?
        .flatten();
    Ok(parsed.unwrap_or_default())
}

/// Names of vulnerabilities, without those that could not be one.
fn ids(raw: Option<&RawValue>) -> Result<Vec<String>, Broken> {
    let mut ids: Vec<String> = parse(raw)?;
    ids.retain(|id| is_id(id));
    ids.truncate(MAX_ALIASES);
    Ok(ids)
}

/// A text in an object that may look like anything.
fn word(raw: &RawValue, name: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(raw.get()).ok()?;
    Some(value.get(name)?.as_str()?.to_ascii_lowercase())
}

/// A kernel update of Debian names a hundred.
const MAX_ALIASES: usize = 256;

#[cfg(test)]
#[path = "osv_tests.rs"]
mod tests;

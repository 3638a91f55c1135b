//! Advisories as OSV writes them (schema 1.7): JSON, one vulnerability a file, with the packages it is in.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;

use super::finding::{Match, link};
use super::order::{BadVersion, Order};
use super::severity::Severity;
use super::{Broken, is_id};
use crate::config::HttpsUrl;
use crate::device::packages::Packages;

/// What is read of each: enough to know that it is about nothing here, as nearly all are.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    affected: Option<Vec<Affected<'a>>>,
}

#[derive(Deserialize)]
struct Affected<'a> {
    #[serde(borrow, default)]
    package: Option<Package<'a>>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
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
    let is_here = |affected: &Affected| {
        let package = affected.package.as_ref();
        package.is_some_and(|Package { ecosystem, name }| {
            let there = packages.of(ecosystem);
            there.is_some_and(|there| !there.versions(name).is_empty())
        })
    };
    if !entry.affected.iter().flatten().any(is_here) {
        return Ok(());
    }
    let entry: Value = serde_json::from_slice(bytes).map_err(|error| Broken::json(&error))?;
    if !entry["withdrawn"].is_null() {
        return Ok(());
    }
    for affected in list(&entry["affected"])? {
        let package = &affected["package"];
        let (Some(ecosystem), Some(name)) =
            (package["ecosystem"].as_str(), package["name"].as_str())
        else {
            continue;
        };
        let Some(ecosystem) = packages.of(ecosystem) else {
            continue;
        };
        if is_no_vulnerability(affected) || is_of_other_machines(affected) {
            continue;
        }
        for installed in ecosystem.versions(name) {
            if let Some(fixed_in) = judge(affected, ecosystem.order, installed)? {
                let id = entry["id"].as_str().unwrap_or_default();
                found(Match {
                    id: id.to_owned(),
                    aliases: ids(&entry["aliases"])?,
                    upstream: ids(&entry["upstream"])?,
                    ecosystem: ecosystem.name(),
                    package: name.to_owned(),
                    installed: installed.to_string(),
                    fixed_in,
                    severity: severity(&entry, affected),
                    link: page(&entry)
                        .or_else(|| link(id))
                        .or_else(|| any_page(&entry)),
                });
            }
        }
    }
    Ok(())
}

/// The worst that it says: a CVSS vector's, or a word of GitHub's, Debian's or Ubuntu's.
fn severity(entry: &Value, affected: &Value) -> Severity {
    let scores = [&affected["severity"], &entry["severity"]].into_iter();
    let scores = scores
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|one| Severity::of_vector(one["score"].as_str()?));
    // A vector says more than a word.
    if let Some(worst) = scores.max() {
        return worst;
    }
    let specific = [
        &entry["database_specific"],
        &affected["database_specific"],
        &affected["ecosystem_specific"],
    ];
    let words = specific.into_iter().flat_map(|specific| {
        ["severity", "urgency", "ubuntu_priority"].map(|name| specific[name].as_str())
    });
    let words = words
        .flatten()
        .map(|word| Severity::of_word(&word.to_ascii_lowercase()));
    words.max().unwrap_or_default()
}

/// The advisory's own page.
fn page(entry: &Value) -> Option<String> {
    let mut own = references(entry).filter(|one| one["type"] == "ADVISORY");
    own.find_map(address)
}

/// Whatever it refers to.
fn any_page(entry: &Value) -> Option<String> {
    references(entry).find_map(address)
}

fn references(entry: &Value) -> impl Iterator<Item = &Value> {
    entry["references"].as_array().into_iter().flatten()
}

fn address(reference: &Value) -> Option<String> {
    let url = HttpsUrl::parse(reference["url"].as_str()?).ok()?;
    Some(url.as_str().to_owned())
}

/// Whether it only tells something: that nobody looks after a crate any more, say; or that Debian calls it no problem.
fn is_no_vulnerability(affected: &Value) -> bool {
    !affected["database_specific"]["informational"].is_null()
        || affected["ecosystem_specific"]["urgency"] == "unimportant"
}

/// Whether it is about other processors or systems only, as `RustSec` says of some.
fn is_of_other_machines(affected: &Value) -> bool {
    let affects = &affected["ecosystem_specific"]["affects"];
    let names_others = |list: &str, ours: &str| {
        let list = affects[list].as_array();
        list.is_some_and(|list| !list.is_empty() && !list.iter().any(|one| one == ours))
    };
    names_others("arch", std::env::consts::ARCH) || names_others("os", std::env::consts::OS)
}

/// Whether the vulnerability is in this version, and if so the first one in which it is no more (schema, "Evaluation").
/// Where no version is told at all, it is in all of them.
fn judge(
    affected: &Value,
    order: Order,
    installed: &str,
) -> Result<Option<Option<String>>, Broken> {
    let versions = list(&affected["versions"])?;
    let ranges = list(&affected["ranges"])?;
    let mut ranges = ranges
        .iter()
        .filter(|range| range["type"] != "GIT")
        .peekable();
    let says_nothing = versions.is_empty() && ranges.peek().is_none();
    let mut applies = says_nothing || versions.iter().any(|version| version == installed);
    let mut fixed_in: Option<&str> = None;
    for range in ranges {
        let (inside, next) = judge_range(list(&range["events"])?, order, installed)?;
        applies |= inside;
        if let Some(next) = next.filter(|_| inside || fixed_in.is_none()) {
            fixed_in = Some(next);
        }
    }
    Ok(applies.then(|| fixed_in.map(str::to_owned)))
}

/// Whether the version is in the range of these events, and the first good one behind that version.
fn judge_range<'a>(
    events: &'a [Value],
    order: Order,
    installed: &str,
) -> Result<(bool, Option<&'a str>), BadVersion> {
    // The last event at or before the version tells; of two at once, the worse.
    let mut latest: Option<&str> = None;
    let mut inside = false;
    let mut next: Option<&str> = None;
    for event in events {
        let (at, bad, applies) = if let Some(at) = event.get("introduced") {
            let at = at.as_str().ok_or(BadVersion)?;
            let since = at == "0" || order.compare(installed, at)?.is_ge();
            (at, true, since)
        } else if let Some(at) = event.get("fixed") {
            let at = at.as_str().ok_or(BadVersion)?;
            let good = order.compare(installed, at)?.is_ge();
            if !good && next.is_none_or(|next| order.compare(at, next) == Ok(Ordering::Less)) {
                next = Some(at);
            }
            (at, false, good)
        } else if let Some(at) = event.get("last_affected") {
            let at = at.as_str().ok_or(BadVersion)?;
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

/// An array that may be absent or null.
fn list(value: &Value) -> Result<&[Value], Broken> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(Broken::Shape),
    }
}

/// Names of vulnerabilities, without those that could not be one.
fn ids(value: &Value) -> Result<Vec<String>, Broken> {
    let ids = list(value)?.iter().filter_map(Value::as_str);
    let ids = ids.filter(|id| is_id(id)).take(MAX_ALIASES);
    Ok(ids.map(str::to_owned).collect())
}

/// A kernel update of Debian names a hundred.
const MAX_ALIASES: usize = 256;

#[cfg(test)]
#[path = "osv_tests.rs"]
mod tests;

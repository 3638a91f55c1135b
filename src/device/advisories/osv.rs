//! Advisories as OSV writes them (schema 1.7): JSON, one vulnerability a file, with the packages it is in.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::finding::{MAX_ALIASES, Match, Verdict, link};
use super::order::VersionOrder;
use super::severity::Severity;
use super::{AdvisoryError, MatchSink, Relevance};
use crate::config::{HttpsUrl, is_advisory};
use crate::device::packages::Packages;
use crate::json;

/// What is read of each: enough to know that it is about nothing here, as nearly all are.
#[derive(Deserialize)]
struct OsvAdvisory<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    /// Whatever it is: only to tell how old the advisory is.
    #[serde(borrow, default)]
    modified: Option<&'a RawValue>,
    #[serde(borrow, default)]
    affected: Option<Vec<OsvAffected<'a>>>,
}

#[derive(Deserialize)]
struct OsvAffected<'a> {
    #[serde(borrow, default)]
    package: Option<OsvPackage<'a>>,
}

#[derive(Deserialize)]
struct OsvPackage<'a> {
    #[serde(borrow)]
    ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Calls `found` for each package here that this advisory is about. Tells the ecosystems of what is here that it names.
///
/// # Errors
/// [`AdvisoryError`] if it is no advisory, or one that cannot be judged; what `found` gives back.
pub fn read(
    bytes: &[u8],
    packages: &Packages,
    found: &mut MatchSink,
) -> Result<Relevance, AdvisoryError> {
    // A byte of JSON can want a hundred of memory; of few bytes that is not much.
    #[allow(clippy::naive_bytecount)] // A crate for it would be quicker, and one more.
    let count = |sign: u8| bytes.iter().filter(|b| **b == sign).count();
    if bytes.len() > SMALL && (count(b'{') > MAX_OBJECTS || count(b',') > MAX_VALUES) {
        return Err(AdvisoryError::TooLarge);
    }
    let entry: OsvAdvisory =
        serde_json::from_slice(bytes).map_err(|error| AdvisoryError::json(&error))?;
    if !is_advisory(&entry.id) {
        return Err(AdvisoryError::Id);
    }
    let mut about = Relevance::default();
    if let Some(modified) = entry.modified {
        about.date(modified.get().trim_matches('"'));
    }
    let mut is_here = false;
    for OsvPackage { ecosystem, name } in entry
        .affected
        .iter()
        .flatten()
        .filter_map(|one| one.package.as_ref())
    {
        if let Some(there) = packages.of(ecosystem) {
            about.add(there.is_crates());
            is_here |= !there.versions(name).is_empty();
        }
    }
    if is_here {
        judge_all(bytes, packages, found)?;
    }
    Ok(about)
}

fn judge_all(
    bytes: &[u8],
    packages: &Packages,
    found: &mut MatchSink,
) -> Result<(), AdvisoryError> {
    let entry = json::parse(bytes).map_err(|error| AdvisoryError::json(&error))?;
    match &entry["withdrawn"] {
        Value::Null => {}
        Value::String(when) if !when.is_empty() => return Ok(()),
        _ => return Err(AdvisoryError::Shape),
    }
    let is_named = ids(&entry["aliases"], MAX_ALIASES)?
        .0
        .iter()
        .any(|id| id.starts_with("CVE-"));
    let mut done = Vec::new();
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
        if is_no_vulnerability(affected, is_named) || is_of_other_machines(affected) {
            continue;
        }
        for installed in ecosystem.versions(name) {
            // A package may have several ranges, each in a block of its own.
            let this = (ecosystem.is_crates(), name, installed.to_string());
            if done.contains(&this) {
                continue;
            }
            if let Verdict::Affected(fixed_in) = judge(affected, ecosystem.order, installed)? {
                done.push(this);
                let id = entry["id"].as_str().unwrap_or_default();
                let (aliases, _) = ids(&entry["aliases"], MAX_ALIASES)?;
                let (mut upstream, is_whole) = ids(&entry["upstream"], MAX_UPSTREAM)?;
                if !is_whole {
                    // Of those that are not kept one may have no advisory of its own.
                    upstream.push(id.to_owned());
                }
                let own = page(&entry).or_else(|| link(id));
                found(Match {
                    id: id.to_owned(),
                    aliases,
                    upstream,
                    ecosystem: ecosystem.name(),
                    package: name.to_owned(),
                    installed: installed.to_string(),
                    fixed_in,
                    severity: severity(&entry, affected),
                    link: own.or_else(|| any_page(&entry)),
                })?;
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
        .filter_map(|one| {
            let score = one["score"].as_str()?;
            // Ubuntu has a word there.
            Severity::of_vector(score).or_else(|| known(Severity::of_word(score)))
        });
    // That says more than a word elsewhere.
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

fn known(severity: Severity) -> Option<Severity> {
    Some(severity).filter(|severity| *severity != Severity::Unknown)
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

/// Whether it only tells something: that nobody looks after a crate any more, say; or that Debian calls it no problem. Some
/// that are called unsound have a score, or a name in others' collections: those are vulnerabilities.
fn is_no_vulnerability(affected: &Value, is_named: bool) -> bool {
    let specific = &affected["database_specific"];
    let is_informational = !specific["informational"].is_null();
    (is_informational && !is_named && specific["cvss"].is_null())
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
fn judge(affected: &Value, order: VersionOrder, installed: &str) -> Result<Verdict, AdvisoryError> {
    let versions = list(&affected["versions"])?;
    let ranges = list(&affected["ranges"])?;
    let mut says_nothing = versions.is_empty();
    let mut applies = versions.iter().any(|version| version == installed);
    // Of a range that it is in, or else of any.
    let (mut fixed_in, mut fixed_elsewhere) = (None, None);
    for range in ranges {
        match range["type"].as_str() {
            Some("GIT") => continue,
            Some("SEMVER" | "ECOSYSTEM") => {}
            _ => return Err(AdvisoryError::Shape),
        }
        says_nothing = false;
        let (inside, next) = judge_range(list(&range["events"])?, order, installed)?;
        if inside {
            fixed_in = Some(next);
        } else {
            fixed_elsewhere = fixed_elsewhere.or(next);
        }
        applies |= inside;
    }
    let fixed_in = fixed_in.unwrap_or(fixed_elsewhere);
    if applies || says_nothing {
        return Ok(Verdict::Affected(fixed_in.map(str::to_owned)));
    }
    Ok(Verdict::Good)
}

/// Whether the version is in the range of these events, and the first good one behind that version. Where nothing says
/// since when, it is since ever.
fn judge_range<'a>(
    events: &'a [Value],
    order: VersionOrder,
    installed: &str,
) -> Result<(bool, Option<&'a str>), AdvisoryError> {
    let introduced = events.iter().any(|event| !event["introduced"].is_null());
    // The last event at or before the version tells; of several at once, that which ends a range with its version, or
    // else the worse. What is introduced at "0" is so before any version: `None`.
    let (mut latest, mut was_last) = (None, false);
    let mut inside = !introduced;
    let mut next: Option<&str> = None;
    for event in events {
        let named = ["introduced", "fixed", "last_affected"].map(|name| (name, &event[name]));
        let Some((name, at)) = named.into_iter().find(|(_, at)| !at.is_null()) else {
            continue;
        };
        let at = at.as_str().ok_or(AdvisoryError::Shape)?;
        let is_last = name == "last_affected";
        let bad = name == "introduced";
        let is_since_ever = bad && at == "0";
        let order_to = if is_since_ever {
            Ordering::Greater
        } else {
            order.compare(installed, at)?
        };
        if name == "fixed"
            && order_to.is_lt()
            && next.is_none_or(|next| order.compare(at, next) == Ok(Ordering::Less))
        {
            next = Some(at);
        }
        if order_to.is_lt() || (is_last && order_to.is_eq()) {
            continue;
        }
        let at = Some(at).filter(|_| !is_since_ever);
        let step = match (at, latest) {
            (Some(at), Some(latest)) => order.compare(at, latest)?,
            (at, latest) => at.is_some().cmp(&latest.is_some()),
        };
        match step {
            Ordering::Less => {}
            Ordering::Equal => {
                was_last |= is_last;
                inside = (inside || bad) && !was_last;
            }
            Ordering::Greater => (latest, was_last, inside) = (at, is_last, bad),
        }
    }
    Ok((inside, next))
}

/// An array that may be absent or null.
fn list(value: &Value) -> Result<&[Value], AdvisoryError> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(AdvisoryError::Shape),
    }
}

/// Names of vulnerabilities, without those that could not be one; and whether those are all.
fn ids(value: &Value, most: usize) -> Result<(Vec<String>, bool), AdvisoryError> {
    let all = list(value)?;
    let ids = all.iter().filter_map(Value::as_str);
    let ids: Vec<_> = ids
        .filter(|id| is_advisory(id))
        .take(most)
        .map(str::to_owned)
        .collect();
    let is_whole = ids.len() == all.len();
    Ok((ids, is_whole))
}

/// A kernel update of Ubuntu's names a hundred.
const MAX_UPSTREAM: usize = 256;

const SMALL: usize = 64 * 1024;

/// An event has one, and a package with its ranges some four.
const MAX_OBJECTS: usize = 16 * 1024;

/// Of lists of versions, mostly.
const MAX_VALUES: usize = 100_000;

#[cfg(test)]
mod tests;

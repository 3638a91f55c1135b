//! Advisories as `RustSec` writes them: Markdown, with TOML in front that says everything we want to know.

use semver::{Comparator, Op, Prerelease, Version, VersionReq};
use toml_parser::decoder::Encoding;
use toml_parser::parser::{EventReceiver, RecursionGuard, parse_document};
use toml_parser::{ErrorSink, ParseError, Source, Span};

use super::finding::{MAX_ALIASES, Match, Verdict};
use super::severity::Severity;
use super::{AdvisoryError, MatchSink, Relevance};
use crate::config::is_advisory;
use crate::device::packages::{CRATES, Packages};

/// The fields that count.
#[derive(Default)]
struct AdvisoryFront {
    id: String,
    package: String,
    date: String,
    aliases: Vec<String>,
    cvss: String,
    is_withdrawn: bool,
    is_informational: bool,
    os: Vec<String>,
    arch: Vec<String>,
    patched: Vec<String>,
    unaffected: Vec<String>,
}

/// Whether it begins like one. Other Markdown lies about in folders of advisories too.
#[must_use]
pub fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(FENCE.as_bytes())
}

/// Calls `found` for each version of the crate here that this advisory is about.
///
/// # Errors
/// [`AdvisoryError`] if it is no advisory, or one that cannot be judged.
pub fn read(
    bytes: &[u8],
    packages: &Packages,
    found: &mut MatchSink,
) -> Result<Relevance, AdvisoryError> {
    let text = std::str::from_utf8(bytes).map_err(|_| AdvisoryError::Toml)?;
    let front = text.strip_prefix(FENCE).ok_or(AdvisoryError::Toml)?;
    let (front, _) = front.split_once("\n```").ok_or(AdvisoryError::Toml)?;
    if front.len() > MAX_FRONT {
        return Err(AdvisoryError::TooLarge);
    }
    let front = AdvisoryFront::parse(front)?;
    if !is_advisory(&front.id) || front.package.is_empty() {
        return Err(AdvisoryError::Id);
    }
    let mut about = Relevance::default();
    about.add(true);
    about.date(&format!("{}T00:00:00Z", front.date));
    if front.is_no_vulnerability() || front.is_of_other_machines() {
        return Ok(about);
    }
    let Some(ecosystem) = packages.of(CRATES) else {
        return Ok(about);
    };
    for installed in ecosystem.versions(&front.package) {
        if let Verdict::Affected(fixed_in) = front.judge(installed)? {
            let one = Match {
                link: Some(format!("https://rustsec.org/advisories/{}.html", front.id)),
                id: front.id.clone(),
                aliases: names(&front.aliases),
                upstream: Vec::new(),
                ecosystem: ecosystem.name(),
                package: front.package.clone(),
                installed: installed.to_string(),
                fixed_in,
                severity: Severity::of_vector(&front.cvss).unwrap_or_default(),
            };
            found(one)?;
        }
    }
    Ok(about)
}

/// Those that could be one.
fn names(aliases: &[String]) -> Vec<String> {
    let names = aliases.iter().filter(|name| is_advisory(name));
    names.take(MAX_ALIASES).cloned().collect()
}

impl AdvisoryFront {
    fn parse(text: &str) -> Result<Self, AdvisoryError> {
        let source = Source::new(text);
        let tokens: Vec<_> = source.lex().collect();
        let mut reader = FrontReader {
            source,
            front: Self::default(),
            table: Vec::new(),
            key: Vec::new(),
            place: TomlPosition::Table,
            depth: 0,
        };
        let mut error: Option<ParseError> = None;
        // Whoever nests deeper wants the stack.
        let mut guard = RecursionGuard::new(&mut reader, MAX_DEPTH);
        parse_document(&tokens, &mut guard, &mut error);
        match error {
            None => Ok(reader.front),
            Some(_) => Err(AdvisoryError::Toml),
        }
    }

    /// Whether it was taken back, or only tells something: that nobody looks after a crate any more, say. Some that are called
    /// unsound have a score, or a name in others' collections: those are vulnerabilities.
    fn is_no_vulnerability(&self) -> bool {
        let is_named = self.aliases.iter().any(|id| id.starts_with("CVE-"));
        self.is_withdrawn || (self.is_informational && self.cvss.is_empty() && !is_named)
    }

    /// Whether it is about other processors or systems only.
    fn is_of_other_machines(&self) -> bool {
        let names_others =
            |list: &[String], ours: &str| !list.is_empty() && !list.iter().any(|one| one == ours);
        names_others(&self.os, std::env::consts::OS)
            || names_others(&self.arch, std::env::consts::ARCH)
    }

    /// Whether the vulnerability is in this version, and if so the first one in which it is no more.
    fn judge(&self, installed: &str) -> Result<Verdict, AdvisoryError> {
        let installed = Version::parse(installed).map_err(|_| AdvisoryError::Version)?;
        let parse = |texts: &[String]| -> Result<Vec<VersionReq>, AdvisoryError> {
            let parsed = texts.iter().map(|text| VersionReq::parse(text));
            parsed
                .collect::<Result<_, _>>()
                .map_err(|_| AdvisoryError::Version)
        };
        let patched = parse(&self.patched)?;
        let unaffected = parse(&self.unaffected)?;
        if patched
            .iter()
            .chain(&unaffected)
            .any(|range| holds(range, &installed))
        {
            return Ok(Verdict::Good);
        }
        // The lowest beginning of a patched range that lies ahead.
        let beginnings = patched.iter().filter_map(|range| {
            let lowest = range
                .comparators
                .iter()
                .filter_map(|one| Some((lowest(one)?, leaves_out(one))));
            lowest.max_by(|a, b| a.0.cmp_precedence(&b.0))
        });
        let ahead = beginnings.filter(|(version, leaves_out)| {
            let order = version.cmp_precedence(&installed);
            order.is_gt() || (*leaves_out && order.is_eq())
        });
        let first = ahead.min_by(|a, b| a.0.cmp_precedence(&b.0));
        Ok(Verdict::Affected(first.map(|(version, leaves_out)| {
            if leaves_out {
                format!("> {version}")
            } else {
                version.to_string()
            }
        })))
    }
}

/// Whether a version is in a range by its place in the order alone. Cargo's own answer would leave out each pre-release
/// that the range does not name, however late.
fn holds(range: &VersionReq, version: &Version) -> bool {
    range.comparators.iter().all(|comparator| {
        let above = lowest(comparator).is_none_or(|lowest| {
            let order = version.cmp_precedence(&lowest);
            order.is_gt() || (order.is_eq() && !leaves_out(comparator))
        });
        let below = match end(comparator) {
            RangeEnd::None => true,
            RangeEnd::Before(end) => version.cmp_precedence(&end).is_lt(),
            RangeEnd::With(end) => version.cmp_precedence(&end).is_le(),
        };
        above && below
    })
}

/// Where a comparator's range ends.
enum RangeEnd {
    None,
    Before(Version),
    With(Version),
}

fn end(comparator: &Comparator) -> RangeEnd {
    let Comparator {
        op,
        major,
        minor,
        patch,
        ..
    } = comparator;
    let whole = patch.is_some();
    match op {
        Op::Less => RangeEnd::Before(written(comparator)),
        Op::LessEq | Op::Exact if whole => RangeEnd::With(written(comparator)),
        Op::Caret => RangeEnd::Before(match (*major, *minor, *patch) {
            (0, Some(0), Some(patch)) => before(0, 0, patch.saturating_add(1)),
            (0, Some(minor), _) => before(0, minor.saturating_add(1), 0),
            (major, ..) => before(major.saturating_add(1), 0, 0),
        }),
        Op::LessEq | Op::Exact | Op::Tilde | Op::Wildcard => RangeEnd::Before(next(comparator)),
        _ => RangeEnd::None,
    }
}

/// Whether a comparator's lowest version is not in its range.
fn leaves_out(comparator: &Comparator) -> bool {
    comparator.op == Op::Greater && comparator.patch.is_some()
}

/// The first version that could be in a comparator's range; of `>` with a whole version, the last that is not.
fn lowest(comparator: &Comparator) -> Option<Version> {
    match comparator.op {
        Op::Less | Op::LessEq => None,
        Op::Greater if comparator.patch.is_none() => Some(Version {
            pre: Prerelease::EMPTY,
            ..next(comparator)
        }),
        _ => Some(written(comparator)),
    }
}

/// What stands there, with zeros for what does not.
fn written(comparator: &Comparator) -> Version {
    let Comparator {
        major,
        minor,
        patch,
        pre,
        ..
    } = comparator;
    Version {
        pre: pre.clone(),
        ..Version::new(*major, minor.unwrap_or(0), patch.unwrap_or(0))
    }
}

/// What comes behind all that begins as it stands there: 1.3.0 behind `1.2` and behind `~1.2.9`.
fn next(comparator: &Comparator) -> Version {
    match comparator.minor {
        Some(minor) => before(comparator.major, minor.saturating_add(1), 0),
        None => before(comparator.major.saturating_add(1), 0, 0),
    }
}

/// The very first pre-release of a version: those of 2.0.0 are not in `^1`.
fn before(major: u64, minor: u64, patch: u64) -> Version {
    Version {
        pre: Prerelease::new("0").unwrap_or(Prerelease::EMPTY),
        ..Version::new(major, minor, patch)
    }
}

/// Takes the fields out of the TOML as it comes by.
struct FrontReader<'s> {
    source: Source<'s>,
    front: AdvisoryFront,
    /// The table that its lines belong to.
    table: Vec<String>,
    /// The key of the value that comes next.
    key: Vec<String>,
    place: TomlPosition,
    /// How many inline tables it is in: what stands in them is not asked for.
    depth: u32,
}

#[derive(PartialEq)]
enum TomlPosition {
    /// In the brackets of a table's name.
    Header,
    /// Where keys stand.
    Table,
    /// Behind an equals sign.
    Value,
}

impl FrontReader<'_> {
    fn open_table(&mut self) {
        self.table.clear();
        self.place = TomlPosition::Header;
    }

    fn take(&mut self, text: String) {
        // None that counts has three parts.
        let mut parts = self.table.iter().chain(&self.key).map(String::as_str);
        let [Some(table), Some(key), None] = [(); 3].map(|()| parts.next()) else {
            return;
        };
        let AdvisoryFront {
            aliases,
            os,
            arch,
            patched,
            unaffected,
            ..
        } = &mut self.front;
        let list = match [table, key] {
            ["advisory", "id"] => return self.front.id = text,
            ["advisory", "package"] => return self.front.package = text,
            ["advisory", "date"] => return self.front.date = text,
            ["advisory", "cvss"] => return self.front.cvss = text,
            ["advisory", "withdrawn"] => return self.front.is_withdrawn = true,
            ["advisory", "informational"] => return self.front.is_informational = true,
            ["advisory", "aliases"] => aliases,
            ["affected", "os"] => os,
            ["affected", "arch"] => arch,
            ["versions", "patched"] => patched,
            ["versions", "unaffected"] => unaffected,
            _ => return,
        };
        list.push(text);
    }
}

impl EventReceiver for FrontReader<'_> {
    fn std_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.open_table();
    }

    fn std_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.place = TomlPosition::Table;
        self.key.clear();
    }

    fn array_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.open_table();
    }

    fn array_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.place = TomlPosition::Table;
        self.key.clear();
    }

    fn inline_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) -> bool {
        self.depth += 1;
        true
    }

    fn inline_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn simple_key(&mut self, span: Span, kind: Option<Encoding>, error: &mut dyn ErrorSink) {
        let mut text = String::new();
        if let Some(raw) = self.source.get(span) {
            toml_parser::Raw::new_unchecked(raw.as_str(), kind, span).decode_key(&mut text, error);
        }
        if self.depth > 0 {
            return;
        }
        match self.place {
            TomlPosition::Header => self.table.push(text),
            TomlPosition::Table => self.key.push(text),
            TomlPosition::Value => self.key = vec![text],
        }
        if self.place == TomlPosition::Value {
            self.place = TomlPosition::Table;
        }
    }

    fn key_val_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        if self.depth == 0 {
            self.place = TomlPosition::Value;
        }
    }

    fn scalar(&mut self, span: Span, kind: Option<Encoding>, error: &mut dyn ErrorSink) {
        if self.depth > 0 {
            return;
        }
        let mut text = String::new();
        if let Some(raw) = self.source.get(span) {
            let raw = toml_parser::Raw::new_unchecked(raw.as_str(), kind, span);
            let _ = raw.decode_scalar(&mut text, error);
        }
        self.take(text);
    }
}

/// How the TOML begins; it ends at the next one.
const FENCE: &str = "```toml\n";

/// The longest have 10 KB.
const MAX_FRONT: usize = 64 * 1024;

/// Lists of texts, and tables of them.
const MAX_DEPTH: u32 = 16;

#[cfg(test)]
mod tests;

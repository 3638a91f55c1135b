//! Which entries a subscriber wants: `?source=`, `?level=`, `?q=`, `?field.NAME=`, and of which time.

use super::entry::Level;
use super::label;
use super::ring::Entry;
use crate::clock::Timestamp;

/// What an entry must be to be shown. The default shows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these sources, unless there is none: by its name; the path of a file and its name with `.log` are taken for
    /// it too.
    sources: Vec<Source>,
    /// This level or a more severe one.
    level: Option<Level>,
    /// In lower case: part of the message, whatever its case.
    text: Option<String>,
    /// Each of these fields, with this value.
    fields: Vec<(String, String)>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Up to this time, itself included.
    pub to: Option<Timestamp>,
    /// Up to this entry, itself included.
    pub last: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    given: String,
    /// What `given` means if it is a path or a file's name.
    stem: Option<String>,
}

/// What is wrong with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Over [`MAX_SOURCE`].
    #[error("source is longer than {MAX_SOURCE} characters")]
    SourceTooLong,
    /// No such level.
    #[error("level must be debug, info, notice, warn, error, crit, alert or emerg")]
    UnknownLevel,
    /// Over [`MAX_TEXT`].
    #[error("q is longer than {MAX_TEXT} characters")]
    TextTooLong,
    /// Over [`MAX_FIELDS`].
    #[error("there are more than {MAX_FIELDS} field filters")]
    TooManyFields,
}

impl Filter {
    /// Reads these query parameters; an absent or empty one filters nothing. Of several sources, with commas between them,
    /// each will do.
    ///
    /// # Errors
    /// One is too long, or the level has no known name.
    pub fn new(
        source: Option<&str>,
        level: Option<&str>,
        text: Option<&str>,
    ) -> Result<Self, FilterError> {
        let given =
            |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
        let source = given(source);
        let is_longer = |text: &String, most| text.chars().nth(most).is_some();
        if source.as_ref().is_some_and(|s| is_longer(s, MAX_SOURCE)) {
            return Err(FilterError::SourceTooLong);
        }
        let text = given(text);
        if text.as_ref().is_some_and(|t| is_longer(t, MAX_TEXT)) {
            return Err(FilterError::TextTooLong);
        }
        let level = match given(level) {
            None => None,
            Some(name) => Some(Level::parse(&name).ok_or(FilterError::UnknownLevel)?),
        };
        Ok(Self {
            sources: source.as_deref().map(sources).unwrap_or_default(),
            level,
            text: text.map(|text| text.to_lowercase()),
            ..Self::default()
        })
    }

    /// Shows only entries with this field of just this value.
    ///
    /// # Errors
    /// There are [`MAX_FIELDS`] of them already.
    pub fn with_field(mut self, name: &str, value: &str) -> Result<Self, FilterError> {
        if self.fields.len() == MAX_FIELDS {
            return Err(FilterError::TooManyFields);
        }
        self.fields.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// Whether the entry is to be shown.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        self.level.is_none_or(|level| entry.level >= level)
            && self.last.is_none_or(|last| entry.seq <= last)
            && self.from.is_none_or(|from| entry.when >= from)
            && self.to.is_none_or(|to| entry.when <= to)
            && (self.sources.is_empty()
                || self
                    .sources
                    .iter()
                    .any(|source| source.matches(&entry.source)))
            && self
                .text
                .as_ref()
                .is_none_or(|text| contains(&entry.message(), text))
            && self
                .fields
                .iter()
                .all(|(name, value)| entry.has_field(name, value))
    }
}

/// What is between the commas, and all of it: a file's name may hold one.
fn sources(given: &str) -> Vec<Source> {
    let parts = given
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let whole = given.contains(',').then_some(given);
    parts
        .chain(whole)
        .map(|given| Source {
            stem: file_stem(given),
            given: given.to_owned(),
        })
        .collect()
}

impl Source {
    fn matches(&self, name: &str) -> bool {
        self.given == name || self.stem.as_deref() == Some(name)
    }
}

/// The name a file source has if nobody gave it another: `app` for `file:/x/app.log`, `/x/app.log` and `app.log`.
fn file_stem(given: &str) -> Option<String> {
    let path = given.strip_prefix("file:").unwrap_or(given);
    let is_path = path.starts_with('/');
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && (is_path || extension == "log") => stem,
        _ if is_path => name,
        _ => return None,
    };
    Some(label::of_stem(stem))
}

/// Whether `text`, in lower case already, occurs in the message.
fn contains(message: &str, text: &str) -> bool {
    if text.is_ascii() {
        // The common case, without a copy of the message.
        let (message, text) = (message.as_bytes(), text.as_bytes());
        return message
            .windows(text.len().max(1))
            .any(|window| window.eq_ignore_ascii_case(text));
    }
    message.to_lowercase().contains(text)
}

/// The bound of `?source=`, in characters: the longest file name Linux has, with room for its folder.
pub const MAX_SOURCE: usize = 1024;

/// The bound of `?q=`, in characters: each entry is searched for it.
pub const MAX_TEXT: usize = 256;

/// The bound of `?field.NAME=`: each entry is looked through for all of them.
pub const MAX_FIELDS: usize = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::logs::{NewEntry, Ring};

    fn entry(source: &str, level: Level, message: &str) -> Entry {
        let ring = Ring::new(1 << 20, "b".into());
        ring.push(NewEntry::new(
            source.into(),
            level,
            Timestamp::default(),
            message.into(),
        ));
        let mut entries = Vec::new();
        ring.read_from(1, 1, usize::MAX, &mut entries);
        entries.remove(0)
    }

    fn shows(filter: (Option<&str>, Option<&str>, Option<&str>), entry: &Entry) -> bool {
        Filter::new(filter.0, filter.1, filter.2)
            .unwrap()
            .matches(entry)
    }

    #[test]
    fn a_source_is_known_by_its_name_and_its_file() {
        let app = entry("app", Level::Info, "x");
        for given in ["app", "app.log", "/x/app.log", "file:/x/app.log", ""] {
            assert!(shows((Some(given), None, None), &app), "{given}");
        }
        for given in ["ap", "app.txt", "/x/app/other.log", "APP", "/"] {
            assert!(!shows((Some(given), None, None), &app), "{given}");
        }
        // A file that a pattern fits is called by what its name becomes.
        let label = entry("my_log", Level::Info, "x");
        assert!(shows((Some("/x/my log.txt"), None, None), &label));
        let own = entry("postern", Level::Info, "x");
        assert!(!shows((Some("/x/postern.log"), None, None), &own));
        assert!(shows((Some("postern"), None, None), &own));
        let messages = entry("messages", Level::Info, "x");
        assert!(shows((Some("/var/log/messages"), None, None), &messages));
    }

    #[test]
    fn a_level_lets_the_more_severe_through() {
        let warn = entry("app", Level::Warn, "x");
        assert!(shows((None, Some("info"), None), &warn));
        assert!(shows((None, Some("warning"), None), &warn));
        assert!(!shows((None, Some("error"), None), &warn));
    }

    #[test]
    fn text_is_found_in_any_case_and_only_in_the_message_itself() {
        let line = entry("app", Level::Info, "Línea \"UNO\"\tend");
        for text in ["uno\"\t", "LÍNEA", "END", ""] {
            assert!(shows((None, None, Some(text)), &line), "{text}");
        }
        // Neither the escapes of its JSON text nor the other members.
        for text in ["\\t", "tend", "app", "message"] {
            assert!(!shows((None, None, Some(text)), &line), "{text}");
        }
    }

    #[test]
    fn of_several_sources_each_will_do() {
        let app = entry("app", Level::Info, "x");
        for given in ["squid,app", "app , squid", "/x/app.log,kernel", ",app,"] {
            assert!(shows((Some(given), None, None), &app), "{given}");
        }
        for given in ["squid,kernel", "ap,p", "a,pp"] {
            assert!(!shows((Some(given), None, None), &app), "{given}");
        }
        let comma = entry("a,b", Level::Info, "x");
        assert!(shows((Some("a,b"), None, None), &comma));
    }

    #[test]
    fn a_field_must_be_there_with_just_that_value() {
        let ring = Ring::new(1 << 20, "b".into());
        let fields = serde_json::json!({"unit": "ssh.service", "pid": 7, "ok": true, "a\"b": "c,\"fields\":{", "o": {"unit": "x"}});
        let mut new = NewEntry::new(
            "app".into(),
            Level::Info,
            Timestamp::default(),
            "m\",\"fields\":{\"unit\":\"fake\"}".into(),
        );
        new.fields = fields.as_object().unwrap().clone();
        ring.push(new);
        let mut entries = Vec::new();
        ring.read_from(1, 1, usize::MAX, &mut entries);
        let shows = |wanted: &[(&str, &str)]| {
            let filter = wanted
                .iter()
                .try_fold(Filter::default(), |filter, (name, value)| {
                    filter.with_field(name, value)
                });
            filter.unwrap().matches(&entries[0])
        };
        for held in [
            &[("unit", "ssh.service")][..],
            &[("pid", "7"), ("ok", "true")],
            &[("a\"b", "c,\"fields\":{")],
            &[("o", "{\"unit\":\"x\"}")],
        ] {
            assert!(shows(held), "{held:?}");
        }
        for other in [
            &[("unit", "ssh.servic")][..],
            &[("unit", "SSH.service")],
            &[("unit", "fake")],
            &[("unit", "")],
            &[("Unit", "ssh.service")],
            &[("pid", "7"), ("ok", "false")],
            &[("pid", "7.0")],
            &[("message", "m")],
        ] {
            assert!(!shows(other), "{other:?}");
        }
        let many =
            (0..=MAX_FIELDS).try_fold(Filter::default(), |filter, _| filter.with_field("a", "b"));
        assert_eq!(many, Err(FilterError::TooManyFields));
    }

    /// A remote clock that says 2099.
    #[test]
    fn a_time_over_a_day_ahead_is_marked_and_the_arrival_counts() {
        let now = Timestamp::from_secs(1_795_530_730);
        let stamped = |ahead: Duration| {
            let ring = Ring::new(1 << 20, "b".into());
            let new = NewEntry::new("far".into(), Level::Info, now + ahead, "x".into());
            ring.push(new.read_at(now));
            let mut entries = Vec::new();
            ring.read_from(1, 1, usize::MAX, &mut entries);
            entries.remove(0)
        };
        let day = Duration::from_secs(24 * 60 * 60);
        let near = stamped(day);
        assert_eq!(near.when, now + day);
        assert!(!near.json.contains("arrived"));
        let far = stamped(day * 365 * 73);
        assert!(
            far.json.contains(r#""timestamp":"2099-11-"#),
            "{}",
            far.json
        );
        assert!(
            far.json
                .contains(r#","arrived":"2026-11-24T14:32:10.000Z","source":"far""#)
        );
        let shows = |from: Option<Timestamp>, to: Option<Timestamp>| {
            Filter {
                from,
                to,
                ..Filter::default()
            }
            .matches(&far)
        };
        let second = Duration::from_secs(1);
        assert!(shows(Some(now), None) && shows(None, Some(now)) && shows(Some(now), Some(now)));
        assert!(!shows(Some(now + second), None) && !shows(None, Some(now.saturating_sub(second))));
    }

    #[test]
    fn what_is_too_long_or_unknown_is_refused() {
        let long = "x".repeat(2000);
        assert_eq!(
            Filter::new(Some(&long), None, None),
            Err(FilterError::SourceTooLong)
        );
        assert_eq!(
            Filter::new(None, None, Some(&long)),
            Err(FilterError::TextTooLong)
        );
        assert_eq!(
            Filter::new(None, Some("loud"), None),
            Err(FilterError::UnknownLevel)
        );
    }
}

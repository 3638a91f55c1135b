//! Which entries a subscriber wants: `?source=`, `?level=` and `?q=`.

use super::entry::Level;
use super::label;
use super::ring::Entry;

/// What an entry must be to be shown. The default shows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The source's name; the path of a file and its name with `.log` are taken for it too.
    source: Option<Source>,
    /// This level or a more severe one.
    level: Option<Level>,
    /// In lower case: part of the message, whatever its case.
    text: Option<String>,
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
    /// Over [`MAX_SOURCE_BYTES`].
    #[error("source is longer than {MAX_SOURCE_BYTES} bytes")]
    SourceTooLong,
    /// No such level.
    #[error("level must be debug, info, notice, warn, error, crit, alert or emerg")]
    UnknownLevel,
    /// Over [`MAX_TEXT_BYTES`].
    #[error("q is longer than {MAX_TEXT_BYTES} bytes")]
    TextTooLong,
}

impl Filter {
    /// Reads the three query parameters; an absent or empty one filters nothing.
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
        if source.as_ref().is_some_and(|s| s.len() > MAX_SOURCE_BYTES) {
            return Err(FilterError::SourceTooLong);
        }
        let text = given(text);
        if text.as_ref().is_some_and(|t| t.len() > MAX_TEXT_BYTES) {
            return Err(FilterError::TextTooLong);
        }
        let level = match given(level) {
            None => None,
            Some(name) => Some(Level::parse(&name).ok_or(FilterError::UnknownLevel)?),
        };
        Ok(Self {
            source: source.map(|given| Source {
                stem: file_stem(&given),
                given,
            }),
            level,
            text: text.map(|text| text.to_lowercase()),
        })
    }

    /// Whether the entry is to be shown.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        self.level.is_none_or(|level| entry.level >= level)
            && self
                .source
                .as_ref()
                .is_none_or(|source| source.matches(&entry.source))
            && self
                .text
                .as_ref()
                .is_none_or(|text| contains(&entry.message(), text))
    }
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

/// The bound of `?source=`: the longest file name Linux has, with room for its folder.
pub const MAX_SOURCE_BYTES: usize = 1024;

/// The bound of `?q=`: each entry is searched for it.
pub const MAX_TEXT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
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

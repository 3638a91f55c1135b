//! Which entries a subscriber wants: `?source=`, `?level=`, `?q=`, `?field.NAME=`, and of which time.

use super::entry::Level;
use super::label;
use super::ring_entry::RingEntry;
use crate::clock::Timestamp;

/// What an entry must be to be shown. The default shows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these sources, unless there is none: by its name; the path of a file and its name with `.log` are taken for
    /// it too.
    sources: Vec<SourceName>,
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
struct SourceName {
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
    pub fn matches(&self, entry: &RingEntry) -> bool {
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
fn sources(given: &str) -> Vec<SourceName> {
    let parts = given
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let whole = given.contains(',').then_some(given);
    parts
        .chain(whole)
        .map(|given| SourceName {
            stem: file_stem(given),
            given: given.to_owned(),
        })
        .collect()
}

impl SourceName {
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
mod tests;

//! The options of `postern logs`, read from its words.

use std::time::Duration;

use super::board::BoardAddress;
use super::known_boards::CertificateFingerprint;

/// What is to be shown of which board, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a flag")]
pub struct LogsOptions {
    /// Whose log.
    pub board: BoardAddress,
    /// Who signs in.
    pub user: String,
    /// Whether to keep showing new entries.
    pub follow: bool,
    /// Only what is that young.
    pub since: Option<Duration>,
    /// How many of the recent entries, without `since`.
    pub lines: u32,
    /// Only of this source.
    pub source: Option<String>,
    /// Only so severe, or worse.
    pub level: Option<String>,
    /// Only with this in the message.
    pub text: Option<String>,
    /// As the board sends it.
    pub json: bool,
    /// Which certificate the board must have, if that is said.
    pub fingerprint: Option<CertificateFingerprint>,
    /// Whether a login may be kept, and one that is kept be used.
    pub save: bool,
    /// Whether to end the kept login, and show nothing.
    pub sign_out: bool,
    /// When to use colours.
    pub color: ColorChoice,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// At a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl LogsOptions {
    /// The filters, as the end of a query.
    pub(crate) fn filters(&self) -> String {
        let mut query = String::new();
        let filters = [
            ("&source=", &self.source),
            ("&level=", &self.level),
            ("&q=", &self.text),
        ];
        for (name, value) in filters {
            if let Some(value) = value {
                query.push_str(name);
                query.extend(form_urlencoded::byte_serialize(value.as_bytes()));
            }
        }
        query
    }
}

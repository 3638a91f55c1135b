//! What the server's certificate is like, as its housekeeper last found it: for `/health`, the status and monitors.

use serde_json::{Value, json};

use crate::clock::Timestamp;

/// The certificate that newcomers are shown.
#[derive(Debug, Default)]
pub struct CertificateState {
    /// Until when it is good, if that is known.
    pub expires: Option<Timestamp>,
    /// What is wrong with it, or with the one that should be shown in its place.
    pub trouble: Option<CertificateTrouble>,
}

/// What is wrong with a certificate, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateTrouble {
    /// For everybody: names no file.
    pub reason: String,
    /// For the administrator: with the file, and what to do.
    pub detail: String,
}

impl CertificateState {
    /// As `/api/status` shows it, if there is something to show.
    pub(super) fn shown(&self) -> Option<Value> {
        let mut shown = json!({});
        if let Some(expires) = self.expires {
            shown["expires"] = json!(expires.to_string());
        }
        if let Some(trouble) = &self.trouble {
            shown["problem"] = json!(trouble.detail);
        }
        (shown != json!({})).then_some(shown)
    }
}

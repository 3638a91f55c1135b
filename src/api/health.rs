//! Health and readiness, for people, balancers and watchdogs.

use serde_json::json;

use super::answer::json_answer;
use super::error::ApiError;
use super::request::Request;
use super::{Api, Caller, Outcome};
use crate::device::advisories::State;
use crate::journal::Room;

/// `GET /health`, `GET /api/health`
#[allow(clippy::unnecessary_wraps)] // A handler's signature.
pub(super) fn health(api: &Api, _: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    let mut reasons = reasons(api);
    if !api.audit.healthy() {
        reasons.push("the audit log cannot be written");
    } else if !api.audit.intact() {
        // What cannot be written is often no log at all: then this would say the same in other words.
        reasons.push("the audit log was changed by somebody else, or is damaged");
    }
    let advisories = api.advisories.report();
    if advisories.state == State::Failing {
        reasons.push("not all advisories can be read");
    }
    let certificate = api.certificate.lock().trouble.clone();
    let mut reasons: Vec<_> = reasons
        .into_iter()
        .chain(certificate.iter().map(|trouble| trouble.reason.as_str()))
        .collect();
    // Whoever may ask nothing else learns no address and no name of another program here.
    for door in api.missing_doors.lock().iter() {
        if !reasons.contains(&door.reason) {
            reasons.push(door.reason);
        }
    }
    let mut body = json!({
        "status": if reasons.is_empty() { "healthy" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
    });
    if !reasons.is_empty() {
        body["reasons"] = json!(reasons);
    }
    if !advisories.findings.is_empty() {
        body["cves"] = json!(advisories.findings.len());
    }
    if let Some(update) = api.updates.known() {
        body["update_available"] = json!(true);
        body["update_version"] = json!(update.version.to_string());
        if let Some(url) = update.url {
            body["update_url"] = json!(url.as_str());
        }
    }
    Ok(Outcome::Answer(json_answer(200, &body)))
}

/// `GET /readyz`
pub(super) fn readyz(api: &Api, _: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    match reasons(api).first() {
        None => Ok(Outcome::Answer(json_answer(
            200,
            &json!({"status": "ready"}),
        ))),
        Some(reason) => Err(ApiError::NotReady((*reason).to_owned())),
    }
}

/// Whether `/readyz` says so.
pub(super) fn is_ready(api: &Api) -> bool {
    reasons(api).is_empty()
}

/// Why a revocation could not be made durable right now.
fn reasons(api: &Api) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    if !api.journal.healthy() {
        reasons.push("the journal cannot be written");
    }
    match api.journal.room() {
        Room::Enough => {}
        Room::Full => reasons.push("the file system of STATE_DIR is full"),
        Room::ReadOnly => reasons.push("the file system of STATE_DIR is read-only"),
    }
    if api.auth.is_full() {
        reasons.push("the table of revocations is full");
    }
    reasons
}

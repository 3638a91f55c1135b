//! Health and readiness, for people, balancers and watchdogs.

use serde::Serialize;
use serde_json::json;

use super::error::ApiError;
use super::responses::json_response;
use super::{Api, Caller, Outcome};
use crate::config::HttpsUrl;
use crate::device::advisories::AdvisoryState;
use crate::http::request::Request;
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
    if advisories.state == AdvisoryState::Failing {
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
    let update = api.updates.known();
    let body = Health {
        status: if reasons.is_empty() {
            "healthy"
        } else {
            "degraded"
        },
        version: env!("CARGO_PKG_VERSION"),
        reasons,
        cves: advisories.findings.len(),
        update_available: update.is_some(),
        update_version: update.as_ref().map(|update| update.version.to_string()),
        update_url: update
            .as_ref()
            .and_then(|update| update.url.as_ref().map(HttpsUrl::as_str)),
    };
    Ok(Outcome::Response(json_response(200, &body)))
}

/// What `/health` says. Made for each of many requests, and so no tree of values.
#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'a str>,
    #[serde(skip_serializing_if = "is_none")]
    cves: usize,
    #[serde(skip_serializing_if = "is_false")]
    update_available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_url: Option<&'a str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_false(told: &bool) -> bool {
    !*told
}

/// `GET /readyz`
pub(super) fn readyz(api: &Api, _: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    match reasons(api).first() {
        None => Ok(Outcome::Response(json_response(
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

//! Health and readiness, for people, balancers and watchdogs.

use serde::Serialize;
use serde_json::json;

use super::error::ApiError;
use super::responses::json_response;
use super::{Api, Caller, Outcome};
use crate::http::request::Request;
use crate::journal::Room;

/// `GET /health`, `GET /api/health`
#[allow(clippy::unnecessary_wraps)] // A handler's signature.
pub(super) fn health(api: &Api, _: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    let certificate = api.certificate.lock().trouble.clone();
    let mut health = Health {
        version: env!("CARGO_PKG_VERSION"),
        reasons: reasons(api),
        ..Health::default()
    };
    if !api.audit.healthy() {
        health.reasons.push("the audit log cannot be written");
    } else if !api.audit.intact() {
        // What cannot be written is often no log at all: then this would say the same in other words.
        let changed = "the audit log was changed by somebody else, or is damaged";
        health.reasons.push(changed);
    }
    for add in FEATURES {
        add(api, &mut health);
    }
    let certificate = certificate.iter().map(|trouble| trouble.reason.as_str());
    health.reasons.extend(certificate);
    // Whoever may ask nothing else learns no address and no name of another program here.
    for door in api.missing_doors.lock().iter() {
        if !health.reasons.contains(&door.reason) {
            health.reasons.push(door.reason);
        }
    }
    health.status = if health.reasons.is_empty() {
        "healthy"
    } else {
        "degraded"
    };
    Ok(Outcome::Response(json_response(200, &health)))
}

/// What `/health` says. Made for each of many requests, and so no tree of values.
#[derive(Default, Serialize)]
pub(super) struct Health<'a> {
    status: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<&'a str>,
    #[serde(skip_serializing_if = "is_none")]
    pub cves: usize,
    #[serde(skip_serializing_if = "is_false")]
    pub update_available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_url: Option<String>,
}

/// Each adds what one feature has found.
const FEATURES: &[fn(&Api, &mut Health)] = &[
    #[cfg(feature = "advisories")]
    super::cve::add_to_health,
    #[cfg(feature = "updates")]
    super::updates::add_to_health,
];

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

/// Why a revocation could not be made durable right now.
pub(super) fn reasons(api: &Api) -> Vec<&'static str> {
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

//! The addresses with failed attempts, for the administrator.

use super::account::changed_response;
use super::error::ApiError;
use super::input::decode_segment;
use super::responses::success_response;
use super::{Api, Caller, Outcome};
use crate::audit::{self, Event, EventKind, User};
use crate::auth::Changed;
use crate::http::request::Request;
use crate::ids::ClientKey;

/// `GET /api/security/rate-limits`
#[allow(clippy::unnecessary_wraps)] // A handler's signature.
pub(super) fn list(api: &Api, _: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    Ok(Outcome::Response(success_response(&api.auth.lockouts())))
}

/// `DELETE /api/security/rate-limits/{ip}`
pub(super) fn clear(api: &Api, _: &Request, caller: &Caller) -> Result<Outcome, ApiError> {
    let text = decode_segment(&caller.parameter);
    let client: ClientKey = text
        .parse()
        .map_err(|_| ApiError::BadRequest("the path must end in an IP address".into()))?;
    let cleared = api.auth.clear_lockout(client);
    if cleared == Ok(false) {
        return Err(ApiError::NotFound("this address has no failed attempts"));
    }
    let principal = caller.principal()?;
    let event = Event {
        origin: caller.client.into(),
        user: User::Account(&principal.user),
        outcome: audit::EventOutcome::of_commit(cleared.is_ok()),
        token: principal.token(),
        more: Some(("target", &client.to_string())),
        ..Event::default()
    };
    api.audit.record(EventKind::LockOutCleared, &event);
    cleared?;
    let cleared = Changed::LockOutCleared;
    Ok(Outcome::Response(changed_response(&cleared)))
}

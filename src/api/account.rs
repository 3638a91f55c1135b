//! Login, refresh, logout, password, tickets.

use serde_json::json;

use super::error::ApiError;
use super::input::json_object;
use super::responses::json_response;
use super::{Api, Caller, Outcome, PendingChange};
use crate::auth::{Changed, TokenPair};
use crate::http::request::{Peer, Request};
use crate::http::response::Response;

/// `POST /api/auth/login`
pub(super) fn login(api: &Api, request: &Request, caller: &Caller) -> Result<Outcome, ApiError> {
    let body = json_object(request)?;
    let (user, password) = (body.string("username")?, body.string("password")?);
    let pair = api.auth.login(caller.client, user, password)?;
    Ok(Outcome::Response(token_response(&pair)))
}

/// `POST /api/auth/login`, as far as it can be answered without bcrypt.
pub(super) fn login_at_once(
    api: &Api,
    request: &Request,
    caller: &Caller,
) -> Result<Option<Response>, ApiError> {
    let body = json_object(request)?;
    let (user, password) = (body.string("username")?, body.string("password")?);
    let pair = api.auth.login_quick(caller.client, user, password)?;
    Ok(pair.as_ref().map(token_response))
}

/// `POST /api/auth/refresh`
pub(super) fn refresh(api: &Api, request: &Request, caller: &Caller) -> Result<Outcome, ApiError> {
    let body = json_object(request)?;
    let token = body.string("refresh_token")?;
    let refresh = api.auth.begin_refresh(caller.client, token)?;
    Ok(Outcome::Change(PendingChange::new(refresh, request)))
}

fn token_response(pair: &TokenPair) -> Response {
    json_response(
        200,
        &json!({
            "status": "success",
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_type": "Bearer",
            "expires_in": pair.expires_in,
        }),
    )
}

/// `POST /api/logout`
pub(super) fn logout(api: &Api, request: &Request, caller: &Caller) -> Result<Outcome, ApiError> {
    let logout = api.auth.begin_logout(caller.client, caller.principal()?)?;
    Ok(Outcome::Change(PendingChange::new(logout, request)))
}

/// What is said of a change that is durable.
pub(super) fn changed_response(changed: &Changed) -> Response {
    let message = match changed {
        Changed::Refreshed(pair) => return token_response(pair),
        Changed::LoggedOut => "logged out",
        Changed::Password => "password changed; all other logins have ended",
        Changed::LockOutCleared => "the address is cleared",
        // No request leads to one.
        Changed::Unasked => "done",
    };
    json_response(200, &json!({"status": "success", "message": message}))
}

/// `POST /api/change-password`
pub(super) fn change_password(
    api: &Api,
    request: &Request,
    caller: &Caller,
) -> Result<Outcome, ApiError> {
    let body = json_object(request)?;
    // Whoever may open the local socket is the administrator, and may have forgotten it.
    if request.peer == Peer::Local && !body.has("current_password") {
        api.auth.reset_password(body.string("new_password")?)?;
    } else {
        let (current, new) = (
            body.string("current_password")?,
            body.string("new_password")?,
        );
        api.auth
            .change_password(caller.client, caller.principal()?, current, new)?;
    }
    Ok(Outcome::Response(changed_response(&Changed::Password)))
}

/// `GET /api/ws-token`
pub(super) fn ws_token(api: &Api, _: &Request, caller: &Caller) -> Result<Outcome, ApiError> {
    let ticket = api.auth.issue_ticket(caller.principal()?);
    Ok(Outcome::Response(json_response(
        200,
        &json!({"status": "success", "token": ticket}),
    )))
}

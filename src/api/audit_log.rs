//! The audit log, for the administrator.

use serde_json::Value;

use super::error::ApiError;
use super::input::query_number;
use super::responses::json_lines_response;
use super::{Api, Caller, Outcome};
use crate::http::request::Request;

/// `GET /api/audit-log`
pub(super) fn list(api: &Api, request: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    let query = &request.target;
    let limit = match query_number(query, "limit")? {
        None => DEFAULT_LIMIT,
        Some(0) => return Err(ApiError::BadRequest("'limit' must be at least 1".into())),
        // Whoever asks for more asks again, with `before`.
        Some(limit) => usize::try_from(limit).map_or(MAX_LIMIT, |limit| limit.min(MAX_LIMIT)),
    };
    let before = query_number(query, "before")?.unwrap_or(u64::MAX);
    let lines = api.audit.page(before, limit).map_err(|error| {
        log::error!(problem:% = error; "the audit log cannot be read");
        ApiError::NotReady("the audit log cannot be read".into())
    })?;
    Ok(Outcome::Response(json_lines_response(
        lines.iter(),
        &Value::Null,
    )))
}

/// What is given when nobody says how many.
const DEFAULT_LIMIT: usize = 100;

/// An entry has 250 bytes, and 1 KiB at most: more than a megabyte is no answer for a small board.
const MAX_LIMIT: usize = 1000;

//! Which query parameters a path knows, and what becomes of one that it does not.

use super::error::ApiError;
use crate::config::nearest::nearest;
use crate::http::request::RequestTarget;

/// The query parameters of a route's path; [`FIELDS`] stands for all of that kind.
#[must_use]
pub fn parameters(path: &str) -> &'static [&'static str] {
    match path {
        "/api/logs" => &[
            "limit", "since", "until", "boot", "source", "level", "q", FIELDS, "follow",
        ],
        "/api/ws/logs" => &["token", "since", "boot", "source", "level", "q", FIELDS],
        "/api/audit-log" => &["limit", "before"],
        "/api/security/cve" => &["limit"],
        _ => &[],
    }
}

/// Refuses a query parameter that this path of a route, if it is below `/api`, does not know: a misspelt filter would show
/// everything.
///
/// # Errors
/// [`ApiError::BadRequest`], naming the one that was probably meant.
pub fn check_query(path: &str, target: &RequestTarget) -> Result<(), ApiError> {
    if !path.starts_with("/api/") {
        return Ok(());
    }
    let known = parameters(path);
    let is_known = |name: &str| {
        known.contains(&if field_name(name).is_some() {
            FIELDS
        } else {
            name
        })
    };
    let mut names = target.parameters().map(|(name, _)| name);
    let Some(unknown) = names.find(|name| !is_known(name)) else {
        return Ok(());
    };
    // What is like none of them is not repeated: a secret may have slipped there.
    Err(ApiError::BadRequest(
        match nearest(&unknown, known.iter().copied()) {
            Some(name) => {
                format!("the query parameter '{unknown}' is not known; did you mean '{name}'?")
            }
            None if known.is_empty() => "this path takes no query parameters".to_owned(),
            None => format!(
                "a query parameter is not known; known here: {}",
                known.join(", ")
            ),
        },
    ))
}

/// `field.NAME`, for an entry's field of any name.
pub const FIELDS: &str = "field.NAME";

/// The field that a query parameter of the kind of [`FIELDS`] names.
#[must_use]
pub fn field_name(parameter: &str) -> Option<&str> {
    parameter
        .strip_prefix("field.")
        .filter(|name| !name.is_empty())
}

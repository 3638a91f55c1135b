//! Browsers: whose pages may call (CORS), and whose may not change anything behind a user's back.

use tiny_http::Method;

use super::Api;
use super::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;

/// Whether this is a preflight (Fetch standard, "CORS-preflight request").
pub(super) fn is_preflight(request: &Request) -> bool {
    request.header("Origin").is_some() && request.header("Access-Control-Request-Method").is_some()
}

/// Whether the request's origin, if it has one, is this host's own or one of the configured ones.
pub(super) fn is_allowed(api: &Api, request: &Request) -> bool {
    match request.header("Origin") {
        None => true,
        Some(origin) => is_own(request, origin) || is_configured(api, origin),
    }
}

/// `Origin: https://host[:port]` with the very authority the request went to. Only HTTPS: this port speaks nothing else.
fn is_own(request: &Request, origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let strip = |authority: &str| {
        authority
            .strip_suffix(":443")
            .unwrap_or(authority)
            .to_ascii_lowercase()
    };
    scheme.eq_ignore_ascii_case("https")
        && request
            .host
            .as_deref()
            .is_some_and(|host| strip(host) == strip(authority))
}

fn is_configured(api: &Api, origin: &str) -> bool {
    api.allowed_origins
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

/// A page of another origin must not change anything with the credentials a browser remembers.
pub(super) fn refuse_foreign_changes(api: &Api, request: &Request) -> Result<(), ApiError> {
    match request.method {
        Method::Get | Method::Head | Method::Options => Ok(()),
        _ => refuse_foreign(api, request),
    }
}

/// Refuses what a browser sends on behalf of a page of another origin, unless that is a configured one. The same host at
/// another port is another origin too, though browsers call it the same site.
pub(super) fn refuse_foreign(api: &Api, request: &Request) -> Result<(), ApiError> {
    let configured = request
        .header("Origin")
        .is_some_and(|origin| is_configured(api, origin));
    let elsewhere = request
        .header_values("Sec-Fetch-Site")
        .any(|site| !matches!(site, "same-origin" | "none"));
    if !configured && (elsewhere || !is_allowed(api, request)) {
        return Err(ApiError::ForeignOrigin);
    }
    Ok(())
}

/// Tells a configured origin's page that it may read this answer. `origin` is the request's, if it has one.
pub(super) fn decorate(api: &Api, origin: Option<&str>, answer: Response) -> Response {
    let Some(origin) = origin else {
        return answer;
    };
    let answer = answer.with_field("Vary", "Origin");
    if !is_configured(api, origin) {
        return answer;
    }
    answer
        .with_field("Access-Control-Allow-Origin", origin)
        .with_field(
            "Access-Control-Expose-Headers",
            "Retry-After, WWW-Authenticate",
        )
}

/// Answers `OPTIONS`: a preflight from an allowed origin, or a plain question for the methods.
pub(super) fn options(methods: Option<&str>) -> Response {
    let answer = Response::new(204, "Server: postern\r\n");
    match methods {
        Some(methods) => answer.with_field("Allow", methods),
        // The same for every path, so that nobody can map the API by asking.
        None => answer
            .with_field("Access-Control-Allow-Methods", METHODS)
            .with_field(
                "Access-Control-Allow-Headers",
                "Authorization, Content-Type",
            )
            .with_field("Access-Control-Max-Age", PREFLIGHT_SECONDS),
    }
}

/// Whatever any route takes.
pub(super) const METHODS: &str = "GET, HEAD, POST, DELETE";

/// How long a browser may remember a preflight.
const PREFLIGHT_SECONDS: &str = "600";

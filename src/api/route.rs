//! The routes in one table: method, path, who may call, and whether answering may have to wait.

use tiny_http::Method;

use super::error::ApiError;
use super::{Api, Caller, Outcome, account, audit_log, health, logs, rate_limits, status};
use crate::http::request::Request;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody. The handler may still check a credential in the body.
    Open,
    /// A user, by Basic or bearer token.
    User,
    /// A user, or whoever holds a ticket: the handler finds out.
    Ticket,
}

/// Where a handler may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// On the thread that polls: it computes a little and never waits. If the journal must have something before it is
    /// answered, it gives an [`Outcome::Change`].
    Cheap,
    /// On the pool: it reads files, or needs the journal in its midst.
    Waits,
    /// On the pool's few places for bcrypt.
    Password,
}

/// What a handler is given and gives back.
pub type Handler = fn(&Api, &Request, &Caller) -> Result<Outcome, ApiError>;

/// One row of the table.
pub struct Route {
    /// The method; `HEAD` is answered wherever `GET` is.
    pub method: Method,
    /// The path, spelt exactly; a last segment `{…}` stands for any one segment.
    pub path: &'static str,
    /// How long the path is before its `{…}`, if it has one.
    stem: Option<usize>,
    /// Who may call it.
    pub access: Access,
    /// Where it runs.
    pub cost: Cost,
    /// What answers it.
    pub handler: Handler,
}

/// Every route there is. Those of a feature that was left out are not.
pub static ROUTES: &[Route] = &[
    route(
        Method::Get,
        "/health",
        Access::Open,
        Cost::Cheap,
        health::health,
    ),
    route(
        Method::Get,
        "/api/health",
        Access::Open,
        Cost::Cheap,
        health::health,
    ),
    route(
        Method::Get,
        "/readyz",
        Access::Open,
        Cost::Cheap,
        health::readyz,
    ),
    route(
        Method::Post,
        "/api/auth/login",
        Access::Open,
        Cost::Password,
        account::login,
    ),
    route(
        Method::Post,
        "/api/auth/refresh",
        Access::Open,
        Cost::Cheap,
        account::refresh,
    ),
    route(
        Method::Post,
        "/api/logout",
        Access::User,
        Cost::Cheap,
        account::logout,
    ),
    route(
        Method::Post,
        "/api/change-password",
        Access::User,
        Cost::Password,
        account::change_password,
    ),
    route(
        Method::Get,
        "/api/ws-token",
        Access::User,
        Cost::Cheap,
        account::ws_token,
    ),
    route(
        Method::Get,
        "/api/status",
        Access::User,
        Cost::Waits,
        status::status,
    ),
    route(
        Method::Get,
        "/api/security/rate-limits",
        Access::User,
        Cost::Cheap,
        rate_limits::list,
    ),
    route(
        Method::Delete,
        "/api/security/rate-limits/{ip}",
        Access::User,
        Cost::Waits,
        rate_limits::clear,
    ),
    #[cfg(feature = "advisories")]
    route(
        Method::Get,
        "/api/security/cve",
        Access::User,
        Cost::Waits,
        super::cve::list,
    ),
    route(
        Method::Get,
        "/api/audit-log",
        Access::User,
        Cost::Waits,
        audit_log::list,
    ),
    route(
        Method::Get,
        "/api/logs",
        Access::User,
        Cost::Waits,
        logs::recent,
    ),
    route(
        Method::Get,
        "/api/ws/logs",
        Access::Ticket,
        Cost::Cheap,
        logs::websocket,
    ),
    route(
        Method::Get,
        "/api/openapi.json",
        Access::User,
        Cost::Cheap,
        status::openapi,
    ),
    #[cfg(feature = "metrics")]
    route(
        Method::Get,
        "/metrics",
        Access::User,
        Cost::Waits,
        super::metrics::metrics,
    ),
    #[cfg(feature = "console")]
    route(
        Method::Get,
        "/",
        Access::Open,
        Cost::Cheap,
        super::console::page,
    ),
    #[cfg(feature = "console")]
    route(
        Method::Get,
        "/console/{file}",
        Access::Open,
        Cost::Cheap,
        super::console::file,
    ),
];

const fn route(
    method: Method,
    path: &'static str,
    access: Access,
    cost: Cost,
    handler: Handler,
) -> Route {
    let (bytes, mut stem, mut at) = (path.as_bytes(), None, 0);
    while at < bytes.len() {
        if bytes[at] == b'{' {
            stem = Some(at);
        }
        at += 1;
    }
    Route {
        method,
        path,
        stem,
        access,
        cost,
        handler,
    }
}

impl Route {
    /// If this row is for that path: the value of its `{…}` segment, still encoded; empty for a row without one.
    fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some(stem) = self.stem else {
            return (self.path == path).then_some("");
        };
        let value = path.strip_prefix(&self.path[..stem])?;
        // A network is named with its length, `…/64`, encoded or not.
        let segment = match value.strip_suffix("/64") {
            Some(network) if self.path.ends_with("{ip}") => network,
            _ => value,
        };
        (!segment.is_empty() && !segment.contains('/')).then_some(value)
    }
}

/// What the table says about a method and a path.
pub enum RouteMatch<'p> {
    /// Which row, and the value of its parameter.
    Route(usize, &'p str),
    /// The path exists with these methods only, and whether any of them is open to everybody.
    OtherMethods(String, bool),
    /// No such path.
    Nothing,
}

/// Looks a request up, `HEAD` as `GET`. Nothing is decoded or normalised: another spelling is another path.
#[must_use]
pub fn find<'p>(method: &Method, path: &'p str) -> RouteMatch<'p> {
    let wanted = match method {
        Method::Head => &Method::Get,
        other => other,
    };
    let mut allowed = Vec::new();
    let mut open = false;
    for (row, route) in ROUTES.iter().enumerate() {
        let Some(parameter) = route.matches(path) else {
            continue;
        };
        if route.method == *wanted {
            return RouteMatch::Route(row, parameter);
        }
        open |= route.access == Access::Open;
        allowed.push(route.method.as_str());
        if route.method == Method::Get {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() {
        return RouteMatch::Nothing;
    }
    allowed.push("OPTIONS");
    RouteMatch::OtherMethods(allowed.join(", "), open)
}

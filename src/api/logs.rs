//! The log: what the ring holds, and the live streams.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tiny_http::Method;
use tungstenite::handshake::derive_accept_key;

use super::error::ApiError;
use super::input::{query_number, whole_number};
use super::query::{check_query, field_name};
use super::responses::{COMMON, json_lines_response};
use super::{Api, Caller, Outcome, Stream, cors};
use crate::auth::Principal;
use crate::clock::Timestamp;
use crate::http::request::{Peer, Request};
use crate::http::response::Response;
use crate::logs::filter::Filter;
use crate::logs::hub::Encoding;

/// `GET /api/logs`: recent entries, or with `follow=true` the live stream for curl and `EventSource`.
pub(super) fn recent(api: &Api, request: &Request, caller: &Caller) -> Result<Outcome, ApiError> {
    let query = &request.target;
    let mut filter = filter(request)?;
    let position = position(request, &mut filter)?;
    match query.query("follow").as_deref() {
        None | Some("false" | "0") => {}
        Some("true" | "1") if query.query("until").is_some() => {
            return Err(ApiError::BadRequest(
                "'until' does not go with 'follow': a stream has no end".into(),
            ));
        }
        Some("true" | "1") => {
            return follow(api, request, caller, filter, position);
        }
        Some(_) => {
            return Err(ApiError::BadRequest(
                "'follow' must be true or false".into(),
            ));
        }
    }
    let is_this_run = query
        .query("boot")
        .is_none_or(|boot| boot == api.ring.boot());
    if let Some(until) = query.query("until") {
        match point("until", &until)? {
            // All of this run came after any entry of an earlier one.
            LogBound::Entry(_) if !is_this_run => filter.last = Some(0),
            LogBound::Entry(last) => filter.last = Some(last),
            LogBound::Time(time) => filter.to = Some(time),
        }
    }
    let limit = match query_number(query, "limit")? {
        None => DEFAULT_LIMIT,
        Some(0) => return Err(ApiError::BadRequest("'limit' must be at least 1".into())),
        // Whoever asks for more wants all there is.
        Some(limit) => limit.min(MAX_LIMIT),
    };
    let since = position.since.filter(|_| is_this_run);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let entries = api.ring.recent(limit, since, &filter);
    Ok(Outcome::Response(json_lines_response(
        entries.iter(),
        &Value::Null,
    )))
}

fn follow(
    api: &Api,
    request: &Request,
    caller: &Caller,
    filter: Filter,
    mut position: StreamPosition,
) -> Result<Outcome, ApiError> {
    let events = request
        .header_values("Accept")
        .any(|accept| accept.to_ascii_lowercase().contains("text/event-stream"));
    // A browser's EventSource says by itself where it was (HTML standard, "Last-Event-ID").
    if let Some(last) = request.header("Last-Event-ID").and_then(last_event) {
        position = last;
    }
    let chunked = !request.http_1_0;
    let (encoding, media_type) = if events {
        (
            Encoding::ServerSentEvents { chunked },
            "text/event-stream; charset=utf-8",
        )
    } else {
        (
            Encoding::JsonLines { chunked },
            "application/x-ndjson; charset=utf-8",
        )
    };
    let head = Response::new(200, COMMON).with_field("Content-Type", media_type);
    if request.method == Method::Head {
        return Ok(Outcome::Response(head));
    }
    let principal = caller.principal()?;
    Ok(stream(
        api, request, principal, head, encoding, filter, position,
    ))
}

/// Whether a stream is asked for with `Authorization`, or by the administrator at his own door, rather than with a ticket.
pub(super) fn brings_credentials(request: &Request) -> bool {
    let known = request.peer == Peer::Local || request.header("Authorization").is_some();
    known && ticket(request).is_none()
}

/// `GET /api/ws/logs` (RFC 6455, section 4.2)
pub(super) fn websocket(
    api: &Api,
    request: &Request,
    caller: &Caller,
) -> Result<Outcome, ApiError> {
    let ticket = ticket(request);
    if caller.principal.is_none() {
        let ticket = ticket.as_deref().ok_or(ApiError::MissingTicket)?;
        // Looked at before it is used up: what is no handshake must not cost a ticket.
        api.auth
            .peek_ticket(ticket)
            .map_err(|_| ApiError::InvalidTicket)?;
    }
    if !cors::is_allowed(api, request) {
        return Err(ApiError::ForeignOrigin);
    }
    check_query("/api/ws/logs", &request.target)?;
    let key = handshake_key(request)?;
    let mut filter = filter(request)?;
    let position = position(request, &mut filter)?;
    let principal = match (&caller.principal, ticket) {
        (Some(principal), _) => principal.clone(),
        (None, Some(ticket)) => api
            .auth
            .redeem_ticket(&ticket)
            .map_err(|_| ApiError::InvalidTicket)?,
        (None, None) => return Err(ApiError::MissingTicket),
    };
    api.auth.prove(caller.client, &principal.user);
    let mut head = Response::new(101, COMMON)
        .with_field("Sec-WebSocket-Accept", &derive_accept_key(key.as_bytes()));
    if request.header_has("Sec-WebSocket-Protocol", SUBPROTOCOL) {
        head = head.with_field("Sec-WebSocket-Protocol", SUBPROTOCOL);
    }
    Ok(stream(
        api,
        request,
        &principal,
        head,
        Encoding::WebSocket,
        filter,
        position,
    ))
}

fn stream(
    api: &Api,
    request: &Request,
    principal: &Principal,
    head: Response,
    encoding: Encoding,
    filter: Filter,
    position: StreamPosition,
) -> Outcome {
    let auth = api.auth.clone();
    let principal = principal.clone();
    let head = cors::decorate(api, request.header("Origin"), head);
    let stream = Stream {
        encoding,
        filter,
        since: position.since,
        boot: position.boot,
        alive: Box::new(move || auth.time_left(&principal)),
    };
    Outcome::Stream(head, Box::new(stream))
}

/// Where a client was: the last entry that it has, and the run that this is a number of.
struct StreamPosition {
    since: Option<u64>,
    boot: Option<String>,
}

/// A time in place of a number stands for all that the ring holds, of which `filter` then shows what is young enough.
fn position(request: &Request, filter: &mut Filter) -> Result<StreamPosition, ApiError> {
    let boot = request.target.query("boot");
    Ok(match request.target.query("since") {
        None => StreamPosition { since: None, boot },
        Some(since) => match point("since", &since)? {
            LogBound::Entry(seq) => StreamPosition {
                since: Some(seq),
                boot,
            },
            LogBound::Time(time) => {
                filter.from = Some(time);
                StreamPosition {
                    since: Some(0),
                    boot: None,
                }
            }
        },
    })
}

/// Where a client was that sends back the id of its last event; `None`: no event has such an id.
fn last_event(id: &str) -> Option<StreamPosition> {
    // 0.1.0 gave a number alone. That was an earlier run, so its client has nothing of this one.
    let (boot, seq) = id.rsplit_once(':').unwrap_or(("", id));
    Some(StreamPosition {
        since: Some(seq.parse().ok()?),
        boot: Some(boot.to_owned()),
    })
}

/// Where in the log `since` and `until` are.
enum LogBound {
    /// The number of an entry.
    Entry(u64),
    Time(Timestamp),
}

fn point(name: &str, text: &str) -> Result<LogBound, ApiError> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return whole_number(name, text).map(LogBound::Entry);
    }
    // A plus sign that was not encoded has become a space.
    let time = OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339).map_err(|_| {
        ApiError::BadRequest(format!(
            "'{name}' must be a whole number or a time such as 2026-11-23T14:32:10Z"
        ))
    })?;
    let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
    let millis = u64::try_from(millis.max(0)).unwrap_or(u64::MAX);
    Ok(LogBound::Time(Timestamp::from_millis(millis)))
}

/// The ticket, from the query or from the subprotocol `postern.token.<ticket>`.
fn ticket(request: &Request) -> Option<String> {
    request.target.query("token").or_else(|| {
        request
            .header_values("Sec-WebSocket-Protocol")
            .flat_map(|value| value.split(','))
            .find_map(|word| word.trim().strip_prefix(TICKET_SUBPROTOCOL))
            .map(str::to_owned)
    })
}

/// The client's key, if this is a WebSocket handshake at all.
fn handshake_key(request: &Request) -> Result<&str, ApiError> {
    let upgrade = request.header_has("Upgrade", "websocket")
        && request.header_has("Connection", "upgrade")
        && request.method == Method::Get
        && !request.http_1_0;
    if !upgrade || request.header("Sec-WebSocket-Version").map(str::trim) != Some("13") {
        return Err(ApiError::UpgradeRequired);
    }
    // RFC 6455, section 4.1: base64 of 16 bytes, which is always this long.
    request
        .header("Sec-WebSocket-Key")
        .filter(|key| key.len() == 24)
        .ok_or_else(|| ApiError::BadRequest("'Sec-WebSocket-Key' is missing or malformed".into()))
}

fn filter(request: &Request) -> Result<Filter, ApiError> {
    let query = &request.target;
    Filter::new(
        query.query("source").as_deref(),
        query.query("level").as_deref(),
        query.query("q").as_deref(),
    )
    .and_then(|filter| {
        let mut fields = query
            .parameters()
            .filter_map(|(name, value)| Some((field_name(&name)?.to_owned(), value)));
        fields.try_fold(filter, |filter, (name, value)| {
            filter.with_field(&name, &value)
        })
    })
    .map_err(|error| ApiError::BadRequest(error.to_string()))
}

/// What `GET /api/logs` gives when nobody says how many.
const DEFAULT_LIMIT: u64 = 100;

/// A screenful many times over; the ring holds the rest for the stream.
const MAX_LIMIT: u64 = 10_000;

/// The subprotocol this stream speaks.
const SUBPROTOCOL: &str = "postern.logs";

/// The subprotocol that carries a ticket.
const TICKET_SUBPROTOCOL: &str = "postern.token.";

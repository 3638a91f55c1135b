//! `GET /api/status`, and the description of this API.
//!
//! A new member of the status: a line in `facts` here, its schema in openapi.json and, for people, a line in cli/status.rs.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::error::ApiError;
use super::responses::json_response;
use super::{Api, Caller, Outcome};
use crate::clock::ClockState;
use crate::device::board::{BoardReader, Throttling, disk, hostname};
use crate::gunzip::gunzip;
use crate::http::request::Request;
use crate::logs::NO_SOURCES;

/// `GET /api/status`
#[allow(clippy::unnecessary_wraps)] // A handler's signature.
pub(super) fn status(api: &Api, _: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    let uptime = api.clock.monotonic().saturating_since(api.started);
    let journal = api.journal.stats();
    let (oldest, newest) = api.ring.bounds();
    let sources: Vec<_> = api
        .sources
        .lock()
        .states()
        .into_iter()
        .map(|source| {
            let mut row = json!({
                "name": source.name,
                "kind": source.kind,
                "place": source.place,
                "state": source.state,
                "entries": source.entries,
            });
            if let Some(files) = source.files {
                row["files"] = json!(files);
            }
            if let Some(error) = source.last_error {
                row["error"] = json!(error);
            }
            row
        })
        .collect();
    let mut body = json!({
        "status": "success",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": uptime.as_secs(),
        "time": api.clock.wall().to_string(),
        "clock": clock(api),
        "connections": api.connection_count(),
        "subscribers": api.hub.subscribers(),
        "journal": {
            "bytes": journal.bytes,
            "records": journal.records,
            "writable": api.journal.healthy(),
        },
        "logs": {"boot": api.ring.boot(), "oldest": oldest, "newest": newest, "entries": newest, "sources": sources},
    });
    if body["logs"]["sources"] == json!([]) {
        body["logs"]["warning"] = json!(NO_SOURCES);
    }
    let doors = api.missing_doors.lock().clone();
    if !doors.is_empty() {
        let problems: Vec<_> = doors.into_iter().map(|door| door.problem).collect();
        body["listen"] = json!(problems);
    }
    // What a board does not have is absent, never null or zero.
    let facts = [
        #[cfg(feature = "updates")]
        ("updates", Some(super::updates::summary(api))),
        #[cfg(feature = "advisories")]
        (
            "advisories",
            Some(super::cve::summary(&api.advisories.report())),
        ),
        ("model", api.board.model().map(Value::from)),
        ("hostname", hostname().map(Value::from)),
        (
            "system_uptime_seconds",
            api.board.uptime_seconds().map(Value::from),
        ),
        ("load", api.board.load_average().map(|load| json!(load))),
        ("memory", memory(&api.board)),
        (
            "temperature_celsius",
            api.board.temperature().map(Value::from),
        ),
        ("power", api.board.throttling().map(power)),
        (
            "disk",
            disk(&api.state_dir)
                .map(|disk| json!({"total_bytes": disk.total, "available_bytes": disk.available})),
        ),
        ("certificate", api.certificate.lock().shown()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    Ok(Outcome::Response(json_response(200, &body)))
}

fn memory(board: &BoardReader) -> Option<Value> {
    let memory = board.memory()?;
    let mut shown = json!({"total_bytes": memory.total, "available_bytes": memory.available});
    if let Some(process) = board.process() {
        shown["resident_bytes"] = json!(process.resident);
    }
    Some(shown)
}

/// Each flag that the board tells, and which of them have held since it was switched on.
fn power(throttling: Throttling) -> Value {
    let flags = |flags: &mut dyn Iterator<Item = (&str, bool)>| {
        let flags = flags.map(|(name, holds)| (name.to_owned(), Value::from(holds)));
        Value::Object(flags.collect())
    };
    let mut power = flags(&mut throttling.now());
    let since_boot = flags(&mut throttling.since_boot());
    if since_boot
        .as_object()
        .is_some_and(|flags| !flags.is_empty())
    {
        power["since_boot"] = since_boot;
    }
    power
}

fn clock(api: &Api) -> Value {
    let (state, believed) = (api.clock.state(), api.clock.is_believed());
    let mut clock = json!({"state": state.name(), "believed": believed});
    if let Some(synchronised) = api.board.clock_synchronised() {
        // A time that cannot be true is nobody's, whatever a file from before says.
        clock["synchronised"] = json!(synchronised && believed);
    } else if !believed {
        clock["synchronised"] = json!(false);
    }
    match state {
        ClockState::Followed | ClockState::OutOfRange => {}
        ClockState::Held(leap) => clock["leap_seconds"] = json!(leap.as_secs()),
        ClockState::Behind(by) => clock["behind_seconds"] = json!(by.as_secs()),
    }
    clock
}

/// `GET /api/openapi.json`
#[allow(clippy::unnecessary_wraps)] // A handler's signature.
pub(super) fn openapi(_: &Api, _: &Request, _: &Caller) -> Result<Outcome, ApiError> {
    Ok(Outcome::Response(json_response(200, document())))
}

/// The `OpenAPI` document, with this build's version in it.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let text = gunzip(include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz")));
        let mut document: Value = serde_json::from_slice(&text).expect("a test parses it");
        document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
        document
    })
}

#[cfg(test)]
mod tests;

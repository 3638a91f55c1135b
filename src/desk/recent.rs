//! Without `--follow`: asks for recent entries with `GET /api/logs` and shows them.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::BoardClient;
use super::error::DeskError;
use super::format::EntryFormat;
use super::options::LogsOptions;
use super::response::MAX_SMALL;
use super::session::BoardSession;
use super::stream_cursor::StreamCursor;
use crate::json;
use crate::terminal::Terminal;

/// Shows the last entries, or those of the time that was asked for.
pub(super) fn run(
    client: &BoardClient<'_>,
    session: &BoardSession<'_>,
    options: &LogsOptions,
    format: EntryFormat,
    terminal: &mut Terminal<'_>,
) -> Result<(), DeskError> {
    let Some(age) = options.since else {
        return newest(client, session, options, None, format, terminal);
    };
    let since = begin(client, session, age)?;
    let mut shown_all = false;
    let count = each(client, session, options, "", MOST_ENTRIES, |entry, raw| {
        if is_since(entry, since) {
            terminal
                .out
                .write_all(format.entry(entry, raw).as_bytes())?;
        } else {
            shown_all = true;
        }
        Ok(())
    })?;
    if count == MOST_ENTRIES as usize && !shown_all {
        writeln!(
            terminal.err,
            "there may be older ones: the board sends at most {MOST_ENTRIES} at once; --follow shows all"
        )?;
    }
    Ok(())
}

/// Shows the last entries, or those up to a number of the cursor's run.
pub(super) fn newest(
    client: &BoardClient<'_>,
    session: &BoardSession<'_>,
    options: &LogsOptions,
    last: Option<(&StreamCursor, u64)>,
    format: EntryFormat,
    terminal: &mut Terminal<'_>,
) -> Result<(), DeskError> {
    if options.lines == 0 {
        return Ok(());
    }
    let until = last.map_or_else(String::new, |(cursor, last)| cursor.until(last));
    // 0.1.0 knows no `until`.
    let last = last.map_or(u64::MAX, |(_, last)| last);
    each(
        client,
        session,
        options,
        &until,
        options.lines,
        |entry, raw| {
            if entry.get("seq").and_then(Value::as_u64) <= Some(last) {
                terminal
                    .out
                    .write_all(format.entry(entry, raw).as_bytes())?;
            }
            Ok(())
        },
    )?;
    Ok(())
}

/// The board's time so long ago. Entries carry the board's time, and the desk's may be another.
pub(super) fn begin(
    client: &BoardClient<'_>,
    session: &BoardSession<'_>,
    age: Duration,
) -> Result<SystemTime, DeskError> {
    let status = client.get("/api/status", session.token())?;
    let status = status.whole(MAX_SMALL, client.timing.answer)?;
    let status = json::parse(&status).unwrap_or_default();
    let now = status.get("time").and_then(Value::as_str);
    let now = now.and_then(|now| humantime::parse_rfc3339(now).ok());
    let now = now.ok_or_else(|| {
        DeskError::Permanent(format!("{} sends no time with its answers", client.board))
    })?;
    Ok(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))
}

/// Whether an entry is that young; one without a time that makes sense is shown rather than hidden.
pub(super) fn is_since(entry: &Value, since: SystemTime) -> bool {
    // A time that cannot be true has the one of its arrival beside it.
    let time = entry.get("arrived").or_else(|| entry.get("timestamp"));
    let time = time.and_then(Value::as_str);
    time.and_then(|time| humantime::parse_rfc3339(time).ok())
        .is_none_or(|time| time >= since)
}

#[derive(Deserialize)]
struct Recent<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

/// Goes through the last `limit` entries, oldest first; returns how many there were. `until`: the query that says
/// where they end.
fn each(
    client: &BoardClient<'_>,
    session: &BoardSession<'_>,
    options: &LogsOptions,
    until: &str,
    limit: u32,
    mut take: impl FnMut(&Value, &str) -> Result<(), DeskError>,
) -> Result<usize, DeskError> {
    let target = format!("/api/logs?limit={limit}{until}{}", options.filters());
    let answer = client.get(&target, session.token())?;
    let body = answer.whole(MAX_RECENT, client.timing.body)?;
    let wrong = |_| {
        DeskError::Permanent(format!(
            "{} answers with something that is not a log",
            client.board
        ))
    };
    let recent: Recent<'_> = serde_json::from_slice(&body).map_err(wrong)?;
    for raw in &recent.data {
        let entry = json::parse(raw.get().as_bytes()).map_err(wrong)?;
        take(&entry, raw.get())?;
    }
    Ok(recent.data.len())
}

/// As many entries as the board gives at once.
pub const MOST_ENTRIES: u32 = 10_000;

/// A board's whole ring at its usual size, several times over.
const MAX_RECENT: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests;

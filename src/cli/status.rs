//! `postern status`: what `/api/status` and `/health` say, for people.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::command::{CommandRow, NO_SERVER, Operand, REFUSED, SUCCESS, USELESS, WorksOn};
use super::flags::{JSON, SOCKET};
use super::{health, local};
use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "status",
    summary: "show the state of the running server and its board",
    details: "\
Asks the server over its Unix socket, so it needs no password. It finds the socket as the server does (LOCAL_SOCKET, \
STATE_DIR). It leaves out what the board does not have. --json prints the answer of GET /api/status as it is.",
    flags: &[JSON, SOCKET],
    operand: Operand::None,
    statuses: &[(0, "shown, healthy or degraded"), REFUSED, NO_SERVER],
    works_on: WorksOn::Socket,
    run: |arguments, mut context| {
        let (socket, json) = (arguments.path("socket"), arguments.has("json"));
        Ok(run(socket, json, context.load, &mut context.terminal)?)
    },
};

/// Asks at `socket`, or at the one that the configuration names.
fn run(
    socket: Option<PathBuf>,
    json: bool,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let Some(socket) = local::socket(socket, config, terminal)? else {
        return Ok(USELESS);
    };
    let mut answers = [Value::Null, Value::Null];
    for (answer, path) in answers.iter_mut().zip(["/api/status", "/health"]) {
        match local::ask_or_explain(&socket, &local::request("GET", path), terminal)? {
            Ok(body) => *answer = body,
            Err(status) => return Ok(status),
        }
    }
    let [status, health] = answers;
    if json {
        writeln!(terminal.out, "{status}")?;
    } else {
        terminal.out.write_all(table(&status, &health).as_bytes())?;
    }
    Ok(SUCCESS)
}

/// One fact a line. What the board does not have is left out.
fn table(status: &Value, health: &Value) -> String {
    let mut lines: Vec<(&str, Option<String>)> = Vec::from([
        ("health", Some(healthy(health))),
        ("version", text(status, "/version")),
        ("update", update(status, health)),
        #[cfg(feature = "advisories")]
        ("vulnerabilities", vulnerabilities(status)),
        ("running for", span(status, "/uptime_seconds")),
        ("host", text(status, "/hostname")),
        ("board", text(status, "/model")),
        ("board up for", span(status, "/system_uptime_seconds")),
        ("time", text(status, "/time")),
        ("clock", clock(status)),
        ("load", load(status)),
        ("memory", used(status, "/memory")),
        ("postern's memory", size(status, "/memory/resident_bytes")),
        (
            "temperature",
            status
                .pointer("/temperature_celsius")
                .and_then(Value::as_f64)
                .map(|t| format!("{t:.1} \u{b0}C")),
        ),
        ("power", power(status)),
        ("disk", used(status, "/disk")),
        ("certificate", certificate(status)),
        ("connections", text(status, "/connections")),
        ("log readers", text(status, "/subscribers")),
        ("journal", journal(status)),
        ("log entries", text(status, "/logs/entries")),
    ]);
    let problems = status.pointer("/listen").and_then(Value::as_array);
    for problem in problems.into_iter().flatten() {
        lines.push(("missing", problem.as_str().map(str::to_owned)));
    }
    for source in status
        .pointer("/logs/sources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        lines.push(("log source", Some(self::source(source))));
    }
    lines.push(("log source", text(status, "/logs/warning")));
    let column = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    lines
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name:column$}{}\n", local::shown(&value?))))
        .collect()
}

fn certificate(status: &Value) -> Option<String> {
    let until = text(status, "/certificate/expires").map(|until| format!("until {until}"));
    let lines = [until, text(status, "/certificate/problem")];
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn healthy(health: &Value) -> String {
    match text(health, "/status") {
        Some(word) if word == "healthy" => word,
        _ => format!("degraded: {}", health::reasons(health)),
    }
}

/// Nothing if no update is known and the check is off.
fn update(status: &Value, health: &Value) -> Option<String> {
    let known = text(health, "/update_version").map(|version| {
        let url = text(health, "/update_url").map_or_else(String::new, |url| format!(": {url}"));
        format!("{version} is available{url}")
    });
    let error = text(status, "/updates/error");
    Some(match (known, error) {
        (Some(known), Some(error)) => format!("{known}; the last check failed: {error}"),
        (Some(known), None) => known,
        (None, error) => {
            let state = text(status, "/updates/state").filter(|state| state != "off")?;
            error.map_or_else(|| state.clone(), |error| format!("{state}: {error}"))
        }
    })
}

#[cfg(feature = "advisories")]
fn vulnerabilities(status: &Value) -> Option<String> {
    let summary = status.get("advisories")?;
    let mut line = super::cve::verdict(summary);
    if summary.get("cves").and_then(Value::as_u64) > Some(0) {
        line.push_str("; postern cve lists them");
    }
    Some(line)
}

fn source(source: &Value) -> String {
    let word = |name| text(source, name).unwrap_or_default();
    let mut line = word("/name");
    let place = word("/place");
    if !place.is_empty() && place != line {
        line.extend([" (", &place, ")"]);
    }
    line.extend([": ", &word("/state"), ", ", &word("/entries"), " entries"]);
    if let Some(files) = text(source, "/files") {
        line.extend([" of ", &files, " files"]);
    }
    if let Some(error) = text(source, "/error") {
        line.extend([" (", &error, ")"]);
    }
    line
}

fn journal(status: &Value) -> Option<String> {
    let records = text(status, "/journal/records")?;
    let size = size(status, "/journal/bytes")?;
    let writable = status.pointer("/journal/writable") == Some(&Value::Bool(true));
    let trouble = if writable { "" } else { ", cannot be written" };
    Some(format!("{records} records, {size}{trouble}"))
}

/// What a Raspberry Pi says of its power supply, now and since the boot.
fn power(status: &Value) -> Option<String> {
    let power = status.pointer("/power")?.as_object()?;
    let holding = |flags: &serde_json::Map<String, Value>| {
        let holding = flags.iter().filter(|flag| *flag.1 == Value::Bool(true));
        let names: Vec<String> = holding.map(|(name, _)| name.replace('_', " ")).collect();
        names.join(", ")
    };
    let now = match holding(power) {
        none if none.is_empty() => "good".to_owned(),
        some => some,
    };
    let before = power.get("since_boot").and_then(Value::as_object);
    match before.map(holding) {
        Some(before) if !before.is_empty() => Some(format!("{now} (since boot: {before})")),
        _ => Some(now),
    }
}

fn load(status: &Value) -> Option<String> {
    let load = status.pointer("/load")?.as_array()?;
    let load: Vec<String> = load
        .iter()
        .filter_map(Value::as_f64)
        .map(|l| format!("{l:.2}"))
        .collect();
    Some(load.join(" "))
}

fn used(status: &Value, path: &str) -> Option<String> {
    let of = |name| status.pointer(&format!("{path}/{name}"))?.as_u64();
    let (total, available) = (of("total_bytes")?, of("available_bytes")?);
    Some(format!("{} free of {}", bytes(available), bytes(total)))
}

fn text(value: &Value, path: &str) -> Option<String> {
    match value.pointer(path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether postern follows and believes the system's clock, and whether it is synchronised.
fn clock(status: &Value) -> Option<String> {
    let flag = |name: &str, yes: &'static str, no: &'static str| {
        let flag = status.pointer("/clock")?.get(name)?.as_bool()?;
        Some(if flag { yes } else { no })
    };
    let words = [
        flag("synchronised", "synchronised", "not synchronised"),
        flag("believed", "believed", "not believed"),
    ];
    let state = text(status, "/clock/state")?;
    Some(
        words
            .into_iter()
            .flatten()
            .fold(state, |all, word| all + ", " + word),
    )
}

fn span(value: &Value, path: &str) -> Option<String> {
    let seconds = value.pointer(path)?.as_u64()?;
    Some(humantime::format_duration(Duration::from_secs(seconds)).to_string())
}

fn size(value: &Value, path: &str) -> Option<String> {
    Some(bytes(value.pointer(path)?.as_u64()?))
}

fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["bytes", "KiB", "MiB", "GiB"];
    let (mut rest, mut unit) = (bytes, 0);
    while rest >= 1024 * 10 && unit + 1 < UNITS.len() {
        rest /= 1024;
        unit += 1;
    }
    format!("{rest} {}", UNITS[unit])
}

#[cfg(test)]
mod tests;

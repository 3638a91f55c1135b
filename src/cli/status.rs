//! `postern status`: what `/api/status` and `/health` say, for people.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::{Console, SUCCESS, USELESS, cve, health, local};
use crate::config::{Config, ConfigError};

/// Asks at `socket`, or at the one that the configuration names.
pub(super) fn run(
    socket: Option<PathBuf>,
    json: bool,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    console: &mut Console<'_>,
) -> io::Result<u8> {
    let Some(socket) = local::socket(socket, config, console)? else {
        return Ok(USELESS);
    };
    let mut answers = [Value::Null, Value::Null];
    for (answer, path) in answers.iter_mut().zip(["/api/status", "/health"]) {
        match local::asked(&socket, &local::request("GET", path), console)? {
            Ok(body) => *answer = body,
            Err(status) => return Ok(status),
        }
    }
    let [status, health] = answers;
    if json {
        writeln!(console.out, "{status}")?;
    } else {
        console.out.write_all(table(&status, &health).as_bytes())?;
    }
    Ok(SUCCESS)
}

/// A line a matter; what the board does not have is left out.
fn table(status: &Value, health: &Value) -> String {
    let mut lines: Vec<(&str, Option<String>)> = vec![
        ("health", Some(healthy(health))),
        ("version", text(status, "/version")),
        ("update", update(status, health)),
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
    ];
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

/// Nothing, where nobody was ever to be asked.
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

fn vulnerabilities(status: &Value) -> Option<String> {
    let summary = status.get("advisories")?;
    let mut line = cve::verdict(summary);
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

/// A Raspberry Pi's complaints, and those it had before.
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

/// What becomes of the system's clock, and whether anybody sets it.
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
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_board_says_is_a_line_a_matter_and_what_it_lacks_is_none() {
        let status = json!({
            "version": "0.1.0", "advisories": {"state": "off", "advisories": 0, "packages": 0, "cves": 0}, "uptime_seconds": 90_061, "clock": {"state": "followed", "believed": true, "synchronised": false}, "load": [0.5, 0.25, 0.125],
            "memory": {"total_bytes": 436_000_000, "available_bytes": 272_000_000, "resident_bytes": 5_600_000},
            "temperature_celsius": 47.25, "connections": 3, "listen": ["LISTEN: 192.0.2.1:8443 is in use"], "certificate": {"expires": "2036-11-20T00:00:00Z", "problem": "/c.pem: gone"},
            "power": {"under_voltage": true, "throttled": false, "since_boot": {"under_voltage": true, "frequency_capped": true}}, "journal": {"bytes": 18_432, "records": 312, "writable": false},
            "logs": {"entries": 12, "sources": [
                {"name": "all", "state": "following", "entries": 12, "files": 2},
                {"name": "x", "place": "file:/x.log", "state": "error", "entries": 0, "error": "no\u{1b}[2Jway"},
            ]},
        });
        let health = json!({"status": "degraded", "reasons": ["the journal cannot be written"]});
        assert_eq!(
            table(&status, &health),
            "health            degraded: the journal cannot be written\n\
             version           0.1.0\n\
             vulnerabilities   not checked: there are no advisories; postern help cve says how to bring some\n\
             running for       1day 1h 1m 1s\n\
             clock             followed, not synchronised, believed\n\
             load              0.50 0.25 0.12\n\
             memory            259 MiB free of 415 MiB\n\
             postern's memory  5468 KiB\n\
             temperature       47.2 \u{b0}C\n\
             power             under voltage (since boot: frequency capped, under voltage)\n\
             certificate       until 2036-11-20T00:00:00Z; /c.pem: gone\n\
             connections       3\n\
             journal           312 records, 18 KiB, cannot be written\n\
             log entries       12\n\
             missing           LISTEN: 192.0.2.1:8443 is in use\n\
             log source        all: following, 12 entries of 2 files\n\
             log source        x (file:/x.log): error, 0 entries (no [2Jway)\n"
        );
    }

    #[test]
    fn an_update_is_told_and_so_is_trouble_with_the_news_of_it() {
        let status = |updates| json!({"updates": updates});
        let line = |status, health| update(&status, &health);
        assert_eq!(line(status(json!({"state": "off"})), json!({})), None);
        assert_eq!(line(json!({}), json!({})), None);
        for (status, health, expected) in [
            (status(json!({"state": "current"})), json!({}), "current"),
            (
                status(json!({"state": "failing", "error": "no"})),
                json!({}),
                "failing: no",
            ),
            (
                status(json!({"state": "available"})),
                json!({"update_available": true, "update_version": "0.2.0"}),
                "0.2.0 is available",
            ),
            (
                status(json!({"state": "available", "error": "no"})),
                json!({"update_version": "0.2.0", "update_url": "https://a/"}),
                "0.2.0 is available: https://a/; the last check failed: no",
            ),
        ] {
            assert_eq!(line(status, health).as_deref(), Some(expected));
        }
    }

    #[test]
    fn vulnerabilities_are_told_with_where_they_are_listed() {
        let line = |cves| {
            let summary = json!({"state": "current", "advisories": 9, "cves": cves});
            vulnerabilities(&json!({"advisories": summary}))
        };
        let some = "2 known of 9 advisories; postern cve lists them";
        assert_eq!(line(2).as_deref(), Some(some));
        assert_eq!(line(0).as_deref(), Some("none known of 9 advisories"));
        // An older server's.
        assert_eq!(vulnerabilities(&json!({})), None);
    }

    #[test]
    fn sizes_have_two_digits_or_more() {
        for (size, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 KiB"),
            (u64::MAX, "17179869183 GiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }
}

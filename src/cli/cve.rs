//! `postern cve`: the known vulnerabilities that apply to this device, by the running server. Anybody may have written
//! an advisory, so its text is shown with control characters escaped.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::command::{CommandRow, FAILURE, NO_SERVER, Operand, SUCCESS, USELESS, WorksOn};
use super::flags::{JSON, SOCKET};
use super::local;
use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;
use crate::terminal::escape::{json_line, plain};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "cve",
    summary: "list the known vulnerabilities that apply to this device, most severe first",
    details: "\
Asks the running server over its Unix socket. postern fetches no advisories. You put them as files into \
STATE_DIR/advisories, or where ADVISORY_DIR says. It reads OSV's, as in the all.zip that osv.dev has for each \
ecosystem, unpacked or not, and RustSec's advisory-db. It compares them with the packages of the device (dpkg, apk, \
opkg) and with the crates that postern is made of. It does so within a minute of a change, or within six hours if that \
is more than two folders down.

The exit status is for cron. Where there are no advisories it is 1, so that a forgotten board does not pass for a good \
one. --json prints the answer of GET /api/security/cve as it is.",
    flags: &[JSON, SOCKET],
    operand: Operand::None,
    statuses: &[
        (0, "everything was looked at, and nothing applies"),
        (1, "a vulnerability applies, advisories are missing or unreadable, or the server refused"),
        NO_SERVER,
    ],
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
    let request = local::request("GET", "/api/security/cve");
    let body = match local::ask_or_explain(&socket, &request, terminal)? {
        Ok(body) => body,
        Err(status) => return Ok(status),
    };
    let text = if json {
        json_line(&body.to_string())
    } else {
        table(&body)
    };
    terminal.out.write_all(text.as_bytes())?;
    let all_is_well = text_of(&body, "state") == "current" && count(&body, "cves") == 0;
    Ok(if all_is_well { SUCCESS } else { FAILURE })
}

/// A line for each vulnerability, in the server's order, and a last one that sums up.
fn table(body: &Value) -> String {
    let data = body.get("data").and_then(Value::as_array);
    let cell = |row: &Value, name: &str| match plain(text_of(row, name)) {
        none if none.is_empty() => "-".to_owned(),
        text => text,
    };
    let rows: Vec<_> = data
        .into_iter()
        .flatten()
        .map(|row| COLUMNS.map(|(name, _)| cell(row, name)))
        .collect();
    let mut text = String::new();
    if !rows.is_empty() {
        let heads = COLUMNS.map(|(_, head)| head.to_owned());
        let all = || std::iter::once(&heads).chain(&rows);
        let widths = [0, 1, 2, 3, 4, 5].map(|column: usize| {
            let lengths = all().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0).min(WIDEST)
        });
        for row in all() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                // Writing to a String cannot fail.
                let _ = write!(line, "{cell:width$}  ");
            }
            text.extend([line.trim_end(), "\n"]);
        }
    }
    text.push_str(&plain(&verdict(body)));
    if let Some(time) = body.get("checked_at").and_then(Value::as_str) {
        let packages = count(body, "packages");
        let time = plain(time);
        let _ = write!(text, "; {packages} packages, checked at {time}");
    }
    let newest = body.get("newest").and_then(Value::as_object);
    for (name, time) in newest.into_iter().flatten() {
        let day = time.as_str().and_then(|time| time.get(..10));
        let day = plain(day.unwrap_or_default());
        let _ = write!(text, "; the newest about {} is of {day}", plain(name));
    }
    text.push('\n');
    text
}

/// What the server's summary comes to, in a sentence.
pub(super) fn verdict(summary: &Value) -> String {
    match text_of(summary, "state") {
        "off" => {
            return "not checked: there are no advisories; postern help cve says how to bring some"
                .to_owned();
        }
        "unknown" => return "not checked yet".to_owned(),
        _ => {}
    }
    let known = match count(summary, "cves") {
        0 => "none".to_owned(),
        known => known.to_string(),
    };
    let of = count(summary, "advisories");
    let mut text = match summary.get("error").and_then(Value::as_str) {
        Some(error) => format!("not everything could be read: {error}; "),
        None => String::new(),
    };
    text.extend([&known, " known of ", &of.to_string(), " advisories"]);
    let of_one = |name| Some(format!("{} {name}", summary.get("severities")?.get(name)?));
    let severities: Vec<String> = SEVERITIES.into_iter().filter_map(of_one).collect();
    if !severities.is_empty() {
        text.extend([" (", &severities.join(", "), ")"]);
    }
    let ecosystems = summary.get("ecosystems").and_then(Value::as_object);
    let unknown = ecosystems
        .into_iter()
        .flatten()
        .filter(|(_, count)| **count == 0);
    for (name, _) in unknown {
        text.extend(["; none of these is about ", name]);
    }
    match count(summary, "ignored") {
        0 => {}
        ignored => text.extend(["; ", &ignored.to_string(), " more ignored"]),
    }
    text
}

fn text_of<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn count(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// The members of a row, and what stands above them.
const COLUMNS: [(&str, &str); 6] = [
    ("id", "id"),
    ("severity", "severity"),
    ("package", "package"),
    ("installed", "installed"),
    ("fixed_in", "fixed in"),
    ("link", "link"),
];

/// The worst first.
const SEVERITIES: [&str; 6] = ["critical", "high", "medium", "low", "none", "unknown"];

/// One long version should not push all the others apart.
const WIDEST: usize = 32;

#[cfg(test)]
mod tests;

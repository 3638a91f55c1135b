//! `postern audit` shows the audit log's last entries. `postern audit verify` checks its chain of hashes. Both read the
//! files, whether the server runs or not.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::command::{
    CommandRow, FAILURE, FlagArgument, FlagRow, Operand, SUCCESS, USELESS, WorksOn,
};
use super::flags::JSON;
use crate::audit::{self, ChainProblem, ChainReport, member, raw_member};
use crate::config::{Config, ConfigError};
use crate::terminal::Terminal;
use crate::terminal::escape::{json_line, plain};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "audit",
    summary: "show the audit log's last entries: logins, failures, changes",
    details: "\
Reads FOLDER, or STATE_DIR. The server may be running. It writes an entry within a second, a wrong password within \
ten. Repeated events are folded: `and 12 more like it` counts those since the entry before. --json prints the lines as \
they stand in the files. Times are the board's, in UTC.",
    flags: &[
        FlagRow::new(
            "lines",
            "show the last N entries, 100000 at most (default: 100)",
        )
        .short('n')
        .takes(FlagArgument::Number("N", 1, MOST_LINES)),
        JSON,
    ],
    operand: Operand::Folder("FOLDER"),
    statuses: &[(0, "shown"), NO_AUDIT_LOG],
    works_on: WorksOn::StateDir,
    run: |arguments, mut context| {
        let lines = Some(arguments.number("lines").unwrap_or(DEFAULT_LINES));
        let (json, folder) = (
            arguments.has("json"),
            arguments.operand().map(PathBuf::from),
        );
        Ok(run(
            lines,
            json,
            folder,
            context.load,
            &mut context.terminal,
        )?)
    },
};

/// Its row in the table.
pub(in crate::cli) const VERIFY_ROW: CommandRow = CommandRow {
    name: "audit verify",
    summary: "say whether entries of the audit log were changed, moved or taken out",
    details: "\
Reads FOLDER, or STATE_DIR. The server may be running. Each line holds the hash of the line before, so this command \
finds a change in between. It cannot find out that the last entries are gone, or that somebody with write access wrote \
the whole log anew. To notice that, keep the printed hash elsewhere, and look for it in the log later.",
    flags: &[JSON],
    operand: Operand::Folder("FOLDER"),
    statuses: &[
        (0, "nothing wrong was found"),
        (1, "something is wrong; each place is printed"),
        NO_AUDIT_LOG,
    ],
    works_on: WorksOn::StateDir,
    run: |arguments, mut context| {
        let (json, folder) = (
            arguments.has("json"),
            arguments.operand().map(PathBuf::from),
        );
        Ok(run(
            None,
            json,
            folder,
            context.load,
            &mut context.terminal,
        )?)
    },
};

const NO_AUDIT_LOG: (u8, &str) = (
    2,
    "there is no audit log, or none that can be read; wrong usage",
);

/// Shows that many of the last entries, or without `lines` checks the chain. Reads `folder`, or else the configured
/// state folder.
fn run(
    lines: Option<u32>,
    json: bool,
    folder: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let found = folder.map_or_else(
        || {
            let config = config().or_else(|error| error.beside(&["STATE_DIR"]));
            config.map(|config| config.state_dir)
        },
        Ok,
    );
    let folder = match found {
        Ok(folder) => folder,
        Err(error) => {
            terminal.config_error(&error)?;
            return Ok(USELESS);
        }
    };
    let read = match lines {
        Some(count) => audit::recent(&folder, usize::try_from(count).unwrap_or(usize::MAX))
            .map(|lines| (entries(&lines, json), true)),
        None => audit::verify(&folder).map(|report| (verdict(&report, json), report.whole())),
    };
    match read {
        Ok((text, _)) if text.is_empty() => {
            writeln!(
                terminal.err,
                "postern: {}: there are no entries",
                folder.display()
            )?;
            Ok(USELESS)
        }
        Ok((text, whole)) => {
            terminal.out.write_all(text.as_bytes())?;
            Ok(if whole { SUCCESS } else { FAILURE })
        }
        Err(error) => {
            writeln!(terminal.err, "postern: {}: {error}", folder.display())?;
            Ok(USELESS)
        }
    }
}

/// One line for each entry: time, event, outcome, and the other members.
fn entries(lines: &[String], json: bool) -> String {
    let mut text = String::new();
    for line in lines {
        if json {
            text.push_str(&json_line(line));
            continue;
        }
        let entry: Value = serde_json::from_slice(line.as_bytes()).unwrap_or_default();
        for (name, width) in [("time", 0), ("event", 16), ("outcome", 0)] {
            let word = entry.get(name).and_then(Value::as_str).unwrap_or("-");
            // Writing to a String cannot fail.
            let _ = write!(text, "{:width$} ", plain(word));
        }
        for (name, value) in entry.as_object().into_iter().flatten() {
            if ["seq", "time", "event", "outcome", "prev", "repeated"].contains(&name.as_str()) {
                continue;
            }
            let value = match value {
                Value::String(value) => plain(value),
                Value::Null => "(unknown)".to_owned(),
                other => plain(&other.to_string()),
            };
            let _ = write!(text, " {}={value}", plain(name));
        }
        if let Some(others) = entry.get("repeated") {
            let _ = write!(text, " (and {} more like it)", plain(&others.to_string()));
        }
        text.push('\n');
    }
    text
}

fn verdict(report: &ChainReport, json: bool) -> String {
    let ChainReport {
        files,
        entries,
        first,
        last,
        head,
        kept,
        torn,
        problems,
        problem_count,
    } = report;
    let or_null = |number: &Option<u64>| number.map_or("null".to_owned(), |n| n.to_string());
    let whole = report.whole();
    let rows = [
        ("whole", whole.to_string()),
        ("files", files.to_string()),
        ("entries", entries.to_string()),
        ("first", or_null(first)),
        ("last", or_null(last)),
        ("kept", kept.to_string()),
        ("torn_bytes", torn.to_string()),
        ("problem_count", problem_count.to_string()),
    ];
    let hash = head.as_deref().unwrap_or_default();
    let mut text = String::new();
    if json {
        // By hand: half the code of a macro's.
        for (name, json) in rows {
            raw_member(&mut text, name, &json);
        }
        member(&mut text, "hash", hash);
        let mut places = String::new();
        for ChainProblem { file, line, what } in problems {
            places.push_str(if places.is_empty() { "{" } else { ",{" });
            let mut place = String::new();
            member(&mut place, "file", file);
            raw_member(&mut place, "line", &line.to_string());
            member(&mut place, "what", what);
            places.push_str(&place);
            places.push('}');
        }
        return ["{", &text, ",\"problems\":[", &places, "]}\n"].concat();
    }
    text.push_str(if whole {
        "whole, as far as can be seen\n"
    } else {
        "broken\n"
    });
    for ChainProblem { file, line, what } in problems {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {file}, line {line}: {what}");
    }
    for (name, value) in &rows[1..] {
        let _ = writeln!(text, "  {name:<14} {value}");
    }
    let _ = writeln!(text, "  {:<14} {hash}", "hash");
    if *torn > 0 {
        text.push_str("The last line is torn: a write that was broken off, or is under way.\n");
    }
    if first.is_some_and(|first| first > 1) {
        text.push_str(
            "Older entries were rotated away or removed. The rare ones of them are kept.\n",
        );
    }
    text
}

/// A few screens.
const DEFAULT_LINES: u32 = 100;

/// They are all in memory before the first is shown.
const MOST_LINES: u32 = 100_000;

#[cfg(test)]
mod tests;

//! `postern audit`: the audit log's last entries, and `postern audit verify`: whether its chain is whole. Both read the
//! files, be the server running or not.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::logs::show::{json_line, plain};
use super::{Console, FAILURE, SUCCESS, USELESS};
use crate::audit::{self, NAME, Problem, Report};
use crate::config::{Config, ConfigError};

/// Shows or verifies the log in `folder`, or that of the server that the configuration is for.
pub(super) fn run(
    verify: bool,
    json: bool,
    folder: Option<PathBuf>,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    console: &mut Console<'_>,
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
            console.config_error(&error)?;
            return Ok(USELESS);
        }
    };
    let read = if verify {
        audit::verify(&folder).map(|report| (verdict(&report, json), report.whole()))
    } else {
        audit::recent(&folder, SHOWN).map(|lines| (entries(&lines, json), true))
    };
    match read {
        Ok((text, _)) if text.is_empty() => {
            writeln!(
                console.err,
                "postern: {}: there are no entries",
                folder.display()
            )?;
            Ok(USELESS)
        }
        Ok((text, whole)) => {
            console.out.write_all(text.as_bytes())?;
            Ok(if whole { SUCCESS } else { FAILURE })
        }
        Err(error) => {
            writeln!(console.err, "postern: {}: {error}", folder.display())?;
            Ok(USELESS)
        }
    }
}

/// A line an entry: when, what, what became of it, and what else there is to it.
fn entries(lines: &[String], json: bool) -> String {
    let mut text = String::new();
    for line in lines {
        if json {
            text.push_str(&json_line(line));
            continue;
        }
        let entry: Value = serde_json::from_str(line).unwrap_or_default();
        let word = |name: &str| plain(entry.get(name).and_then(Value::as_str).unwrap_or("-"));
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{} {:<16} {}",
            word("time").replacen('T', " ", 1),
            word("event"),
            word("outcome"),
        );
        for name in [
            "address",
            "user",
            "by",
            "jti",
            "sid",
            "target",
            "seconds",
            "fingerprint",
            "omitted",
            "detail",
            "clock",
        ] {
            if let Some(value) = entry.get(name) {
                let value = match value {
                    Value::String(value) => plain(value),
                    Value::Null => "(unknown)".to_owned(),
                    other => plain(&other.to_string()),
                };
                let _ = write!(text, "  {name}={value}");
            }
        }
        text.push('\n');
    }
    text
}

fn verdict(report: &Report, json: bool) -> String {
    let Report {
        files,
        entries,
        first,
        last,
        head,
        torn,
        problems,
        problem_count,
    } = report;
    if json {
        let problems: Vec<_> = problems
            .iter()
            .map(|Problem { file, line, what }| json!({"file": file, "line": line, "what": what}))
            .collect();
        let answer = json!({
            "whole": report.whole(),
            "files": files,
            "entries": entries,
            "first": first,
            "last": last,
            "hash": head,
            "torn_bytes": torn,
            "problems": problems,
            "problem_count": problem_count,
        });
        return format!("{answer}\n");
    }
    let mut text = match (report.whole(), first, last) {
        (true, Some(first), Some(last)) => {
            format!("whole: {entries} entries, {first} to {last}, in {files} files\n")
        }
        (true, _, _) => "whole: there is no entry yet\n".to_owned(),
        (false, _, _) => format!("broken: {problem_count} places, {entries} entries\n"),
    };
    for Problem { file, line, what } in problems {
        let _ = writeln!(text, "  {file}, line {line}: {what}");
    }
    if problems.len() as u64 != *problem_count {
        text.push_str("  and more\n");
    }
    if *torn > 0 {
        let _ = writeln!(
            text,
            "  {NAME} ends in a torn line of {torn} bytes: a write that was broken off, or is under way"
        );
    }
    if first.is_some_and(|first| first > 1) {
        text.push_str("  earlier entries were rotated away, or taken\n");
    }
    if let Some(head) = head {
        let _ = writeln!(text, "  the last line's SHA-256: {head}");
    }
    text
}

/// A few screens.
const SHOWN: usize = 100;

//! `LOG_SOURCES`: which logs are streamed, and under what name.
//!
//! Commas separate the entries, so a path holds none; options follow a `?` and are separated by `&`:
//! `file:/var/log/squid/access.log?name=squid&format=raw`.

use std::path::{Path, PathBuf};

use super::LogSource;
use super::values::{list, quoted};

/// The sources named in `value`, each with a name of its own.
pub(super) fn parse(value: &str) -> Result<Vec<LogSource>, String> {
    let sources = list(value, MAX_SOURCES, source)?;
    for (index, source) in sources.iter().enumerate() {
        let name = source.name();
        if sources[..index].iter().any(|other| other.name() == name) {
            return Err(format!(
                "two sources are called {name:?}; give one another name, as file:/path?name=NAME"
            ));
        }
    }
    Ok(sources)
}

fn source(value: &str) -> Result<LogSource, String> {
    if value == STDIN {
        return Ok(LogSource::Stdin);
    }
    let (kind, rest) = value.split_once(':').unwrap_or((value, ""));
    match kind {
        "file" => file(value, rest),
        "journald" | "kmsg" | "syslog" => Err(format!(
            "{} is not supported by this version yet; file:/path and stdin are",
            quoted(value)
        )),
        _ => Err(format!(
            "{} is not a log source; write file:/path, file:/path?name=NAME or stdin",
            quoted(value)
        )),
    }
}

fn file(entry: &str, rest: &str) -> Result<LogSource, String> {
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Err(format!(
            "{} does not name a file by its whole path; write file:/path",
            quoted(entry)
        ));
    }
    let mut given = None;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("name", name)) => given = Some(name),
            Some(("format", "raw")) => {}
            Some(("format", _)) => {
                return Err(format!(
                    "{}: this format is not supported by this version; format=raw is",
                    quoted(entry)
                ));
            }
            _ => {
                return Err(format!(
                    "{}: {} is not an option; name=NAME and format=raw are",
                    quoted(entry),
                    quoted(option)
                ));
            }
        }
    }
    let path = PathBuf::from(path);
    let name = given.map_or_else(|| stem(&path), |name| Some(name.to_owned()));
    match name {
        Some(name) if name == OWN_NAME => Err(format!(
            "{}: the name {OWN_NAME} is kept for postern's own events; choose another with ?name=NAME",
            quoted(entry)
        )),
        Some(name) if is_name(&name) => Ok(LogSource::File { path, name }),
        _ => Err(format!(
            "{}: a source's name has 1 to {MAX_NAME} of the characters A-Z a-z 0-9 . _ -; give it one with ?name=NAME",
            quoted(entry)
        )),
    }
}

/// `/var/log/squid/access.log` is called `access`.
fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_str()?.to_owned())
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Standard input's entry and name.
pub(super) const STDIN: &str = "stdin";

/// The source name of postern's own events.
const OWN_NAME: &str = "postern";

/// The name stands in every entry of the stream.
const MAX_NAME: usize = 64;

/// Each source is a thread.
const MAX_SOURCES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn named(value: &str) -> Vec<String> {
        let sources = parse(value).unwrap_or_else(|error| panic!("{value}: {error}"));
        sources.iter().map(|s| s.name().to_owned()).collect()
    }

    #[test]
    fn a_source_is_called_after_its_file_unless_it_is_named() {
        for (value, names) in [
            ("file:/var/log/squid/access.log", vec!["access"]),
            ("file:/var/log/syslog", vec!["syslog"]),
            ("file:/var/log/a.log?name=squid", vec!["squid"]),
            ("file:/a.log?format=raw&name=b", vec!["b"]),
            ("stdin, file:/a.log ,", vec!["stdin", "a"]),
            ("file:/x/my log.txt?name=my-log", vec!["my-log"]),
        ] {
            assert_eq!(named(value), names, "{value}");
        }
    }

    #[test]
    fn what_is_no_source_is_refused_with_what_would_be_right() {
        let long = format!("file:/a?name={}", "x".repeat(65));
        for (value, word) in [
            ("journald", "not supported by this version yet"),
            ("kmsg", "not supported by this version yet"),
            (
                "syslog:udp:0.0.0.0:514",
                "not supported by this version yet",
            ),
            ("/var/log/syslog", "file:/path"),
            ("file:", "file:/path"),
            ("file:relative.log", "file:/path"),
            ("file:/var/log/", "file:/path"),
            ("file:/a?format=json", "format=raw"),
            ("file:/a?colour=red", "name=NAME"),
            ("file:/a?name=", "?name=NAME"),
            ("file:/a?name=a b", "?name=NAME"),
            (&long, "?name=NAME"),
            ("file:/var/log/my log.txt", "?name=NAME"),
            ("file:/postern.log", "own events"),
            ("file:/a?name=postern", "own events"),
            ("file:/a/x.log,file:/b/x.log", "another name"),
            ("stdin,stdin", "another name"),
            ("stdin,file:/stdin.log", "another name"),
            (",", "empty"),
        ] {
            let error = parse(value).unwrap_err();
            assert!(error.contains(word), "{value}: {error}");
        }
    }

    #[test]
    fn every_wrong_entry_is_named() {
        let error = parse("journald,stdin,nonsense").unwrap_err();
        assert!(error.contains("journald") && error.contains("nonsense"));
    }

    #[test]
    fn there_is_an_end_to_the_sources() {
        let many: Vec<String> = (0..33).map(|n| format!("file:/log/{n}")).collect();
        assert!(parse(&many.join(",")).unwrap_err().contains("more than 32"));
    }
}

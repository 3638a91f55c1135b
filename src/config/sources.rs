//! `LOG_SOURCES`: which logs are streamed, under what name, and how their lines are read.
//!
//! Commas separate the entries, so a path holds none; options follow a `?` and are separated by `&`:
//! `file:/var/log/squid/access.log?name=squid&format=squid`. A format may also stand behind a file's comma:
//! `file:/var/log/app.log,json`. A mistyped entry does not keep the others from being streamed: who mistypes one
//! on a board that is far away must not lose the way in.

use std::path::{Path, PathBuf};

use super::nearest::nearest;
use super::values::{MAX_SOCKET_PATH, quoted};
use super::{LineFormat, LogSource, SyslogAddress};

/// The sources named in `value`, each with a name of its own. Empty: none.
///
/// # Errors
/// No entry means anything.
pub(super) fn parse(value: &str) -> Result<Vec<LogSource>, String> {
    let mut sources: Vec<LogSource> = Vec::new();
    let entries = value.split(',').map(str::trim).filter(|e| !e.is_empty());
    for entry in entries {
        if let Some(format) = line_format(entry)
            && let Some(LogSource::File { format: of, .. } | LogSource::Files { format: of, .. }) =
                sources.last_mut()
        {
            *of = format;
            continue;
        }
        let found = if sources.len() == MAX_SOURCES {
            Err(format!("more than {MAX_SOURCES} entries"))
        } else {
            source(entry).and_then(|source| unlike(&sources, source, entry))
        };
        let full = sources.len() == MAX_SOURCES;
        sources.push(found.unwrap_or_else(|problem| LogSource::Unusable {
            entry: entry.chars().take(MAX_NAME).collect(),
            problem,
        }));
        if full {
            break;
        }
    }
    let problems: Vec<&str> = problems(&sources).collect();
    if !problems.is_empty() && problems.len() == sources.len() {
        return Err(problems.join("; "));
    }
    Ok(sources)
}

/// What is wrong with those entries that mean nothing.
pub(super) fn problems(sources: &[LogSource]) -> impl Iterator<Item = &str> {
    sources.iter().filter_map(|source| match source {
        LogSource::Unusable { problem, .. } => Some(problem.as_str()),
        _ => None,
    })
}

/// The source, if its name is not taken. A second syslog source to which nobody gave a name gets one by itself.
fn unlike(sources: &[LogSource], mut source: LogSource, entry: &str) -> Result<LogSource, String> {
    let holder = |name: &str| sources.iter().find(|other| other.name() == name);
    if let LogSource::Syslog { at, name } = &mut source
        && let Some(LogSource::Syslog { at: other, .. }) = holder(name)
        && other != at
        && !entry.contains("name=")
    {
        SECOND_SYSLOG.clone_into(name);
    }
    let name = source.name();
    let Some(other) = holder(name) else {
        return Ok(source);
    };
    Err(match source {
        LogSource::Stdin | LogSource::Journald | LogSource::Kmsg => {
            format!("{name} is named twice, or another source has its name")
        }
        LogSource::Syslog { at, .. } if matches!(other, LogSource::Syslog { at: other, .. } if *other == at) =>
        {
            format!("{} is named twice", quoted(entry))
        }
        LogSource::Syslog { .. } => format!(
            "two sources are called {name:?}; give one another name, as syslog:/path?name=NAME"
        ),
        _ => format!(
            "two sources are called {name:?}; give one another name, as file:/path?name=NAME"
        ),
    })
}

fn source(entry: &str) -> Result<LogSource, String> {
    let (kind, rest) = entry.split_once(':').unwrap_or((entry, ""));
    match kind {
        STDIN if entry == STDIN => Ok(LogSource::Stdin),
        JOURNALD if entry == JOURNALD => Ok(LogSource::Journald),
        KMSG if entry == KMSG => Ok(LogSource::Kmsg),
        "file" => file(entry, rest),
        "syslog" => syslog(entry, rest),
        _ => {
            let kinds = [
                "file:/path",
                JOURNALD,
                KMSG,
                "syslog:/path",
                "syslog:udp:ADDRESS:PORT",
            ];
            let meant = nearest(kind, [JOURNALD, KMSG, "file", "syslog", STDIN])
                .map(|kind| format!(" (did you mean {kind}?)"))
                .unwrap_or_default();
            Err(format!(
                "{} is not a log source{meant}; write {} or {STDIN}",
                quoted(entry),
                kinds.join(", ")
            ))
        }
    }
}

fn file(entry: &str, rest: &str) -> Result<LogSource, String> {
    let (path, options) = split_options(rest);
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Err(format!(
            "{} does not name a file by its whole path; write file:/path",
            quoted(entry)
        ));
    }
    let SourceOptions { name, format } = SourceOptions::read(entry, options, true)?;
    let format = format.unwrap_or(LineFormat::Auto);
    if path.contains(['*', '?', '[']) {
        // Part by part: no bracket reaches over a slash.
        if let Some(error) = path.split('/').find_map(|p| glob::Pattern::new(p).err()) {
            return Err(format!("{}: {}", quoted(entry), error.msg));
        }
        return Ok(LogSource::Files {
            pattern: path.to_owned(),
            name,
            format,
        });
    }
    let path = PathBuf::from(path);
    let name = match name {
        Some(name) => name,
        None => checked_name(entry, &stem(&path).unwrap_or_default())?,
    };
    Ok(LogSource::File { path, name, format })
}

/// `?` is also a pattern's: what begins the options is the last one that is followed by `name=` or `format=`, or by
/// something with a `=` at all.
fn split_options(rest: &str) -> (&str, &str) {
    match rest.rsplit_once('?') {
        Some((path, options)) if options.is_empty() || options.contains('=') => (path, options),
        _ => (rest, ""),
    }
}

fn syslog(entry: &str, rest: &str) -> Result<LogSource, String> {
    let (place, options) = split_options(rest);
    let SourceOptions { name, .. } = SourceOptions::read(entry, options, false)?;
    let at = if let Some(address) = place.strip_prefix("udp:") {
        address.parse().ok().map(SyslogAddress::Udp)
    } else {
        let is_path = place.starts_with('/') && !place.ends_with('/') && !place.contains('\0');
        is_path.then(|| SyslogAddress::Path(PathBuf::from(place)))
    };
    let at = at.ok_or_else(|| {
        format!(
            "{} does not say where to receive messages; write syslog:/path, or syslog:udp:ADDRESS:PORT as \
             syslog:udp:127.0.0.1:5514",
            quoted(entry)
        )
    })?;
    if let SyslogAddress::Path(path) = &at
        && path.as_os_str().len() > MAX_SOCKET_PATH
    {
        return Err(format!(
            "{}: a socket's path has at most {} bytes",
            quoted(entry),
            MAX_SOCKET_PATH
        ));
    }
    let name = name.unwrap_or_else(|| SYSLOG.to_owned());
    Ok(LogSource::Syslog { at, name })
}

/// What may follow an entry's `?`.
#[derive(Default)]
struct SourceOptions {
    name: Option<String>,
    format: Option<LineFormat>,
}

impl SourceOptions {
    fn read(entry: &str, options: &str, has_format: bool) -> Result<Self, String> {
        let mut read = Self::default();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("name", name)) => read.name = Some(checked_name(entry, name)?),
                Some(("format", format)) if has_format => {
                    read.format = Some(line_format(format).ok_or_else(|| {
                        format!(
                            "{}: {} is not a format; write raw, json, squid or auto",
                            quoted(entry),
                            quoted(format)
                        )
                    })?);
                }
                _ => {
                    let known = if has_format {
                        "write name=NAME, or format=raw, json, squid or auto"
                    } else {
                        "write name=NAME"
                    };
                    return Err(format!(
                        "{}: {} is not an option; {known}",
                        quoted(entry),
                        quoted(option)
                    ));
                }
            }
        }
        Ok(read)
    }
}

fn line_format(word: &str) -> Option<LineFormat> {
    Some(match word {
        "raw" => LineFormat::Raw,
        "json" => LineFormat::Json,
        "squid" => LineFormat::Squid,
        "auto" => LineFormat::Auto,
        _ => return None,
    })
}

fn checked_name(entry: &str, name: &str) -> Result<String, String> {
    if name == OWN_NAME {
        return Err(format!(
            "{}: the name {OWN_NAME} is reserved for postern's own events; choose another with ?name=NAME",
            quoted(entry)
        ));
    }
    if !is_name(name) {
        return Err(format!(
            "{}: a source's name has 1 to {MAX_NAME} of the characters A-Z a-z 0-9 . _ -; give it one with ?name=NAME",
            quoted(entry)
        ));
    }
    Ok(name.to_owned())
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

/// The entries, and names, of sources of which there is one.
pub(super) const STDIN: &str = "stdin";
pub(super) const JOURNALD: &str = "journald";
pub(super) const KMSG: &str = "kmsg";

/// The name of the syslog source that has been given none, and of a second one.
const SYSLOG: &str = "syslog";
const SECOND_SYSLOG: &str = "syslog-2";

/// The source name of postern's own events.
const OWN_NAME: &str = "postern";

/// The name stands in every entry of the stream.
const MAX_NAME: usize = 64;

/// Each source is a thread.
const MAX_SOURCES: usize = 32;

#[cfg(test)]
mod tests;

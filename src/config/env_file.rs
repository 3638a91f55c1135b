//! The env file: `KEY=value` lines, read into names and values with the line each stands on.
//!
//! - Blank lines, and lines that begin with `#`, say nothing. A `#` behind a value belongs to the value.
//! - `export ` before the name is allowed, as are blanks around `=` and behind the value.
//! - A value may stand in single or double quotes. Nothing is expanded and no backslash is special, so that a
//!   password with `$` or `\` in it stays what it is.
//!
//! Messages name the file and the line, but never show the line: it may hold a secret.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::nearest::nearest;
use super::problem::ConfigProblem;
use super::variables::{self, Variable};
use crate::files;

/// What an env file says.
#[derive(Default)]
pub(super) struct EnvFile {
    /// In the order of the file; known variables only.
    pub entries: Vec<EnvEntry>,
    pub problems: Vec<ConfigProblem>,
    pub warnings: Vec<String>,
}

/// One `KEY=value` line.
pub(super) struct EnvEntry {
    pub variable: &'static Variable,
    pub value: Zeroizing<String>,
    /// Where it stands, for messages: the file, and the line counted from 1.
    pub place: String,
}

impl EnvFile {
    /// Reads the file at `path`. `None` if there is no such file.
    pub fn read(path: &Path) -> Option<Self> {
        let place = path.display().to_string();
        let (text, there) = match read_bounded(path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let problem = ConfigProblem::new(
                    place,
                    format!(
                        "cannot be read: {error}; run this as root or as postern's user, or name another file with \
                         --env-file"
                    ),
                );
                return Some(Self {
                    problems: vec![problem],
                    ..Self::default()
                });
            }
        };
        let mut file = Self::parse(&text, &place);
        let secret = file.entries.iter().find(|entry| {
            [
                variables::SECRET_KEY.name,
                variables::SECRET_KEY_PREVIOUS.name,
                variables::BASIC_AUTH_PASSWORD.name,
            ]
            .contains(&entry.variable.name)
        });
        if let (true, Some(entry)) = (there.mode & 0o004 != 0, secret) {
            file.warnings.push(format!(
                "{place} holds {} and everybody on this machine can read it: chmod o= {place}",
                entry.variable.name
            ));
        }
        // Elsewhere it may be a user's own, for a server of that user's.
        if path.starts_with(SYSTEM) {
            let folder = files::parent(path);
            let above = fs::metadata(folder)
                .ok()
                .map(|above| FileRights::of(&above));
            if !there.is_roots_alone() || above.is_some_and(|above| !above.is_roots_alone()) {
                let folder = folder.display();
                file.warnings.push(format!(
                    "only root may change {place}, and only root and postern may read it. As root: chown root:postern \
                     {folder} {place} && chmod 750 {folder} && chmod 640 {place}"
                ));
            }
        }
        Some(file)
    }

    fn parse(text: &str, place: &str) -> Self {
        let mut file = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, line) in text.lines().enumerate() {
            let place = format!("{place}, line {}", index + 1);
            match ParsedLine::parse(line) {
                Ok(None) => {}
                Ok(Some(line)) => file.take(&line, place),
                Err(message) => file
                    .problems
                    .push(ConfigProblem::new(place, message.to_owned())),
            }
        }
        file
    }

    fn take(&mut self, line: &ParsedLine<'_>, place: String) {
        let Some(variable) = variables::find(line.name) else {
            self.warnings.push(unknown(line.name, &place));
            return;
        };
        let name = variable.name;
        if line.comment_like {
            self.warnings.push(format!(
                "{name} ({place}) contains ` #`, which postern takes as part of the value; write comments on lines of \
                 their own"
            ));
        }
        if let Some(earlier) = self
            .entries
            .iter()
            .find(|entry| entry.variable.name == name)
        {
            self.warnings.push(format!(
                "{name} ({place}) replaces the one given before ({})",
                earlier.place
            ));
        }
        self.entries.retain(|entry| entry.variable.name != name);
        self.entries.push(EnvEntry {
            variable,
            value: Zeroizing::new(line.value.to_owned()),
            place,
        });
    }
}

struct ParsedLine<'a> {
    name: &'a str,
    value: &'a str,
    /// Whether something that looks like a comment became part of the value.
    comment_like: bool,
}

impl<'a> ParsedLine<'a> {
    fn parse(line: &'a str) -> Result<Option<Self>, &'static str> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let line = line
            .strip_prefix("export")
            .filter(|rest| rest.starts_with([' ', '\t']))
            .unwrap_or(line);
        let (name, value) = line
            .split_once('=')
            .ok_or("there is no `=`; write KEY=value, or start a comment with #")?;
        let name = name.trim();
        if !is_name(name) {
            return Err("the text before `=` is not a variable's name; write KEY=value");
        }
        let value = value.trim();
        let unquoted = unquote(value)?;
        Ok(Some(Self {
            name,
            value: unquoted,
            comment_like: unquoted.len() == value.len() && value.contains(" #"),
        }))
    }
}

/// The value without the quotes around it, if there are any.
fn unquote(value: &str) -> Result<&str, &'static str> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return Ok(value);
    };
    let (inner, behind) = value[1..]
        .split_once(quote)
        .ok_or("the quote is not closed; write a value on one line")?;
    if behind.is_empty() {
        Ok(inner)
    } else {
        Err(
            "something follows the closing quote; put a value that contains one kind of quote into the other kind",
        )
    }
}

/// Letters, digits and `_`, not a digit first.
pub(super) fn is_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

fn unknown(name: &str, place: &str) -> String {
    if let Some(feature) = variables::left_out(name) {
        return format!("{place}: {name} has no effect: this postern was built without {feature}");
    }
    let known = variables::VARIABLES.iter().map(|variable| variable.name);
    let hint = nearest(name, known)
        .map(|known| format!("; did you mean {known}?"))
        .unwrap_or_default();
    // A name in capitals is a name. Anything else may be the second line of a wrapped key: better not shown.
    let capitals = name.len() <= MAX_NAME && !name.bytes().any(|b| b.is_ascii_lowercase());
    let shown = if capitals { name } else { "this variable" };
    format!("{place}: postern does not know {shown}{hint}")
}

/// Who may do what with a file or folder.
#[derive(Clone, Copy)]
struct FileRights {
    owner: u32,
    group: u32,
    /// `rwxrwxrwx`.
    mode: u32,
}

impl FileRights {
    fn of(there: &Metadata) -> Self {
        Self {
            owner: there.uid(),
            group: there.gid(),
            mode: there.mode() & 0o777,
        }
    }

    /// Whether nobody but root may change it, and no stranger read it.
    fn is_roots_alone(self) -> bool {
        let for_group = if self.group == 0 { 0 } else { 0o020 };
        self.owner == 0 && self.mode & (0o007 | for_group) == 0
    }
}

/// The text, and whose the file is.
fn read_bounded(path: &Path) -> io::Result<(Zeroizing<String>, FileRights)> {
    let file = File::open(path)?;
    let there = FileRights::of(&file.metadata()?);
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("it is larger than {MAX_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|b| *b == b'\n').count();
        let message = format!("line {line} is not UTF-8");
        io::Error::new(io::ErrorKind::InvalidData, message)
    })?;
    Ok((Zeroizing::new(text.to_owned()), there))
}

/// Settings below this are the system's.
const SYSTEM: &str = "/etc";

/// The whole table, commented, takes some 4 KB; whoever names a log file by mistake is told so.
const MAX_BYTES: u64 = 64 * 1024;

/// Twice the longest name there is.
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests;

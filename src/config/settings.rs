//! The text given for each variable, where it came from, and the list of all problems.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use zeroize::Zeroizing;

use super::env_file::{EnvFile, is_name};
use super::nearest::slip;
use super::problem::ConfigProblem;
use super::secret::SecretString;
use super::variables::{LOCAL_SOCKET, LOG_SOURCES, Preset, VARIABLES, Variable, left_out};

/// The values given, by name, and what reading them found.
#[derive(Default)]
pub(super) struct RawSettings {
    given: BTreeMap<&'static str, RawSetting>,
    pub problems: Vec<ConfigProblem>,
    pub warnings: Vec<String>,
}

struct RawSetting {
    value: Zeroizing<String>,
    /// The line of the env file; `None` for a real variable.
    place: Option<String>,
}

impl RawSettings {
    /// Real variables win over the file's. An empty value is as good as none, except where empty means something.
    pub fn gather(env: &BTreeMap<OsString, OsString>, file: EnvFile) -> Self {
        let mut settings = Self {
            problems: file.problems,
            warnings: file.warnings,
            ..Self::default()
        };
        for entry in file.entries {
            settings.put(entry.variable, entry.value, Some(entry.place));
        }
        settings
            .warnings
            .extend(env.keys().filter_map(|name| of_no_effect(name, env)));
        for variable in VARIABLES {
            let Some(value) = env.get(variable.name.as_ref() as &std::ffi::OsStr) else {
                continue;
            };
            match value.to_str() {
                Some(value) => settings.put(variable, Zeroizing::new(value.to_owned()), None),
                None => settings.problem(variable, "is not UTF-8"),
            }
        }
        settings
    }

    fn put(&mut self, variable: &Variable, value: Zeroizing<String>, place: Option<String>) {
        if !value.is_empty() || [LOCAL_SOCKET.name, LOG_SOURCES.name].contains(&variable.name) {
            self.given
                .insert(variable.name, RawSetting { value, place });
        }
    }

    pub fn is_given(&self, variable: &Variable) -> bool {
        self.given.contains_key(variable.name)
    }

    /// The parsed value, or else the parsed default. `None` if the default is worked out by the caller, and also if the
    /// value is wrong: then the problem is on the list, and what the caller goes on with will never be used.
    pub fn read<T>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = match (self.given.get(variable.name), variable.default) {
            (Some(given), _) => given.value.trim(),
            (None, Preset::Value(default)) => default,
            (None, Preset::Described(_)) => return None,
        };
        match parse(value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problem(variable, message);
                None
            }
        }
    }

    /// A secret, to the letter: blanks around it belong to it.
    pub fn secret(&self, variable: &Variable) -> Option<SecretString> {
        let given = self.given.get(variable.name)?;
        Some(SecretString::new(given.value.to_string()))
    }

    pub fn problem(&mut self, variable: &Variable, message: impl Into<String>) {
        let subject = self.subject(variable);
        self.problems.push(ConfigProblem::new(subject, message));
    }

    pub fn warn(&mut self, variable: &Variable, message: &str) {
        let subject = self.subject(variable);
        self.warnings.push(format!("{subject}: {message}"));
    }

    /// The variable, and where it was given if that was in a file.
    fn subject(&self, variable: &Variable) -> String {
        let place = self.given.get(variable.name).and_then(|g| g.place.as_ref());
        match place {
            Some(place) => format!("{} ({place})", variable.name),
            None => variable.name.to_owned(),
        }
    }
}

/// What to say of a real variable that belongs to a feature that was left out, or is probably one of ours with a slip in its
/// name. A name with anything but letters, digits and `_` in it is not shown.
fn of_no_effect(name: &OsStr, env: &BTreeMap<OsString, OsString>) -> Option<String> {
    let name = name.to_str().filter(|name| is_name(name))?;
    if let Some(feature) = left_out(name) {
        return Some(format!(
            "{name} has no effect: this postern was built without {feature}"
        ));
    }
    let known = VARIABLES.iter().map(|variable| variable.name);
    let meant = slip(name, known)?;
    // One that is set itself is not what was meant.
    let is_set = env.contains_key(OsStr::new(meant));
    (!is_set).then(|| {
        format!("the environment has {name}, which postern does not know; did you mean {meant}?")
    })
}

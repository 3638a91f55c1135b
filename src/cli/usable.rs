//! What is wrong with a configuration beyond its words: a state folder or a local socket that a start would refuse, a
//! certificate that cannot be used, a password that breaks a rule.
//! Added to the problems that were found in the words, so that one message lists them all.

use std::io::ErrorKind::NotFound;
use std::path::Path;

use super::cert;
use crate::auth::check_rules;
use crate::config::{Config, ConfigError, Problem};
use crate::files;
use crate::server::local::obstacle;
use crate::server::state_dir;
use crate::server::tls::TlsError;

/// Who wants to know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Somebody who wants to hear of everything.
    ByCheck {
        /// Of the certificate too.
        certificate: bool,
    },
    /// A start. A weak first password alone does not matter to it once the password has been changed, which only the
    /// journal knows; and it goes on with another certificate than one that cannot be used.
    ByStart,
}

/// Looks further into a configuration, good or bad.
pub(super) fn usable(
    config: Result<Config, ConfigError>,
    asked: Asked,
) -> Result<Config, ConfigError> {
    let (config, mut problems, warnings) = match config {
        Ok(config) => (config, Vec::new(), None),
        Err(error) => (*error.rest, error.problems, Some(error.warnings)),
    };
    let others = !problems.is_empty();
    let places = if others || asked != Asked::ByStart {
        places(&config)
    } else {
        Vec::new()
    };
    // The certificate that lies in a folder which is not ours is of no interest.
    if (others || asked == (Asked::ByCheck { certificate: true }))
        && (config.tls_files.is_some() || places.is_empty())
    {
        problems.extend(certificate(&config));
    }
    problems.extend(places);
    if others || asked != Asked::ByStart {
        problems.extend(password(&config));
    }
    if problems.is_empty() {
        return Ok(config);
    }
    Err(ConfigError {
        problems,
        warnings: warnings.unwrap_or_else(|| config.warnings.clone()),
        rest: Box::new(config),
    })
}

/// What lies where the state folder and the local socket are to be, in the way.
fn places(config: &Config) -> Vec<Problem> {
    let problem = |name: &str, path: &Path, why: String| Problem {
        subject: name.to_owned(),
        message: format!("{}: {why}", path.display()),
    };
    let folder = &config.state_dir;
    let folder = files::check_dir(folder, state_dir::is_ours)
        .err()
        .map(|error| problem("STATE_DIR", folder, error.to_string()));
    let socket = config.local_socket.as_deref();
    let socket = socket.and_then(|path| Some(problem("LOCAL_SOCKET", path, obstacle(path)?)));
    folder.into_iter().chain(socket).collect()
}

fn certificate(config: &Config) -> Option<Problem> {
    let error = cert::usable(config).err()?;
    let subject = match &config.tls_files {
        // The first start makes it.
        None if matches!(&error, TlsError::File { error, .. } if error.kind() == NotFound) => {
            return None;
        }
        None => "STATE_DIR",
        Some(files) if error.path() == Some(&files.key) => "TLS_KEY_FILE",
        Some(_) => "TLS_CERT_FILE",
    };
    Some(Problem {
        subject: subject.to_owned(),
        message: format!("{error}; {}", cert::remedy(config, &error)),
    })
}

fn password(config: &Config) -> Option<Problem> {
    let password = config.password.as_ref()?;
    let rule = check_rules(&config.username, password.expose()).err()?;
    Some(Problem {
        subject: "BASIC_AUTH_PASSWORD".to_owned(),
        message: format!("{rule}; it matters only until the password has been changed"),
    })
}

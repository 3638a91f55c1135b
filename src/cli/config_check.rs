//! Problems of a configuration that its words alone do not show: a state folder or a local socket that a start would
//! refuse, a certificate that cannot be used, a password that breaks a rule.
//! One message lists them together with the problems of the words.

use std::io::ErrorKind::NotFound;
use std::path::Path;

use super::certificate;
use crate::auth::check_rules;
use crate::config::{Config, ConfigError, ConfigProblem};
use crate::files;
use crate::server::tls::TlsError;
use crate::server::{local, state_dir};

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckDepth {
    /// Everything, for `postern check`.
    Everything {
        /// Of the certificate too.
        certificate: bool,
    },
    /// What a start needs. A weak first password does not matter once the password has been changed, which only the
    /// journal knows. A certificate that cannot be used does not stop a start either.
    AtStart,
}

/// Looks further into a configuration, good or bad.
pub(super) fn checked(
    config: Result<Config, ConfigError>,
    depth: CheckDepth,
) -> Result<Config, ConfigError> {
    let (config, mut problems, warnings) = match config {
        Ok(config) => (config, Vec::new(), None),
        Err(error) => (*error.rest, error.problems, Some(error.warnings)),
    };
    let others = !problems.is_empty();
    // A start looks at these places itself; where it does not get that far, the message lists them along.
    let further = others || depth != CheckDepth::AtStart;
    let folder = further.then(|| state_folder(&config)).flatten();
    // In a folder that is not ours the certificate does not matter.
    if (others || depth == (CheckDepth::Everything { certificate: true }))
        && (config.tls_files.is_some() || folder.is_none())
    {
        problems.extend(certificate(&config));
    }
    problems.extend(folder);
    if further {
        problems.extend(local_socket(&config));
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

/// What lies where the state folder is to be, in the way.
fn state_folder(config: &Config) -> Option<ConfigProblem> {
    let folder = &config.state_dir;
    // Not known: that is a problem of its own.
    if folder.as_os_str().is_empty() {
        return None;
    }
    let error = files::check_dir(folder, state_dir::is_ours).err()?;
    Some(in_the_way("STATE_DIR", folder, &error.to_string()))
}

/// What lies where the local socket is to be, in the way.
fn local_socket(config: &Config) -> Option<ConfigProblem> {
    let path = config.local_socket.as_deref()?;
    Some(in_the_way("LOCAL_SOCKET", path, &local::obstacle(path)?))
}

fn in_the_way(name: &str, path: &Path, why: &str) -> ConfigProblem {
    ConfigProblem {
        subject: name.to_owned(),
        message: format!("{}: {why}", path.display()),
    }
}

fn certificate(config: &Config) -> Option<ConfigProblem> {
    let error = certificate::check_certificate(config).err()?;
    let subject = match &config.tls_files {
        // The first start makes it.
        None if matches!(&error, TlsError::File { error, .. } if error.kind() == NotFound) => {
            return None;
        }
        None => "STATE_DIR",
        Some(files) if error.path() == Some(&files.key) => "TLS_KEY_FILE",
        Some(_) => "TLS_CERT_FILE",
    };
    Some(ConfigProblem {
        subject: subject.to_owned(),
        message: format!("{error}; {}", certificate::remedy(config, &error)),
    })
}

fn password(config: &Config) -> Option<ConfigProblem> {
    let password = config.password.as_ref()?;
    let rule = check_rules(&config.username, password.expose()).err()?;
    Some(ConfigProblem {
        subject: "BASIC_AUTH_PASSWORD".to_owned(),
        message: format!("{rule}; this matters only until the password has been changed"),
    })
}

//! What is wrong with a configuration beyond its words: a certificate that cannot be used, a password that breaks a rule.
//! Added to the problems that were found in the words, so that one message lists them all.

use crate::auth::check_rules;
use crate::config::{Config, ConfigError, Problem};
use crate::server::tls::Certificate;

/// Whether a weak first password alone is a problem.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstPassword {
    /// Yes: somebody asks.
    Judged,
    /// Not yet: it does not matter once the password has been changed, which only the journal knows.
    Left,
}

/// Looks further into a configuration, good or bad.
pub(super) fn usable(
    config: Result<Config, ConfigError>,
    first_password: FirstPassword,
) -> Result<Config, ConfigError> {
    let (config, mut problems, warnings) = match config {
        Ok(config) => (config, Vec::new(), None),
        Err(error) => (*error.rest, error.problems, Some(error.warnings)),
    };
    problems.extend(certificate(&config));
    if first_password == FirstPassword::Judged || !problems.is_empty() {
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

fn certificate(config: &Config) -> Option<Problem> {
    let files = config.tls_files.as_ref()?;
    let error = Certificate::from_files(&files.cert, &files.key).err()?;
    let subject = if error.path() == Some(&files.key) {
        "TLS_KEY_FILE"
    } else {
        "TLS_CERT_FILE"
    };
    Some(Problem {
        subject: subject.to_owned(),
        message: format!("{error}; name PEM files that fit and that postern's user may read"),
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

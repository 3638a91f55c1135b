//! Log messages about the journal at the start: what may be lost, what that means, and
//! what to do.

use crate::auth::INITIAL_PASSWORD_FILE;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::journal::{PasswordOrigin, Replayed};

/// The findings, while they are not told.
pub struct JournalReport {
    /// At most one.
    finding: Option<(Option<String>, String)>,
}

impl JournalReport {
    /// `password`: the one in the journal. `used_before`: a server has run in this state folder.
    #[must_use]
    pub fn new(
        config: &Config,
        replayed: &Replayed,
        password: Option<(u32, PasswordOrigin, Timestamp)>,
        used_before: bool,
    ) -> Self {
        let logins = match password {
            // Then there is a new key, unless one is given.
            None if config.secret_key.is_none() => "All logins have ended".to_owned(),
            _ => format!("{LOGOUTS}: {}", remedy(config)),
        };
        let text = if replayed.damaged {
            let password = match password {
                None => format!("The password is lost: {}", first_password(config)),
                Some((number, _, at)) => format!(
                    "The password that holds is number {number}, of {at}; if it was changed since, that change is lost"
                ),
            };
            Some(format!(
                "the journal was damaged, and changes that postern had confirmed may be lost. {password}. {logins}"
            ))
        } else if replayed.first_boot {
            // Without a key that is given, a new one is made, and that is said there.
            let gone = used_before && config.secret_key.is_some();
            gone.then(|| {
                format!("there is no journal, though postern has run here before. {logins}")
            })
        } else if password.is_none() {
            Some(format!(
                "there is no password in the journal. Either the first start of all was cut short, or the journal's \
                 end is missing: {}. {logins}",
                first_password(config)
            ))
        } else {
            None
        };
        Self {
            finding: text.map(|text| (replayed.kept.clone(), text)),
        }
    }

    /// Logs them.
    pub fn tell(self) {
        match self.finding {
            Some((Some(kept), text)) => log::error!(kept = kept.as_str(); "{text}"),
            Some((None, text)) => log::error!("{text}"),
            None => {}
        }
    }
}

/// Where the account's first password comes from.
fn first_password(config: &Config) -> &'static str {
    if config.password.is_some() {
        "the account has its first one again, from BASIC_AUTH_PASSWORD"
    } else if config.state_dir.join(INITIAL_PASSWORD_FILE).exists() {
        "the account has its first one again, from initial-password"
    } else {
        "the account has a new one, in initial-password"
    }
}

fn remedy(config: &Config) -> &'static str {
    if config.secret_key.is_some() {
        "to end every login, set another SECRET_KEY and restart postern"
    } else {
        "to end every login, stop postern, remove `secret-key` from the state folder, and start it again"
    }
}

const LOGOUTS: &str = "Logins that had ended may work again until they expire";

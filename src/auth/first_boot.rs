//! Gives the account its first password.

use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::change::{Change, ChangedBy, PasswordChange};
use super::password::{WeakPassword, check_rules, measure_cost};
use super::{Auth, FIRST_GENERATION, GeneratedPassword, PasswordOrigin};
use crate::clock::TimeSource;
use crate::files;
use crate::journal::{CommitError, Record};

/// Where the account's password comes from at this start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstPassword {
    /// The account has a password already. [`Auth::settle`] takes up a different one in the configuration.
    Kept,
    /// The first boot: from the configuration.
    Configured,
    /// The first boot: generated.
    Generated {
        /// To be printed once.
        password: GeneratedPassword,
        /// Where it is kept until it is changed.
        file: PathBuf,
    },
}

/// There is no password to start with.
#[derive(Debug, thiserror::Error)]
pub enum InitialiseError {
    /// The configured password breaks a rule.
    #[error("BASIC_AUTH_PASSWORD: {0}")]
    Weak(#[from] WeakPassword),
    /// `initial-password` cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The first password cannot be stored.
    #[error(transparent)]
    NotDurable(#[from] CommitError),
}

impl Auth {
    /// Makes sure that the account has a password. On the first boot that is the configured one or a generated one, and
    /// takes a run of bcrypt. Later starts do not wait for bcrypt. Once the user has changed the password, the
    /// configured one does not matter, not even whether it is a good one.
    ///
    /// # Errors
    /// See [`InitialiseError`]; the server must not start then.
    pub fn initialise(
        &self,
        configured: Option<&str>,
        time: &dyn TimeSource,
    ) -> Result<FirstPassword, InitialiseError> {
        if self.durable.longest() < self.settings.longest {
            // Before the first token of this length. If it fails, that matters only once the lifetime has been
            // shortened and made longer again, and the next start tries anew.
            let longest = self.settings.longest;
            let lifetime = Change::Upkeep(vec![Record::Lifetime { longest }]);
            if self.carry_out(lifetime).is_err() {
                log::warn!("the lifetime of tokens could not be written to the journal");
            }
        }
        let Some(account) = self.durable.account() else {
            return self.first_boot(configured, time);
        };
        match account.origin {
            // A crash between a change and the removal of the file has left it behind.
            PasswordOrigin::Changed => self.drop_initial_file(),
            PasswordOrigin::Initial => {
                if let Some(password) = configured {
                    check_rules(&self.user, password)?;
                    *self.configured.lock() = Some(Zeroizing::new(password.to_owned()));
                }
            }
        }
        Ok(FirstPassword::Kept)
    }

    fn first_boot(
        &self,
        configured: Option<&str>,
        time: &dyn TimeSource,
    ) -> Result<FirstPassword, InitialiseError> {
        let first = if let Some(password) = configured {
            check_rules(&self.user, password)?;
            self.drop_initial_file();
            self.store_first(password, time)?;
            FirstPassword::Configured
        } else {
            // A first boot that crashed below has left one that somebody may have read already.
            let left_over = self.initial_file.read().map_err(|e| self.file_error(e))?;
            let left_over = left_over.filter(|p| check_rules(&self.user, p.expose()).is_ok());
            let password = if let Some(password) = left_over {
                password
            } else {
                let password = GeneratedPassword::generate(self.entropy.as_ref());
                let written = self.initial_file.write(&password);
                written.map_err(|e| self.file_error(e))?;
                password
            };
            // The file is there before the record: a crash here costs a second first boot with the same password, the
            // other order would lose the password for ever.
            self.store_first(password.expose(), time)?;
            let file = self.initial_file.path();
            FirstPassword::Generated { password, file }
        };
        Ok(first)
    }

    fn store_first(&self, password: &str, time: &dyn TimeSource) -> Result<(), InitialiseError> {
        let cost = self.settings.bcrypt_cost;
        let cost = cost.unwrap_or_else(|| measure_cost(time));
        let hash = self.passwords.hash(password, cost);
        let hash = hash.map_err(|_| CommitError)?;
        let first = Change::Password(PasswordChange {
            generation: FIRST_GENERATION,
            origin: PasswordOrigin::Initial,
            at: self.clock.now(),
            hash,
            spared: None,
            by: ChangedBy::FirstBoot,
        });
        self.carry_out(first).map_err(|_| CommitError)?;
        Ok(())
    }

    fn file_error(&self, source: io::Error) -> InitialiseError {
        let path = self.initial_file.path();
        let source = files::whose(&path, source);
        InitialiseError::File { path, source }
    }
}

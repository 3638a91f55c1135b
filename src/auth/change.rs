//! How the password changes: the first boot, a new one in the configuration, and the user's own change.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use super::password::{CheckError, WeakPassword, check_rules, measure_cost};
use super::{
    Account, Auth, AuthError, Event, FIRST_GENERATION, GeneratedPassword, Happened, Outcome,
    PasswordOrigin, Proof, Session,
};
use crate::audit::Origin;
use crate::clock::{TimeSource, Timestamp};
use crate::files;
use crate::ids::ClientKey;
use crate::journal::{CommitError, Record};

/// Where the account's password comes from at this start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstPassword {
    /// This is no first boot. A different password in the configuration is taken up by [`Auth::settle`].
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
    /// Sees to it that the account has a password. On the first boot that is the configured one or a generated one, and
    /// takes a run of bcrypt; later starts do not wait for bcrypt. Once the user has changed the password, the
    /// configured one does not matter any more, not even whether it is a good one.
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
            if self.journal.commit(Record::Lifetime { longest }).is_err() {
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

    /// Compares a password in the configuration with the stored one, and makes it the password if they differ and the
    /// user has never chosen one. The first password check does this; call it in the background at the start, so that
    /// nobody has to wait for it and old tokens die early. Blocks for two runs of bcrypt at most.
    ///
    /// # Errors
    /// [`AuthError::Busy`], [`AuthError::NotDone`]: the stored password goes on, and the next password check tries
    /// again.
    pub fn settle(&self) -> Result<(), AuthError> {
        let mut configured = self.configured.lock();
        let Some(password) = configured.as_deref() else {
            return Ok(());
        };
        let changed = self.take_up(password)?;
        *configured = None;
        drop(configured);
        if changed {
            log::info!(user:% = self.user; "password changed to the one in the configuration");
            let event = Event {
                origin: Origin::Server,
                by: Some("configuration"),
                ..self.event(None, Outcome::Done)
            };
            self.audit(Happened::PasswordChange, &event);
            self.passwords.forget();
            self.logins_ended();
        }
        Ok(())
    }

    /// Changes the password. All other tokens of the user die with the old one; the token of `session` goes on working.
    /// `client` is whom a wrong `current` counts against, `None` on the local socket. Blocks.
    ///
    /// # Errors
    /// [`AuthError::WrongCurrentPassword`], also for the loser of two changes at once; [`AuthError::WeakPassword`];
    /// [`AuthError::LockedOut`]; [`AuthError::Busy`]; [`AuthError::InvalidToken`] if the session has ended meanwhile;
    /// [`AuthError::NotDone`]: the old password goes on.
    pub fn change_password(
        &self,
        client: impl Into<Option<ClientKey>>,
        session: &Session,
        current: &str,
        new: &str,
    ) -> Result<(), AuthError> {
        let client = client.into();
        let checked = self.check_password(client, &self.user, current, BY_CHANGE);
        let generation = checked.map_err(|error| match error {
            AuthError::BadCredentials => AuthError::WrongCurrentPassword,
            other => other,
        })?;
        if new == current {
            return Err(WeakPassword::Unchanged.into());
        }
        self.replace_password(new, Some((generation, session)))?;
        log::info!(user:% = self.user; "password changed");
        let event = Event {
            by: Some("user"),
            token: session.token(),
            ..self.event(client, Outcome::Done)
        };
        self.audit(Happened::PasswordChange, &event);
        Ok(())
    }

    /// Sets another password without knowing the one there is, for whoever may use the local socket. All tokens of the
    /// user die. Blocks.
    ///
    /// # Errors
    /// [`AuthError::WeakPassword`]; [`AuthError::Busy`]; [`AuthError::NotDone`]: the old password goes on.
    pub fn reset_password(&self, new: &str) -> Result<(), AuthError> {
        self.replace_password(new, None)?;
        log::warn!(user:% = self.user; "password reset by the administrator");
        let event = Event {
            by: Some("administrator"),
            ..self.event(None, Outcome::Done)
        };
        self.audit(Happened::PasswordChange, &event);
        Ok(())
    }

    /// `by`: the session that asks, which goes on, and the generation of the password that it knew.
    fn replace_password(&self, new: &str, by: Option<(u32, &Session)>) -> Result<(), AuthError> {
        check_rules(&self.user, new)?;
        let account = self.durable.account();
        let account = account.ok_or(AuthError::WrongCurrentPassword)?;
        let cost = self.cost_after(&account);
        let hash = self.passwords.hash(new, cost);
        let hash = hash.map_err(|_| AuthError::BUSY)?;

        let spared = match by.map(|(_, session)| &session.proof) {
            Some(Proof::Token { id, expires, .. }) => Some((*id, *expires)),
            _ => None,
        };
        let changing = self.changing.lock();
        let generation = self.durable.generation();
        if let Some((known, session)) = by {
            if known != generation {
                return Err(AuthError::WrongCurrentPassword);
            }
            if !self.is_alive(session) {
                return Err(AuthError::InvalidToken);
            }
        }
        let going_on = match by.map(|(_, session)| &session.proof) {
            Some(Proof::Token { family, .. }) => Some(*family),
            _ => None,
        };
        let change = vec![Record::Password {
            generation: generation.saturating_add(1),
            origin: PasswordOrigin::Changed,
            at: self.superseding_time(),
            hash,
            spared,
        }];
        self.durable
            .supersede(going_on, || self.commit(change))
            .map_err(|_| AuthError::NotDone)?;
        drop(changing);

        self.passwords.forget();
        self.logins_ended();
        self.drop_initial_file();
        Ok(())
    }

    /// Follows the system's clock back from the first time that this device ever believed, if that turns out to have been
    /// wrong at once. What was issued by it would come to life again when that time really comes, and what was revoked
    /// may be forgotten: all logins end, as by a change of the password. Blocks for the journal, if there is anything to do.
    pub(super) fn follow_clock_back(&self) {
        let Some(to) = self.clock.refuted() else {
            return;
        };
        let _changing = self.changing.lock();
        let Some(account) = self.durable.account() else {
            return;
        };
        let change = vec![Record::Password {
            generation: account.generation.saturating_add(1),
            origin: account.origin,
            at: to,
            hash: account.hash.as_ref().to_owned(),
            spared: None,
        }];
        // No revocation is forgotten, as one may be after other changes: a foreign token names no generation, and the times of
        // those issued by the wrong clock lie behind the new one.
        let ended = self.commit(change);
        // Without that the clock stays; it is tried again. A crash in between costs the logins only.
        if ended.is_err() {
            return;
        }
        let wrong = self.clock.now();
        self.clock.set_back(to);
        log::warn!(wrong:% = wrong, now:% = to; "the first start was under a wrong clock: it is set back, and all logins have ended");
        // Takes the wrong time out of the journal.
        self.journal.tick();
        self.logins_ended();
    }

    /// When a new password begins to hold: now, or when the last of those foreign tokens says to have been issued that were
    /// let in already. They name no generation, and must die with the old password all the same.
    fn superseding_time(&self) -> Timestamp {
        let newest = Timestamp::from_secs(self.newest_foreign.load(Ordering::Relaxed));
        self.clock.wall().max(newest)
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
        self.journal.commit(Record::Password {
            generation: FIRST_GENERATION,
            origin: PasswordOrigin::Initial,
            at: self.clock.now(),
            hash,
            spared: None,
        })?;
        Ok(())
    }

    /// Makes the configured password the stored one. Says whether it was another before.
    fn take_up(&self, password: &str) -> Result<bool, AuthError> {
        let account = self.durable.account();
        let Some(account) = account.filter(|a| a.origin == PasswordOrigin::Initial) else {
            return Ok(false);
        };
        let differs = match self.passwords.check(&self.user, password) {
            Ok(_) => false,
            Err(CheckError::Wrong) => true,
            Err(CheckError::Busy) => return Err(AuthError::BUSY),
        };
        if differs {
            let hash = self.passwords.hash(password, self.cost_after(&account));
            let hash = hash.map_err(|_| AuthError::BUSY)?;
            let _changing = self.changing.lock();
            if self.durable.generation() != account.generation {
                return Ok(false);
            }
            let change = vec![Record::Password {
                generation: account.generation.saturating_add(1),
                origin: PasswordOrigin::Initial,
                at: self.superseding_time(),
                hash,
                spared: None,
            }];
            self.durable
                .supersede(None, || self.commit(change))
                .map_err(|_| AuthError::NotDone)?;
        }
        self.drop_initial_file();
        Ok(differs)
    }

    /// Removes the file, which holds a password that is good for nothing. If it stays, that does no harm.
    fn drop_initial_file(&self) {
        if let Err(error) = self.initial_file.remove() {
            log::warn!(error:% = error; "the file of the initial password is left over");
        }
    }

    /// The cost of the hash that follows this one: as configured, or as once measured.
    fn cost_after(&self, account: &Account) -> u32 {
        self.settings.bcrypt_cost.unwrap_or_else(|| {
            let parts = account.hash.parse::<bcrypt::HashParts>();
            parts.map_or(LEAST_COST, |parts| parts.get_cost().max(LEAST_COST))
        })
    }

    fn file_error(&self, source: io::Error) -> InitialiseError {
        let path = self.initial_file.path();
        let source = files::whose(&path, source);
        InitialiseError::File { path, source }
    }
}

/// How a wrong current password came, as the audit log tells it.
const BY_CHANGE: &str = "change-password";

/// What a cost is raised to when nobody asks for a lower one.
const LEAST_COST: u32 = 10;

//! How the password changes: the first boot, a new one in the configuration, and the user's own change.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use super::change::{Change, Changed};
use super::password::{CheckError, WeakPassword, check_rules, measure_cost};
use super::{
    Account, Auth, AuthError, Event, FIRST_GENERATION, GeneratedPassword, Happened, Outcome,
    PasswordOrigin, Proof, Session, Token,
};
use crate::audit::Origin;
use crate::clock::{TimeSource, Timestamp};
use crate::files;
use crate::ids::{ClientKey, Id};
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

/// Another password, or the same one under another generation. It is in force once it is durable.
pub struct PasswordChange {
    generation: u32,
    origin: PasswordOrigin,
    /// Nothing issued before counts any more.
    at: Timestamp,
    /// bcrypt.
    hash: String,
    /// The token that goes on working, and its expiry.
    spared: Option<(Id, Timestamp)>,
    by: ChangedBy,
}

/// Who or what changes the password.
enum ChangedBy {
    /// The first boot, which sets one.
    FirstBoot,
    /// The configuration, in which there is another.
    Configuration,
    /// The user.
    User {
        /// From where; none on the local socket.
        client: Option<ClientKey>,
        /// The token of the session that goes on.
        token: Option<Token>,
    },
    /// The administrator, on the local socket or at a stopped server.
    Administrator,
    /// A clock that is to be set back: all logins end, the password stays.
    Clock,
}

impl PasswordChange {
    pub(super) fn record(&self) -> Record {
        Record::Password {
            generation: self.generation,
            origin: self.origin,
            at: self.at,
            hash: self.hash.clone(),
            spared: self.spared,
        }
    }
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
        let taken_up = self.take_up(password)?;
        let Some((change, committed)) = taken_up else {
            *configured = None;
            return Ok(());
        };
        if committed.is_ok() {
            *configured = None;
        }
        drop(configured);
        self.finish(change, committed).map(drop)
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
        let by = ChangedBy::User {
            client,
            token: session.token(),
        };
        self.replace_password(new, Some((generation, session)), by)
    }

    /// Sets another password without knowing the one there is, for whoever may use the local socket. All tokens of the
    /// user die. Blocks.
    ///
    /// # Errors
    /// [`AuthError::WeakPassword`]; [`AuthError::Busy`]; [`AuthError::NotDone`]: the old password goes on.
    pub fn reset_password(&self, new: &str) -> Result<(), AuthError> {
        self.replace_password(new, None, ChangedBy::Administrator)
    }

    /// `asks`: the session that asks, which goes on, and the generation of the password that it knew.
    fn replace_password(
        &self,
        new: &str,
        asks: Option<(u32, &Session)>,
        by: ChangedBy,
    ) -> Result<(), AuthError> {
        check_rules(&self.user, new)?;
        let account = self.durable.account();
        let account = account.ok_or(AuthError::WrongCurrentPassword)?;
        let cost = self.cost_after(&account);
        let hash = self.passwords.hash(new, cost);
        let hash = hash.map_err(|_| AuthError::BUSY)?;

        let proof = asks.map(|(_, session)| &session.proof);
        let (going_on, spared) = match proof {
            Some(Proof::Token {
                family,
                id,
                expires,
                ..
            }) => (Some(*family), Some((*id, *expires))),
            _ => (None, None),
        };
        let changing = self.changing.lock();
        let generation = self.durable.generation();
        if let Some((known, session)) = asks {
            if known != generation {
                return Err(AuthError::WrongCurrentPassword);
            }
            if !self.is_alive(session) {
                return Err(AuthError::InvalidToken);
            }
        }
        let change = Change::Password(PasswordChange {
            generation: generation.saturating_add(1),
            origin: PasswordOrigin::Changed,
            at: self.superseding_time(),
            hash,
            spared,
            by,
        });
        let committed = self.durable.supersede(going_on, || self.commit(&change));
        drop(changing);
        self.finish(change, committed).map(drop)
    }

    /// Ends what the old password let in, and tells of it. Without a durable record nothing has changed.
    pub(super) fn password_changed(
        &self,
        change: &PasswordChange,
        committed: Result<(), CommitError>,
    ) -> Result<Changed, AuthError> {
        committed.map_err(|CommitError| AuthError::NotDone)?;
        let user = &self.user;
        let event = match change.by {
            ChangedBy::FirstBoot => return Ok(Changed::Password),
            ChangedBy::Clock => {
                self.set_clock_back(change.at);
                return Ok(Changed::Password);
            }
            ChangedBy::Configuration => {
                log::info!(user:% = user; "password changed to the one in the configuration");
                Event {
                    origin: Origin::Server,
                    by: Some("configuration"),
                    ..self.event(None, Outcome::Done)
                }
            }
            ChangedBy::User { client, token } => {
                log::info!(user:% = user; "password changed");
                Event {
                    by: Some("user"),
                    token,
                    ..self.event(client, Outcome::Done)
                }
            }
            ChangedBy::Administrator => {
                log::warn!(user:% = user; "password reset by the administrator");
                Event {
                    by: Some("administrator"),
                    ..self.event(None, Outcome::Done)
                }
            }
        };
        self.passwords.forget();
        self.logins_ended();
        self.drop_initial_file();
        self.audit(Happened::PasswordChange, &event);
        Ok(Changed::Password)
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
        // No revocation is forgotten, as one may be after other changes: a foreign token names no generation, and the times of
        // those issued by the wrong clock lie behind the new one.
        let change = Change::Password(PasswordChange {
            generation: account.generation.saturating_add(1),
            origin: account.origin,
            at: to,
            hash: account.hash.as_ref().to_owned(),
            spared: None,
            by: ChangedBy::Clock,
        });
        // If that fails the clock stays; it is tried again. A crash in between costs the logins only.
        let _ = self.carry_out(change);
    }

    /// Follows the clock, once all logins have ended for that.
    fn set_clock_back(&self, to: Timestamp) {
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

    /// Makes the configured password the stored one, and gives what became of that, to be finished; none, if it was so before.
    fn take_up(&self, password: &str) -> Result<Option<TakenUp>, AuthError> {
        let account = self.durable.account();
        let Some(account) = account.filter(|a| a.origin == PasswordOrigin::Initial) else {
            return Ok(None);
        };
        match self.passwords.check(&self.user, password) {
            Ok(_) => {
                self.drop_initial_file();
                return Ok(None);
            }
            Err(CheckError::Wrong) => {}
            Err(CheckError::Busy) => return Err(AuthError::BUSY),
        }
        let hash = self.passwords.hash(password, self.cost_after(&account));
        let hash = hash.map_err(|_| AuthError::BUSY)?;
        let _changing = self.changing.lock();
        if self.durable.generation() != account.generation {
            return Ok(None);
        }
        let change = Change::Password(PasswordChange {
            generation: account.generation.saturating_add(1),
            origin: PasswordOrigin::Initial,
            at: self.superseding_time(),
            hash,
            spared: None,
            by: ChangedBy::Configuration,
        });
        let committed = self.durable.supersede(None, || self.commit(&change));
        Ok(Some((change, committed)))
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

/// A password that was committed, and what became of that.
type TakenUp = (Change, Result<(), CommitError>);

/// How a wrong current password came, as the audit log tells it.
const BY_CHANGE: &str = "change-password";

/// What a cost is raised to when nobody asks for a lower one.
const LEAST_COST: u32 = 10;

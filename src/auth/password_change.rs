//! How the password changes: a new one in the configuration, the user's own change, the administrator's.

use std::sync::atomic::Ordering;

use super::change::{Change, Changed, ChangedBy, PasswordChange};
use super::password::{CheckError, WeakPassword, check_rules};
use super::{
    Account, Auth, AuthError, Event, EventKind, EventOutcome, PasswordOrigin, Principal, Proof,
};
use crate::audit::Origin;
use crate::clock::Timestamp;
use crate::ids::ClientKey;
use crate::journal::CommitError;

impl Auth {
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

    /// Changes the password. All other tokens of the user die with the old one; the token of `principal` goes on working.
    /// `client` is whom a wrong `current` counts against, `None` on the local socket. Blocks.
    ///
    /// # Errors
    /// [`AuthError::WrongCurrentPassword`], also for the loser of two changes at once; [`AuthError::WeakPassword`];
    /// [`AuthError::LockedOut`]; [`AuthError::Busy`]; [`AuthError::InvalidToken`] if the session has ended meanwhile;
    /// [`AuthError::NotDone`]: the old password goes on.
    pub fn change_password(
        &self,
        client: impl Into<Option<ClientKey>>,
        principal: &Principal,
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
            token: principal.token(),
        };
        self.replace_password(new, Some((generation, principal)), by)
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
        asks: Option<(u32, &Principal)>,
        by: ChangedBy,
    ) -> Result<(), AuthError> {
        check_rules(&self.user, new)?;
        let account = self.durable.account();
        let account = account.ok_or(AuthError::WrongCurrentPassword)?;
        let cost = self.cost_after(&account);
        let hash = self.passwords.hash(new, cost);
        let hash = hash.map_err(|_| AuthError::BUSY)?;

        let proof = asks.map(|(_, principal)| &principal.proof);
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
        if let Some((known, principal)) = asks {
            if known != generation {
                return Err(AuthError::WrongCurrentPassword);
            }
            if !self.is_alive(principal) {
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

    /// Ends what the old password let in, and records the change. Without a durable record nothing has changed.
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
                    ..self.event(None, EventOutcome::Done)
                }
            }
            ChangedBy::User { client, token } => {
                log::info!(user:% = user; "password changed");
                Event {
                    by: Some("user"),
                    token,
                    ..self.event(client, EventOutcome::Done)
                }
            }
            ChangedBy::Administrator => {
                log::warn!(user:% = user; "password reset by the administrator");
                Event {
                    by: Some("administrator"),
                    ..self.event(None, EventOutcome::Done)
                }
            }
        };
        self.passwords.forget();
        self.logins_ended();
        self.drop_initial_file();
        self.audit(EventKind::PasswordChange, &event);
        Ok(Changed::Password)
    }

    /// Follows the system's clock back from the first time that this device ever believed, if that turns out to have
    /// been wrong at once. What was issued by it would come to life again when that time really comes, and what was
    /// revoked may be forgotten: all logins end, as by a change of the password. Blocks for the journal, if there is
    /// anything to do.
    pub(super) fn follow_clock_back(&self) {
        let Some(to) = self.clock.refuted() else {
            return;
        };
        let _changing = self.changing.lock();
        let Some(account) = self.durable.account() else {
            return;
        };
        // No revocation is forgotten, as one may be after other changes: a foreign token names no generation, and the
        // times of those issued by the wrong clock lie behind the new one.
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
        log::warn!(wrong:% = wrong, now:% = to; "the first start ran under a wrong clock; postern sets the clock back, and all logins have ended");
        // Takes the wrong time out of the journal.
        self.journal.tick();
        self.logins_ended();
    }

    /// When a new password begins to hold: now, or when the last of those foreign tokens says to have been issued that
    /// were let in already. They name no generation, and must die with the old password all the same.
    fn superseding_time(&self) -> Timestamp {
        let newest = Timestamp::from_secs(self.newest_foreign.load(Ordering::Relaxed));
        self.clock.wall().max(newest)
    }

    /// Makes the configured password the stored one, and gives what became of that, to be finished; none, if it was so
    /// before.
    fn take_up(&self, password: &str) -> Result<Option<CommittedChange>, AuthError> {
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

    /// Removes the file; the password in it no longer works. A leftover does no harm.
    pub(super) fn drop_initial_file(&self) {
        if let Err(error) = self.initial_file.remove() {
            log::warn!(error:% = error; "the file of the initial password could not be removed");
        }
    }

    /// The cost of the hash that follows this one: as configured, or as once measured.
    fn cost_after(&self, account: &Account) -> u32 {
        self.settings.bcrypt_cost.unwrap_or_else(|| {
            let parts = account.hash.parse::<bcrypt::HashParts>();
            parts.map_or(LEAST_COST, |parts| parts.get_cost().max(LEAST_COST))
        })
    }
}

/// A password that was committed, and what became of that.
type CommittedChange = (Change, Result<(), CommitError>);

/// How a wrong current password came, as the audit log tells it.
const BY_CHANGE: &str = "change-password";

/// What a cost is raised to when nobody asks for a lower one.
const LEAST_COST: u32 = 10;

//! How logins begin, go on and end: password checks with their limit, login, refresh, logout.

use super::password::CheckError;
use super::revocation::{Full, Use};
use super::unwritten::Unwritten;
use super::{
    Auth, AuthError, Event, Happened, Kind, Outcome, Proof, Quick, REFRESH_TTL, Session, Token,
    TokenPair, User, Verified,
};
use crate::clock::Timestamp;
use crate::ids::{ClientKey, Id};
use crate::journal::{CommitError, Record};

impl Auth {
    /// What can be said about a Basic credential without waiting. The lock-out comes first: while it lasts, the right
    /// password is refused like a wrong one. `None` for the local socket, which is not counted. Cheap.
    pub fn basic_quick(
        &self,
        client: impl Into<Option<ClientKey>>,
        user: &str,
        password: &str,
    ) -> Quick {
        let client = client.into();
        let quick = self.quick(client, user, password);
        if matches!(quick, Quick::Known(_)) {
            self.in_by_basic(client);
        }
        quick
    }

    fn quick(&self, client: Option<ClientKey>, user: &str, password: &str) -> Quick {
        if let Some(client) = client
            && let Err(locked) = self.attempts.check(client, self.clock.monotonic())
        {
            return Quick::LockedOut(locked.into());
        }
        match self.passwords.known(user, password) {
            Some(generation) => Quick::Known(self.session(Proof::Basic { generation })),
            None => Quick::NeedsCheck,
        }
    }

    /// Checks a Basic credential. Blocks.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`], [`AuthError::LockedOut`], [`AuthError::Busy`]; [`AuthError::NotDone`] while a new
    /// password in the configuration cannot be taken up.
    pub fn basic(
        &self,
        client: impl Into<Option<ClientKey>>,
        user: &str,
        password: &str,
    ) -> Result<Session, AuthError> {
        let client = client.into();
        let generation = self.check_password(client, user, password, BY_BASIC)?;
        let session = self.session(Proof::Basic { generation });
        let session = self
            .living(Some(session))
            .map_err(|_| AuthError::BadCredentials)?;
        self.in_by_basic(client);
        Ok(session)
    }

    fn in_by_basic(&self, client: Option<ClientKey>) {
        self.prove(client, &self.user);
        if let Some(audit) = &self.audit {
            audit.record_basic(&Event {
                by: Some(BY_BASIC),
                ..self.event(client, Outcome::Done)
            });
        }
    }

    /// Begins a login. Blocks.
    ///
    /// # Errors
    /// As [`Auth::basic`].
    pub fn login(
        &self,
        client: impl Into<Option<ClientKey>>,
        user: &str,
        password: &str,
    ) -> Result<TokenPair, AuthError> {
        let client = client.into();
        let generation = self.check_password(client, user, password, BY_LOGIN)?;
        self.begin_login(client, generation)
    }

    /// Begins a login with a credential that was confirmed a moment ago: nobody has to wait to be recognised. `None` if
    /// only [`Auth::login`] can tell. Cheap.
    ///
    /// # Errors
    /// [`AuthError::LockedOut`], [`AuthError::BadCredentials`].
    pub fn login_quick(
        &self,
        client: impl Into<Option<ClientKey>>,
        user: &str,
        password: &str,
    ) -> Result<Option<TokenPair>, AuthError> {
        let client = client.into();
        match self.quick(client, user, password) {
            Quick::Known(Session {
                proof: Proof::Basic { generation },
                ..
            }) => self.begin_login(client, generation).map(Some),
            Quick::LockedOut(refusal) => Err(refusal),
            _ => Ok(None),
        }
    }

    fn begin_login(
        &self,
        client: Option<ClientKey>,
        generation: u32,
    ) -> Result<TokenPair, AuthError> {
        let now = self.clock.wall();
        let pair = self.issue_pair(self.tokens.new_family(), generation, now)?;
        // The pair of a password that was changed meanwhile is void by its generation; better not to hand it out.
        if generation != self.durable.generation() {
            return Err(AuthError::BadCredentials);
        }
        self.prove(client, &self.user);
        let token = self.tokens.verify(&pair.access_token, Kind::Access, now);
        self.audit(
            Happened::Login,
            &Event {
                by: Some(BY_LOGIN),
                token: token.ok().map(|token| token.told()),
                ..self.event(client, Outcome::Done)
            },
        );
        Ok(pair)
    }

    /// Exchanges a refresh token for a fresh pair of the same login. Of any number of callers with one token exactly one
    /// gets a pair, once the token's use is durable. `client` asks, `None` on the local socket. Cheap.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`], [`AuthError::Full`]; of the commit [`AuthError::NotDone`]: the token is still good, and
    /// there is no pair; [`AuthError::InvalidToken`]: the login has ended meanwhile.
    pub fn begin_refresh(
        &self,
        client: Option<ClientKey>,
        token: &str,
    ) -> Result<Unwritten<TokenPair>, AuthError> {
        // Both are taken before the check, so that whatever ends the login from here on also ends the pair: a revoked
        // login's tokens by the time they were issued at, an old password's by their generation.
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let generation = self.durable.generation();
        let token = self.live_token(token, Kind::Refresh, wall)?;
        // Ours expire then. That a foreign one is shorter must not make it look older.
        let expires = token.expires.max(token.issued + REFRESH_TTL);
        match self.durable.revocations.use_up(token.id, now, expires) {
            Ok(Use::First) => {}
            Ok(Use::Again(used)) => return self.used_again(client, &token, used),
            Err(Full) => return Err(AuthError::Full),
        }
        let used = Record::RefreshUsed {
            id: token.id,
            used: now,
            expires,
        };
        Ok(Unwritten::new(vec![used], move |auth, committed| {
            if let Err(CommitError) = committed {
                // Nobody got a pair for it. Whoever comes again, as he is told to, is no thief.
                auth.durable.revocations.give_back(token.id);
                return Err(AuthError::NotDone);
            }
            let pair = auth.issue_pair(token.family, generation, wall)?;
            // The commit may have taken its time, and the login ended in it.
            let session = auth.living(Some(auth.session(token.proof())))?;
            auth.prove(client, &session.user);
            Ok(pair)
        }))
    }

    /// As [`Auth::begin_refresh`] on the local socket, and waits for the journal. Blocks.
    ///
    /// # Errors
    /// As [`Auth::begin_refresh`].
    pub fn refresh(&self, token: &str) -> Result<TokenPair, AuthError> {
        self.begin_refresh(None, token)?.wait(self)
    }

    /// Ends the login that the session's token descends from: every token of it is dead from now on, and for good once
    /// that is durable. Does nothing for the local socket and for Basic, which have none. If the table of revocations is
    /// full, the oldest sessions end too. `client` asks. Cheap.
    ///
    /// # Errors
    /// [`AuthError::Full`]: not in force, and no session is old enough; of the commit [`AuthError::NotDurable`]: in force, but a power cut would undo it.
    pub fn begin_logout(
        &self,
        client: Option<ClientKey>,
        session: &Session,
    ) -> Result<Unwritten<()>, AuthError> {
        let Proof::Token {
            id,
            jti,
            family,
            generation,
            issued,
            expires,
        } = session.proof
        else {
            return Ok(Unwritten::new(Vec::new(), |_, _| Ok(())));
        };
        let records = self.with_oldest_ended(|| {
            let mut records = Vec::with_capacity(3);
            if generation.is_none() {
                // A foreign token. The end of its login may be forgotten with the next password, its own may not.
                let revocations = &self.durable.revocations;
                let revoked = revocations.revoke_token(id, expires, self.clock.now());
                revoked.map_err(|Full| AuthError::Full)?;
                records.push(Record::TokenRevoked { id, expires });
            }
            records.push(self.revoke_family(family, issued, expires)?);
            Ok(records)
        })?;
        self.logins_ended();
        let first = records.first().cloned();
        Ok(Unwritten::new(records, move |auth, committed| {
            let durable = committed.is_ok();
            auth.tell_of_oldest(first.as_ref(), Outcome::of_commit(durable));
            log::info!(user:% = auth.user, token:? = id, durable; "logged out");
            let event = Event {
                token: Some(Token { jti, login: family }),
                ..auth.event(client, Outcome::of_commit(durable))
            };
            auth.audit(Happened::Logout, &event);
            Ok(committed?)
        }))
    }

    /// As [`Auth::begin_logout`] on the local socket, and waits for the journal. Blocks.
    ///
    /// # Errors
    /// As [`Auth::begin_logout`].
    pub fn logout(&self, session: &Session) -> Result<(), AuthError> {
        self.begin_logout(None, session)?.wait(self)
    }

    /// Checks a password under the limit of failed attempts, and gives the generation it was checked against. `by` is the
    /// way it came.
    pub(super) fn check_password(
        &self,
        client: Option<ClientKey>,
        user: &str,
        password: &str,
        by: &'static str,
    ) -> Result<u32, AuthError> {
        match self.quick(client, user, password) {
            Quick::Known(Session {
                proof: Proof::Basic { generation },
                ..
            }) => return Ok(generation),
            Quick::LockedOut(refusal) => return Err(refusal),
            _ => {}
        }
        let attempt = match client {
            Some(client) => Some(self.attempts.admit(client, &self.clock)?),
            None => None,
        };
        // Without this the owner's new password would count as a failed attempt.
        self.settle()?;
        match self.passwords.check(user, password) {
            Ok(generation) => {
                if let Some(attempt) = attempt {
                    attempt.succeeded();
                }
                Ok(generation)
            }
            Err(CheckError::Busy) => Err(AuthError::BUSY),
            Err(CheckError::Wrong) => {
                // People type passwords where the user's name belongs: an unknown name is not logged.
                let (named, known) = if self.passwords.is_user(user) {
                    (&*self.user, User::Account(&self.user))
                } else {
                    ("(unknown)", User::Unknown)
                };
                match client {
                    Some(client) => {
                        log::warn!(client:% = client, user:% = named; "login failed");
                    }
                    None => log::warn!(user:% = named; "login failed on the local socket"),
                }
                let event = Event {
                    user: known,
                    by: Some(by),
                    ..self.event(client, Outcome::Refused)
                };
                self.audit(Happened::Failure, &event);
                self.failed(attempt, client);
                Err(AuthError::BadCredentials)
            }
        }
    }

    /// A refresh token came a second time.
    fn used_again(
        &self,
        client: Option<ClientKey>,
        token: &Verified,
        used: Timestamp,
    ) -> Result<Unwritten<TokenPair>, AuthError> {
        let grace = self.settings.refresh_reuse_grace;
        if !grace.is_zero() && self.clock.elapsed(used) <= grace {
            // Two tabs, or a retry after a lost answer.
            return Err(AuthError::InvalidToken);
        }
        // One of two holders of this token has stolen it. Which one cannot be told: both lose the login.
        log::warn!(user:% = self.user, token:? = token.id; "refresh token reused: the login is revoked");
        let revoked = self.revoke_family(token.family, token.issued, token.expires);
        self.logins_ended();
        let reused = Some(token.told());
        let tell = move |auth: &Self, outcome| {
            let event = Event {
                token: reused,
                ..auth.event(client, outcome)
            };
            auth.audit(Happened::RefreshReuse, &event);
        };
        let revoked = revoked.inspect_err(|_| tell(self, Outcome::NotDone))?;
        Ok(Unwritten::new(vec![revoked], move |auth, committed| {
            tell(
                auth,
                match committed {
                    Ok(()) => Outcome::Refused,
                    Err(CommitError) => Outcome::NotDurable,
                },
            );
            committed?;
            Err(AuthError::InvalidToken)
        }))
    }

    /// Revokes a login in memory; gives the record to commit.
    fn revoke_family(
        &self,
        family: Id,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<Record, AuthError> {
        // No token of the login issued until now lives longer than this.
        let latest = self.clock.wall().max(issued);
        let expires = expires.max(latest + self.settings.longest);
        let revocations = &self.durable.revocations;
        let revoked = revocations.revoke_family(family, expires, self.clock.now());
        revoked.map_err(|Full| AuthError::Full)?;
        Ok(Record::FamilyRevoked { family, expires })
    }

    fn issue_pair(
        &self,
        family: Id,
        generation: u32,
        now: Timestamp,
    ) -> Result<TokenPair, AuthError> {
        let issue = |kind, lifetime| {
            let token = self.tokens.issue(kind, family, generation, now, lifetime);
            token.map_err(|_| AuthError::InvalidToken)
        };
        Ok(TokenPair {
            access_token: issue(Kind::Access, self.settings.access_ttl)?,
            refresh_token: issue(Kind::Refresh, REFRESH_TTL)?,
            expires_in: self.settings.access_ttl.as_secs(),
        })
    }
}

/// The ways in which a password comes, as the audit log tells them.
const BY_BASIC: &str = "basic";
const BY_LOGIN: &str = "login";

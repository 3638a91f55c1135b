//! How logins begin: password checks with their limit, Basic, login.

use super::password::CheckError;
use super::{
    Auth, AuthError, Event, EventKind, EventOutcome, Principal, Proof, Quick, REFRESH_TTL,
    TokenKind, TokenPair, User,
};
use crate::clock::Timestamp;
use crate::ids::{ClientKey, Id};

impl Auth {
    /// Decides about a Basic credential without waiting, where that is possible. A lock-out comes first: while it
    /// lasts, the right password is refused like a wrong one. `None` for the local socket, which is not counted. Cheap.
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
            Some(generation) => Quick::Known(self.principal(Proof::Basic { generation })),
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
    ) -> Result<Principal, AuthError> {
        let client = client.into();
        let generation = self.check_password(client, user, password, BY_BASIC)?;
        let principal = self.principal(Proof::Basic { generation });
        let principal = self
            .living(Some(principal))
            .map_err(|_| AuthError::BadCredentials)?;
        self.in_by_basic(client);
        Ok(principal)
    }

    fn in_by_basic(&self, client: Option<ClientKey>) {
        self.prove(client, &self.user);
        if let Some(audit) = &self.audit {
            audit.record_basic(&Event {
                by: Some(BY_BASIC),
                ..self.event(client, EventOutcome::Done)
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
            Quick::Known(Principal {
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
        let token = self
            .tokens
            .verify(&pair.access_token, TokenKind::Access, now);
        self.audit(
            EventKind::Login,
            &Event {
                by: Some(BY_LOGIN),
                token: token.ok().map(|token| token.told()),
                ..self.event(client, EventOutcome::Done)
            },
        );
        Ok(pair)
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
            Quick::Known(Principal {
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
                    ..self.event(client, EventOutcome::Refused)
                };
                self.audit(EventKind::Failure, &event);
                self.failed(attempt, client);
                Err(AuthError::BadCredentials)
            }
        }
    }

    pub(super) fn issue_pair(
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
            access_token: issue(TokenKind::Access, self.settings.access_ttl)?,
            refresh_token: issue(TokenKind::Refresh, REFRESH_TTL)?,
            expires_in: self.settings.access_ttl.as_secs(),
        })
    }
}

/// The ways in which a password comes, as the audit log tells them.
const BY_BASIC: &str = "basic";
const BY_LOGIN: &str = "login";

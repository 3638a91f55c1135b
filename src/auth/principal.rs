//! An authenticated caller: its credential, and whether that still holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::claims::{TokenKind, Verified};
use super::state::{Account, FIRST_GENERATION};
use super::{Auth, AuthError};
use crate::audit::{JtiPrefix, Token};
use crate::clock::Timestamp;
use crate::ids::Id;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user's name.
    pub user: Arc<str>,
    /// How we know.
    pub proof: Proof,
}

/// What a caller has shown, and what ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The local socket: whoever may open it is the administrator.
    Local,
    /// The password.
    Basic {
        /// Which password: it counts changes.
        generation: u32,
    },
    /// An access token.
    Token {
        /// The token's id.
        id: Id,
        /// What its `jti` begins with.
        jti: JtiPrefix,
        /// The login it descends from.
        family: Id,
        /// The password's generation it was issued under, if it says.
        generation: Option<u32>,
        /// When it was issued.
        issued: Timestamp,
        /// When it expires.
        expires: Timestamp,
    },
}

impl Auth {
    /// Whoever may open the local socket.
    pub fn local(&self) -> Principal {
        self.principal(Proof::Local)
    }

    /// Checks an access token. Cheap.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`].
    pub fn bearer(&self, token: &str) -> Result<Principal, AuthError> {
        self.live_token(token, TokenKind::Access, self.clock.wall())
            .map(|token| self.principal(token.proof()))
    }

    /// Whether what the caller has shown still holds: neither expired nor revoked nor overtaken by a password change.
    /// Cheap.
    pub fn is_alive(&self, principal: &Principal) -> bool {
        self.time_left(principal).is_some()
    }

    /// How long the credential will hold if nobody ends the session: [`Duration::MAX`] for one that does not expire,
    /// `None` if it is over. Cheap.
    pub fn time_left(&self, principal: &Principal) -> Option<Duration> {
        let (holds, left) = match principal.proof {
            Proof::Local => (true, Duration::MAX),
            Proof::Basic { generation } => (generation == self.durable.generation(), Duration::MAX),
            Proof::Token {
                id,
                family,
                generation,
                issued,
                expires,
                ..
            } => {
                let holds = !self.durable.revocations.is_revoked(id, family)
                    && self.durable.with_account(|account| {
                        account.is_some_and(|a| {
                            a.accepts(id, generation, issued)
                                && !self.durable.is_ended(a.generation, issued)
                        })
                    });
                (holds, expires.saturating_since(self.clock.wall()))
            }
        };
        (holds && !left.is_zero()).then_some(left)
    }

    pub(super) fn principal(&self, proof: Proof) -> Principal {
        Principal {
            user: Arc::clone(&self.user),
            proof,
        }
    }

    pub(super) fn living(&self, principal: Option<Principal>) -> Result<Principal, AuthError> {
        principal
            .filter(|principal| self.is_alive(principal))
            .ok_or(AuthError::InvalidToken)
    }

    /// A good token that is not revoked, nor overtaken by a password change.
    pub(super) fn live_token(
        &self,
        token: &str,
        kind: TokenKind,
        now: Timestamp,
    ) -> Result<Verified, AuthError> {
        let verified = self.tokens.verify(token, kind, now);
        let verified = verified.map_err(|_| AuthError::InvalidToken)?;
        if self.is_alive(&self.principal(verified.proof())) {
            if verified.generation.is_none() {
                let issued = verified.issued.as_secs();
                self.newest_foreign.fetch_max(issued, Ordering::Relaxed);
            }
            Ok(verified)
        } else {
            Err(AuthError::InvalidToken)
        }
    }
}

impl Principal {
    /// The token that it rests on, and the login it descends from, if it does on one.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        match self.proof {
            Proof::Token { jti, family, .. } => Some(Token { jti, login: family }),
            Proof::Local | Proof::Basic { .. } => None,
        }
    }
}

impl Verified {
    /// As the audit log tells it.
    pub(super) fn told(&self) -> Token {
        Token {
            jti: self.jti,
            login: self.family,
        }
    }

    pub(super) fn proof(&self) -> Proof {
        Proof::Token {
            id: self.id,
            jti: self.jti,
            family: self.family,
            generation: self.generation,
            issued: self.issued,
            expires: self.expires,
        }
    }
}

impl Account {
    /// Whether a password change has not overtaken this token.
    fn accepts(&self, id: Id, generation: Option<u32>, issued: Timestamp) -> bool {
        if self.spared.is_some_and(|(spared, _)| spared == id) {
            return true;
        }
        match generation {
            Some(generation) => generation == self.generation,
            // A foreign token does not say. One issued in the very second of a change counts as older.
            None => self.generation == FIRST_GENERATION || issued.as_secs() > self.at.as_secs(),
        }
    }
}

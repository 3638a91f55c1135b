//! A token's claims, and whether they are valid now.

use serde::{Deserialize, Serialize};

use crate::audit::JtiPrefix;
use crate::clock::{MAX_LEAP, Timestamp};
use crate::ids::Id;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Presented on protected paths.
    Access,
    /// Exchanged, once, for a fresh pair.
    Refresh,
}

/// A token whose signature, type and lifetime are good. Whether it is revoked is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// From its `jti`.
    pub id: Id,
    /// What its `jti` begins with, for people to match.
    pub jti: JtiPrefix,
    /// The login it descends from (`sid`); its own id, if it does not say.
    pub family: Id,
    /// The password's generation it was issued under (`gen`), if it says.
    pub generation: Option<u32>,
    /// `iat`; 1970 if it does not say, which is before any password change.
    pub issued: Timestamp,
    /// `exp`.
    pub expires: Timestamp,
}

/// What a token of ours says, its signature and spelling being good. None of it ever changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// `type`
    pub kind: TokenKind,
    /// `nbf`
    pub not_before: Option<Timestamp>,
    pub token: Verified,
}

/// The token is not good. Only tests need to know why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid or expired token")]
pub struct Invalid;

impl Claims {
    /// Whether a token that says this is taken for that now.
    pub fn accepted(&self, kind: TokenKind, now: Timestamp) -> Result<Verified, Invalid> {
        let Self {
            kind: own,
            not_before,
            token,
        } = *self;
        // The library was told to leave these to us: it would accept a token in the very second of its expiry.
        let not_yet = not_before.is_some_and(|from| from > now);
        // Issued while the clock had wildly leapt ahead: good for years otherwise, once it is right again.
        let from_afar = token.issued > now + MAX_LEAP;
        if own != kind || token.expires <= now || not_yet || from_afar {
            return Err(Invalid);
        }
        Ok(token)
    }
}

#[cfg(test)]
impl Claims {
    /// Of some token that expires then.
    pub fn sample(expires: Timestamp) -> Self {
        let token = Verified {
            id: Id([0; 16]),
            jti: JtiPrefix::default(),
            family: Id([0; 16]),
            generation: None,
            issued: Timestamp::default(),
            expires,
        };
        Self {
            kind: TokenKind::Access,
            not_before: None,
            token,
        }
    }
}

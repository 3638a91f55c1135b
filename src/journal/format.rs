//! The journal's records. (Types; the byte format is being filled in.)
use crate::clock::Timestamp;
use std::fmt;

/// A token's or a login's identifier, 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 16]);

/// Only a prefix, enough to match two log lines.
impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Whom a limit counts: an IPv4 address, or an IPv6 /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientKey {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address.
    V6([u8; 8]),
}

/// Where a password came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordOrigin {
    /// Set at the first boot, from the configuration or generated.
    Initial,
    /// Chosen by the user since.
    Changed,
}

/// One fact the journal keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// One token is revoked.
    TokenRevoked {
        /** The token. */
        id: Id,
        /** When it would have expired. */
        expires: Timestamp,
    },
    /// A refresh token has been used.
    RefreshUsed {
        /** The token. */
        id: Id,
        /** When it was used. */
        used: Timestamp,
        /** When it would have expired. */
        expires: Timestamp,
    },
    /// Every token descended from a login is revoked.
    FamilyRevoked {
        /** The login. */
        family: Id,
        /** When its last token will have expired. */
        expires: Timestamp,
    },
    /// The account's password.
    Password {
        /** Counts changes. */
        generation: u32,
        /** Whose choice. */
        origin: PasswordOrigin,
        /** When. */
        at: Timestamp,
        /** bcrypt. */
        hash: String,
        /** The token that goes on working, and its expiry. */
        spared: Option<(Id, Timestamp)>,
    },
    /// An address is locked out.
    LockOut {
        /** Whom. */
        client: ClientKey,
        /** Until when. */
        until: Timestamp,
    },
    /// A lock-out was lifted by the administrator.
    LockOutCleared {
        /** Whom. */
        client: ClientKey,
    },
    /// It was at least this late.
    Mark {
        /** The time. */
        at: Timestamp,
    },
}

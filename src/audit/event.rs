//! What is worth an entry, and what is told of it.

use super::line::{hex, member, raw_member};
use crate::clock::{Clock, ClockState, RELEASE_EPOCH};
use crate::ids::{ClientKey, Id};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Somebody is in: a login, or a password by Basic.
    Login,
    /// A wrong password.
    Failure,
    /// An address may not try any more passwords.
    LockOut,
    /// A refresh token came a second time, and its login was ended.
    RefreshReuse,
    /// A login was ended by its user.
    Logout,
    /// There is another password.
    PasswordChange,
    /// An address may try again.
    LockOutCleared,
    /// There is another certificate, or one was refused.
    Certificate,
    /// The server serves.
    Start,
    /// The server ended in order.
    Stop,
    /// So many events have no entry of their own.
    Omitted,
    /// The log itself was put right.
    Recovered,
}

impl EventKind {
    /// What may happen outside the log itself, in the order of the declaration.
    pub const ALL: [Self; 10] = [
        Self::Login,
        Self::Failure,
        Self::LockOut,
        Self::RefreshReuse,
        Self::Logout,
        Self::PasswordChange,
        Self::LockOutCleared,
        Self::Certificate,
        Self::Start,
        Self::Stop,
    ];

    /// Whether what has this name seldom happens and matters for long: such an entry is never dropped for the sake of others,
    /// neither in a burst nor when the log is full.
    #[must_use]
    pub fn is_rare(name: &str) -> bool {
        const RARE: [EventKind; 7] = [
            EventKind::RefreshReuse,
            EventKind::PasswordChange,
            EventKind::LockOutCleared,
            EventKind::Certificate,
            EventKind::Start,
            EventKind::Stop,
            EventKind::Recovered,
        ];
        RARE.iter().any(|kind| kind.name() == name)
    }

    /// Its name in `"event"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Failure => "failure",
            Self::LockOut => "lock_out",
            Self::RefreshReuse => "refresh_reuse",
            Self::Logout => "logout",
            Self::PasswordChange => "password_change",
            Self::LockOutCleared => "lock_out_cleared",
            Self::Certificate => "certificate",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Omitted => "omitted",
            Self::Recovered => "recovered",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventOutcome {
    /// It is done.
    #[default]
    Done,
    /// It was refused: a password, a used token, a certificate.
    Refused,
    /// It is in force, but not on the disk: a power cut undoes it.
    NotDurable,
    /// It should have been done, and was not.
    NotDone,
}

impl EventOutcome {
    /// Durable or not.
    #[must_use]
    pub const fn of_commit(durable: bool) -> Self {
        if durable {
            Self::Done
        } else {
            Self::NotDurable
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Refused => "refused",
            Self::NotDurable => "not_durable",
            Self::NotDone => "not_done",
        }
    }
}

/// Where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The server itself: no address.
    #[default]
    Server,
    /// Whoever may open the local socket, or the state folder.
    Local,
    /// A client of the TLS listener: its whole address, as the limits make it out behind a proxy.
    Client(ClientKey),
}

/// The local socket's clients have none.
impl From<Option<ClientKey>> for Origin {
    fn from(client: Option<ClientKey>) -> Self {
        client.map_or(Self::Local, Self::Client)
    }
}

/// Who it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum User<'a> {
    /// Nobody: the server.
    #[default]
    Nobody,
    /// The account.
    Account(&'a str),
    /// Not the account. The name that was given is not told: people type passwords there.
    Unknown,
}

/// A token, of which eight characters are told: enough to match it, and to match two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What its `jti` begins with.
    pub jti: JtiPrefix,
    /// The login that it descends from (`sid`).
    pub login: Id,
}

/// The first eight bytes of a `jti`, or all of it and zeros.
pub type JtiPrefix = [u8; 8];

/// An event. The text members are bounded and escaped, whatever is in them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Event<'a> {
    /// Where it came from.
    pub origin: Origin,
    /// Who it was.
    pub user: User<'a>,
    /// What became of it.
    pub outcome: EventOutcome,
    /// How: which way in, or whose choice.
    pub by: Option<&'static str>,
    /// The token that it was asked with, or that came of it.
    pub token: Option<Token>,
    /// What else there is to tell, by name.
    pub more: Option<(&'static str, &'a str)>,
}

impl Event<'_> {
    /// What two events have in common of which one repeats the other: kind, principal, address, and all else but the token.
    pub(super) fn likeness(&self, kind: EventKind) -> String {
        let Self {
            origin,
            user,
            outcome,
            by,
            token: _,
            more,
        } = self;
        format!("{kind:?} {origin:?} {user:?} {outcome:?} {by:?} {more:?}")
    }

    /// The entry's members between its number and the hash.
    pub(super) fn body(&self, kind: EventKind, clock: &Clock) -> String {
        let mut body = String::with_capacity(256);
        let (time, state) = (clock.wall(), clock.state());
        member(&mut body, "time", &time.to_string());
        if time < RELEASE_EPOCH {
            member(&mut body, "clock", "unset");
        } else if state != ClockState::Followed {
            member(&mut body, "clock", state.name());
        }
        member(&mut body, "event", kind.name());
        if kind != EventKind::Omitted && kind != EventKind::Recovered {
            member(&mut body, "outcome", self.outcome.name());
        }
        match self.origin {
            Origin::Server => {}
            Origin::Local => member(&mut body, "address", "local"),
            Origin::Client(address) => member(&mut body, "address", &address.to_string()),
        }
        match self.user {
            User::Nobody => {}
            User::Account(name) => member(&mut body, "user", name),
            User::Unknown => raw_member(&mut body, "user", "null"),
        }
        if let Some(by) = self.by {
            member(&mut body, "by", by);
        }
        if let Some(Token {
            jti,
            login: Id(login),
        }) = &self.token
        {
            let jti = String::from_utf8_lossy(jti);
            member(&mut body, "jti", jti.trim_end_matches('\0'));
            member(&mut body, "sid", &hex(&login[..4]));
        }
        if let Some((name, text)) = self.more {
            member(&mut body, name, text);
        }
        body
    }
}

#[cfg(test)]
mod tests;

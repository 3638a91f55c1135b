//! Who is calling: passwords, tokens, revocations, tickets, and the rules that bind them, behind one facade, [`Auth`].
//!
//! A function that is cheap enough for a worker's thread says so; the rest may block, for
//! bcrypt or the journal. All that must outlast a power cut takes one way, as a [`Change`].

mod bcrypt_slots;
mod change;
mod claims;
mod error;
mod first_boot;
mod initial;
mod lock_out;
mod login;
mod logout;
mod notorious;
mod oldest;
mod password;
mod password_change;
mod principal;
mod refresh;
mod revocation;
mod state;
mod ticket;
mod token;
mod verified;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;
use zeroize::Zeroizing;

pub use change::{Change, Changed};
pub use error::AuthError;
pub use first_boot::{FirstPassword, InitialiseError};
pub use initial::{GeneratedPassword, NAME as INITIAL_PASSWORD_FILE};
pub use password::{
    MAX_BYTES, MIN_CHARACTERS, WeakPassword, check_length, check_rules, measure_cost,
};
pub use principal::{Principal, Proof};
pub use state::Durable;

use crate::audit::{Audit, Event, EventKind, EventOutcome, Token, User};
use crate::clock::{Clock, Moment, Timestamp};
use crate::entropy::Entropy;
use crate::ids::ClientKey;
use crate::journal::{Journal, PasswordOrigin, Record};
use crate::limits::proven::PROOF_LASTS;
use crate::limits::{AttemptRow, Attempts, Proven};
use bcrypt_slots::BcryptSlots;
use claims::{TokenKind, Verified};
use initial::InitialFile;
use password::Passwords;
use state::{Account, FIRST_GENERATION};
use ticket::Tickets;
use token::Tokens;

/// The settings of this room, as plain values that the configuration has resolved.
pub struct Settings {
    /// The account's name.
    pub user: String,
    /// Signs tokens: 32 bytes or more.
    pub secret_key: Zeroizing<Vec<u8>>,
    /// Accepted for checking only.
    pub secret_key_previous: Option<Zeroizing<Vec<u8>>>,
    /// How long an access token lives.
    pub access_ttl: Duration,
    /// How long after its use a second use of a refresh token is taken for a race, not for theft.
    pub refresh_reuse_grace: Duration,
    /// How long a ticket is good.
    pub ticket_ttl: Duration,
    /// Failed attempts that lock an address out.
    pub max_attempts: u32,
    /// Within this time.
    pub attempts_window: Duration,
    /// Addresses whose failed attempts are counted at a time.
    pub max_attempt_clients: usize,
    /// Unused tickets at a time.
    pub max_tickets: usize,
    /// How many verified access tokens to keep, so that the next request need not read them again. 0: none.
    pub max_cached_tokens: usize,
    /// The cost of new hashes, 4 to 31; measured on the first boot if it is not given.
    pub bcrypt_cost: Option<u32>,
    /// How many threads may run bcrypt at once: 1, or 2 from three cores on.
    pub bcrypt_at_once: usize,
    /// How many more may wait for their turn; the rest are [`AuthError::Busy`].
    pub bcrypt_waiting: usize,
    /// Where `initial-password` is kept.
    pub state_dir: PathBuf,
}

/// A login's tokens. No `Debug`: they are secrets.
#[derive(Clone)]
pub struct TokenPair {
    /// For protected paths.
    pub access_token: String,
    /// For the next pair, once.
    pub refresh_token: String,
    /// How long the access token lives, in seconds.
    pub expires_in: u64,
}

/// What can be said about a Basic credential without waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quick {
    /// It was confirmed a moment ago.
    Known(Principal),
    /// The address is locked out; holds [`AuthError::LockedOut`].
    LockedOut(AuthError),
    /// Only [`Auth::basic`] can tell, and it may block.
    NeedsCheck,
}

/// The facade. Shared by all threads.
pub struct Auth {
    user: Arc<str>,
    settings: Limits,
    durable: Arc<Durable>,
    journal: Arc<Journal>,
    clock: Arc<Clock>,
    entropy: Arc<dyn Entropy>,
    tokens: Tokens,
    passwords: Passwords,
    attempts: Attempts,
    proven: Arc<Proven>,
    tickets: Tickets,
    initial_file: InitialFile,
    /// A password from the configuration that has not been compared with the stored one yet.
    configured: Mutex<Option<Zeroizing<String>>>,
    /// The latest `iat`, in seconds, of any token without a generation that was let in.
    newest_foreign: AtomicU64,
    /// When the wall clock was last seen to have been set, and what it said.
    clock_seen: Mutex<(Moment, Timestamp)>,
    /// Held while a new password is committed, so that one change at a time sees the generation it replaces.
    changing: Mutex<()>,
    /// Held while the oldest sessions are ended. The last second in which none was old enough.
    ending_oldest: Mutex<Option<u64>>,
    /// Held while a lock-out begins, is lifted or is corrected, so that the journal gets these in memory's order.
    locking_out: Mutex<()>,
    audit: Option<Arc<Audit>>,
    on_end: OnEnd,
}

/// Called, with no lock held, after anything that may have ended logins, such as a new time of the clock. Whoever
/// serves a long-lived stream then asks [`Auth::time_left`] again.
pub type OnEnd = Box<dyn Fn() + Send + Sync>;

/// Those settings that are looked at again and again.
struct Limits {
    access_ttl: Duration,
    refresh_reuse_grace: Duration,
    bcrypt_cost: Option<u32>,
    longest: Duration,
}

impl Auth {
    /// Builds the facade over tables that the journal has replayed. Lock-outs from before the restart are in force at
    /// once. What happens is recorded in `audit`, if there is one. Call [`Auth::initialise`] before the first request.
    #[must_use]
    pub fn new(
        settings: Settings,
        durable: Arc<Durable>,
        journal: Arc<Journal>,
        clock: Arc<Clock>,
        entropy: Arc<dyn Entropy>,
        audit: Option<Arc<Audit>>,
        on_end: OnEnd,
    ) -> Self {
        // Shortened meanwhile or not: tokens of the longer kind may still be about, and count again once it is longer.
        let longest = whole_seconds_up(settings.access_ttl.max(REFRESH_TTL)).max(durable.longest());
        let (proven, now) = (Arc::new(Proven::default()), clock.now());
        for (client, account, until) in durable.proofs() {
            let remaining = until.saturating_since(now);
            if !remaining.is_zero() {
                proven.restore(client, &account, remaining, clock.monotonic());
            }
        }
        let attempts = Attempts::new(
            settings.max_attempts,
            settings.attempts_window,
            settings.max_attempt_clients,
            Arc::clone(&proven),
        );
        let clock_seen = (clock.monotonic(), clock.wall());
        for (client, until) in durable.lock_outs() {
            let remaining = until.saturating_since(now);
            if !remaining.is_zero() {
                attempts.restore(client, remaining, clock.monotonic());
            }
        }
        Self {
            tokens: Tokens::new(
                settings.user.clone(),
                &settings.secret_key,
                settings
                    .secret_key_previous
                    .as_ref()
                    .map(|key| key.as_slice()),
                longest,
                settings.max_cached_tokens,
                Arc::clone(&entropy),
            ),
            passwords: Passwords::new(
                settings.user.clone(),
                Arc::clone(&durable),
                Arc::clone(&clock),
                Arc::clone(&entropy),
                BcryptSlots::new(settings.bcrypt_at_once, settings.bcrypt_waiting),
            ),
            attempts,
            proven,
            tickets: Tickets::new(settings.ticket_ttl, settings.max_tickets),
            initial_file: InitialFile::new(settings.state_dir),
            settings: Limits {
                access_ttl: settings.access_ttl,
                refresh_reuse_grace: settings.refresh_reuse_grace,
                bcrypt_cost: settings.bcrypt_cost,
                longest,
            },
            user: settings.user.into(),
            durable,
            journal,
            clock,
            entropy,
            configured: Mutex::default(),
            newest_foreign: AtomicU64::new(0),
            clock_seen: Mutex::new(clock_seen),
            changing: Mutex::default(),
            ending_oldest: Mutex::default(),
            locking_out: Mutex::default(),
            audit,
            on_end,
        }
    }

    /// A ticket for the log stream, that stands for `principal`. Cheap.
    pub fn issue_ticket(&self, principal: &Principal) -> String {
        let now = self.clock.monotonic();
        self.tickets.issue(principal, now, self.entropy.as_ref())
    }

    /// Whose ticket it is. Does not use it up. Cheap.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`]: malformed, expired, used, or its login has ended.
    pub fn peek_ticket(&self, ticket: &str) -> Result<Principal, AuthError> {
        self.living(self.tickets.peek(ticket, self.clock.monotonic()))
    }

    /// Whose ticket it is, and uses it up. Cheap.
    ///
    /// # Errors
    /// As [`Auth::peek_ticket`].
    pub fn redeem_ticket(&self, ticket: &str) -> Result<Principal, AuthError> {
        self.living(self.tickets.redeem(ticket, self.clock.monotonic()))
    }

    /// The addresses that have shown a good credential of late.
    pub const fn proven(&self) -> &Arc<Proven> {
        &self.proven
    }

    /// Notes that the client has shown a good credential of `user`; does nothing for the local socket. Whatever accepts
    /// a credential and knows the client calls this, as login, refresh and Basic do here. Cheap.
    pub fn prove(&self, client: Option<ClientKey>, user: &Arc<str>) {
        let now = self.clock.monotonic();
        let Some(client) = client.filter(|client| self.proven.note(*client, user, now)) else {
            return;
        };
        let until = self.clock.now() + PROOF_LASTS;
        let account = user.as_ref().to_owned();
        // What fails is written by the housekeeper, as what lasts longer meanwhile is.
        self.keep_up(vec![Record::Proven {
            client,
            until,
            account,
        }]);
    }

    /// Every address with failed attempts in the window.
    pub fn lockouts(&self) -> Vec<AttemptRow> {
        self.attempts.list(self.clock.monotonic())
    }

    /// Corrects what a change of the clock has made wrong. The housekeeper calls it every few seconds.
    pub fn heed_clock(&self) {
        self.follow_clock_back();
        self.reconcile_lock_outs();
        self.reconcile_proofs();
        self.heed_set_clock();
    }

    /// Forgets what is over. For the housekeeper, each minute or so, before the journal's tick.
    pub fn tick(&self) {
        self.heed_clock();
        self.durable.sweep(self.clock.now());
        let now = self.clock.monotonic();
        self.attempts.sweep(now);
        self.proven.sweep(now);
        self.tickets
            .sweep(now, |principal| self.is_alive(principal));
        self.passwords.sweep();
    }

    /// Whether there is no room to remember another used refresh token, or even another log-out.
    pub fn is_full(&self) -> bool {
        self.durable.revocations.is_full()
    }

    /// How many revocations and used refresh tokens are remembered.
    pub fn revocations(&self) -> usize {
        self.durable.revocations()
    }

    /// How often bcrypt was run.
    pub fn bcrypt_runs(&self) -> u64 {
        self.passwords.runs()
    }

    /// Whether bcrypt is being run.
    pub fn is_computing(&self) -> bool {
        self.passwords.is_computing()
    }

    /// Waiting for a token's end goes by the monotonic clock. If the wall clock was set, or has slowly drifted from it,
    /// that end comes sooner or later than was computed.
    fn heed_set_clock(&self) {
        let (at, wall) = (self.clock.monotonic(), self.clock.wall());
        let mut seen = self.clock_seen.lock();
        let expected = seen.1 + at.saturating_since(seen.0);
        if wall
            .saturating_since(expected)
            .max(expected.saturating_since(wall))
            < WORTH_A_LOOK
        {
            return;
        }
        *seen = (at, wall);
        drop(seen);
        self.logins_ended();
    }

    /// Has it recorded, where there is a record.
    fn audit(&self, happened: EventKind, event: &Event<'_>) {
        if let Some(audit) = &self.audit {
            audit.record(happened, event);
        }
    }

    /// Records an event of the account, caused by `client`; `None` is the local socket.
    fn event(&self, client: Option<ClientKey>, outcome: EventOutcome) -> Event<'_> {
        Event {
            origin: client.into(),
            user: User::Account(&self.user),
            outcome,
            ..Event::default()
        }
    }

    /// After something that ended logins.
    fn logins_ended(&self) {
        let now = self.clock.monotonic();
        self.tickets
            .sweep(now, |principal| self.is_alive(principal));
        (self.on_end)();
    }
}

fn whole_seconds_up(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}

/// How much the wall clock may drift before expiries are looked at again.
const WORTH_A_LOOK: Duration = Duration::from_secs(1);

/// How long a refresh token lives.
pub const REFRESH_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[cfg(test)]
mod tests;

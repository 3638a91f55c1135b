//! Passwords: what makes a good one, and whether a presented one is right.
//!
//! bcrypt is run as seldom as possible: the same credential in flight is checked once, and one that was just confirmed is
//! recognised for a few minutes by its HMAC under a key that only this process knows. A refusal always costs one run,
//! whether it was the user or the password that was wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use ring::hmac;
use zeroize::Zeroizing;

use super::bcrypt_slots::{BcryptSlots, Busy};
use super::notorious::is_notorious;
use super::state::Durable;
use crate::clock::{Clock, Moment, TimeSource};
use crate::entropy::Entropy;

/// Why a new password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Under [`MIN_CHARACTERS`].
    #[error("the password is too short: it needs at least 8 characters")]
    TooShort,
    /// Over [`MAX_BYTES`].
    #[error("the password is too long: bcrypt reads no more than 72 bytes")]
    TooLong,
    /// It contains NUL, where bcrypt takes a password to end.
    #[error("the password must not contain a NUL character")]
    Nul,
    /// It is the current one.
    #[error("the new password is the current one")]
    Unchanged,
    /// It is the user's name.
    #[error("the password is the user's name")]
    UserName,
    /// It is on the list of those that are tried first.
    #[error("the password is one of the first that anybody would guess")]
    Notorious,
}

/// Checks whether bcrypt takes a new password whole, and whether it is long enough.
///
/// # Errors
/// [`WeakPassword::Nul`], [`WeakPassword::TooShort`], [`WeakPassword::TooLong`].
pub fn check_length(password: &str) -> Result<(), WeakPassword> {
    if password.contains('\0') {
        return Err(WeakPassword::Nul);
    }
    if password.chars().count() < MIN_CHARACTERS {
        return Err(WeakPassword::TooShort);
    }
    if password.len() > MAX_BYTES {
        return Err(WeakPassword::TooLong);
    }
    Ok(())
}

/// Checks a new password against every rule but that it is not the current one.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_rules(user: &str, password: &str) -> Result<(), WeakPassword> {
    check_length(password)?;
    if password.to_lowercase() == user.to_lowercase() {
        return Err(WeakPassword::UserName);
    }
    if is_notorious(password) {
        return Err(WeakPassword::Notorious);
    }
    Ok(())
}

/// Checks presented passwords against the account's.
pub(super) struct Passwords {
    user: String,
    durable: Arc<Durable>,
    clock: Arc<Clock>,
    entropy: Arc<dyn Entropy>,
    slots: BcryptSlots,
    /// For credentials in memory. Random, and gone with the process.
    key: hmac::Key,
    /// The one user with the one password: only one credential can be right.
    confirmed: Mutex<Option<Confirmed>>,
    /// By credential. As many as there are threads that wait, at most.
    flights: Mutex<HashMap<[u8; 32], Arc<RunningCheck>>>,
    runs: AtomicU64,
}

/// A credential that bcrypt has confirmed.
struct Confirmed {
    tag: hmac::Tag,
    until: Moment,
}

/// A check under way, which others with the same credential wait for.
#[derive(Default)]
struct RunningCheck {
    outcome: Mutex<Option<CheckOutcome>>,
    landed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CheckOutcome {
    Right,
    Wrong,
    Busy,
}

/// Why a password was not found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckError {
    Wrong,
    Busy,
}

impl Passwords {
    pub fn new(
        user: String,
        durable: Arc<Durable>,
        clock: Arc<Clock>,
        entropy: Arc<dyn Entropy>,
        slots: BcryptSlots,
    ) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut());
        Self {
            user,
            durable,
            clock,
            entropy,
            slots,
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
            confirmed: Mutex::default(),
            flights: Mutex::default(),
            runs: AtomicU64::new(0),
        }
    }

    /// The generation of the password that was just confirmed to be this one, if it was. Cheap.
    pub fn known(&self, user: &str, password: &str) -> Option<u32> {
        let generation = self.durable.generation();
        self.is_confirmed(&message(user, password, generation))
            .then_some(generation)
    }

    /// Checks a credential. May block for some runs of bcrypt. Gives the generation of the password it was checked
    /// against, which need not be the current one any more.
    pub fn check(&self, user: &str, password: &str) -> Result<u32, CheckError> {
        let account = self.durable.account().ok_or(CheckError::Wrong)?;
        let message = message(user, password, account.generation);
        let tag = hmac::sign(&self.key, &message);
        let mut credential = [0; 32];
        credential.copy_from_slice(tag.as_ref());

        let mut flights = self.flights.lock();
        // Under the lock: a check that has landed has left its result here before it left the table.
        if self.is_confirmed(&message) {
            return Ok(account.generation);
        }
        let outcome = if let Some(flight) = flights.get(&credential).cloned() {
            drop(flights);
            flight.wait()
        } else {
            let flight = Arc::new(RunningCheck::default());
            flights.insert(credential, Arc::clone(&flight));
            drop(flights);
            let mut landing = CheckGuard {
                passwords: self,
                credential,
                flight,
                outcome: CheckOutcome::Busy,
            };
            landing.outcome = self.run(user, password, &account.hash);
            if landing.outcome == CheckOutcome::Right {
                *self.confirmed.lock() = Some(Confirmed {
                    tag,
                    until: self.clock.monotonic() + RECOGNISED_FOR,
                });
            }
            landing.outcome
        };
        match outcome {
            CheckOutcome::Right => Ok(account.generation),
            CheckOutcome::Wrong => Err(CheckError::Wrong),
            CheckOutcome::Busy => Err(CheckError::Busy),
        }
    }

    /// Hashes a new password, at `cost` (4 to 31). Blocks for its turn and one run of bcrypt.
    pub fn hash(&self, password: &str, cost: u32) -> Result<String, Busy> {
        let _slot = self.slots.enter()?;
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        self.runs.fetch_add(1, Ordering::Relaxed);
        // Its one error is a cost that is out of range, which the clamp rules out.
        bcrypt::hash_with_salt(password, cost.clamp(MIN_COST, MAX_COST), salt)
            .map(|parts| parts.to_string())
            .map_err(|_| Busy)
    }

    /// Whether bcrypt is being run.
    pub fn is_computing(&self) -> bool {
        self.slots.is_taken()
    }

    /// Forgets the credential that was confirmed.
    pub fn forget(&self) {
        *self.confirmed.lock() = None;
    }

    /// Forgets it if its time is over. For the housekeeper.
    pub fn sweep(&self) {
        let now = self.clock.monotonic();
        self.confirmed.lock().take_if(|known| known.until <= now);
    }

    /// How often bcrypt was run.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    fn is_confirmed(&self, message: &[u8]) -> bool {
        let confirmed = self.confirmed.lock();
        confirmed.as_ref().is_some_and(|known| {
            known.until > self.clock.monotonic()
                && hmac::verify(&self.key, message, known.tag.as_ref()).is_ok()
        })
    }

    /// One run of bcrypt, whoever asks and whatever for.
    fn run(&self, user: &str, password: &str, hash: &str) -> CheckOutcome {
        let Ok(_slot) = self.slots.enter() else {
            return CheckOutcome::Busy;
        };
        self.runs.fetch_add(1, Ordering::Relaxed);
        let matches = bcrypt::verify(password, hash).unwrap_or_else(|_| {
            log::error!("the stored password hash is not bcrypt's");
            false
        });
        // Of a longer password bcrypt would read the beginning only, and one with NULs it takes for another.
        let is_whole = password.len() <= MAX_BYTES && !password.contains('\0');
        let is_user = self.is_user(user);
        if matches & is_whole & is_user {
            CheckOutcome::Right
        } else {
            CheckOutcome::Wrong
        }
    }

    /// In equal time, by way of two tags.
    pub fn is_user(&self, user: &str) -> bool {
        let tag = hmac::sign(&self.key, self.user.as_bytes());
        hmac::verify(&self.key, user.as_bytes(), tag.as_ref()).is_ok()
    }
}

impl RunningCheck {
    fn wait(&self) -> CheckOutcome {
        let mut outcome = self.outcome.lock();
        self.landed.wait_while(&mut outcome, |o| o.is_none());
        outcome.unwrap_or(CheckOutcome::Busy)
    }
}

/// Ends a check on every way out, so that nobody waits for one that is over.
struct CheckGuard<'a> {
    passwords: &'a Passwords,
    credential: [u8; 32],
    flight: Arc<RunningCheck>,
    outcome: CheckOutcome,
}

impl Drop for CheckGuard<'_> {
    fn drop(&mut self) {
        self.passwords.flights.lock().remove(&self.credential);
        *self.flight.outcome.lock() = Some(self.outcome);
        self.flight.landed.notify_all();
    }
}

/// A credential as one string of bytes, no two alike.
fn message(user: &str, password: &str, generation: u32) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(Vec::with_capacity(12 + user.len() + password.len()));
    message.extend_from_slice(&generation.to_be_bytes());
    message.extend_from_slice(&(user.len() as u64).to_be_bytes());
    message.extend_from_slice(user.as_bytes());
    message.extend_from_slice(password.as_bytes());
    message
}

/// The bcrypt cost at which this machine takes about a quarter of a second a hash, within 10 to 14. Takes some
/// milliseconds to find out.
pub fn measure_cost(time: &dyn TimeSource) -> u32 {
    let before = time.monotonic();
    let _ = bcrypt::hash_with_salt("how fast is this board?", TRIAL_COST, [0x55; 16]);
    cost_for(time.monotonic().saturating_since(before))
}

/// The cost that comes closest to [`TARGET`], if a run at [`TRIAL_COST`] takes this long. Each step doubles it.
fn cost_for(trial: Duration) -> u32 {
    (MEASURED_MIN..MEASURED_MAX)
        .find(|cost| {
            // Between two steps the geometric mean decides: t·√2 > target, that is 2t² > target².
            let micros = trial.as_micros() << (cost - TRIAL_COST);
            2 * micros * micros > TARGET.as_micros() * TARGET.as_micros()
        })
        .unwrap_or(MEASURED_MAX)
}

/// The least length of a new password, in characters.
pub const MIN_CHARACTERS: usize = 8;

/// The greatest length of a password, in bytes: bcrypt reads no further.
pub const MAX_BYTES: usize = 72;

/// What bcrypt takes.
const MIN_COST: u32 = 4;
const MAX_COST: u32 = 31;

/// The bounds of a measured cost.
const MEASURED_MIN: u32 = 10;
const MEASURED_MAX: u32 = 14;

/// Long enough to measure (5 ms on a PC, 100 ms on a Pi Zero), short enough for a first boot.
const TRIAL_COST: u32 = 7;

/// How long a hash should take.
const TARGET: Duration = Duration::from_millis(250);

/// How long a confirmed credential is recognised without bcrypt.
const RECOGNISED_FOR: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests;

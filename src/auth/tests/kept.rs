//! What is kept of an access token is never a way around whatever ends it: logins, refreshes, log-outs, thefts, new passwords,
//! new keys, a full table, and clocks that pass, leap and are set back come in any order, and after each step every token
//! ever issued is asked for, twice.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::clock::MAX_LEAP;

/// One thing that happens. A number chooses among the tokens or logins that there are.
#[derive(Debug, Clone)]
enum Step {
    Login,
    /// A token of another signer, which names neither generation nor login; issued so many seconds from now.
    Foreign(i64),
    Refresh(usize),
    /// Long after its first use.
    StolenRefresh(usize),
    Logout(usize),
    /// With this token, which goes on.
    NewPassword(usize),
    /// By nobody who has a token.
    Reset,
    Pass(u64),
    /// The system's clock stands this far ahead, and is right again before anybody believes it.
    Leap(u64),
    /// The system's clock is set back by so much, which is not followed.
    Lag(u64),
    /// A start under a clock that turns out to be [`WRONG_BY`] ahead, which is followed back.
    WrongStart,
    /// A start with another key; the old one goes on checking, or not.
    NewKey {
        keeps_previous: bool,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..1000_usize;
    prop_oneof![
        4 => Just(Step::Login),
        4 => which.clone().prop_map(Step::Refresh),
        1 => which.clone().prop_map(Step::StolenRefresh),
        4 => which.clone().prop_map(Step::Logout),
        1 => which.prop_map(Step::NewPassword),
        1 => Just(Step::Reset),
        2 => prop_oneof![Just(0_i64), Just(-60), Just(3600)].prop_map(Step::Foreign),
        1 => prop_oneof![Just(25 * 3600_u64), Just(48 * 3600)].prop_map(Step::Leap),
        1 => prop_oneof![Just(3600_u64), Just(10 * 3600)].prop_map(Step::Lag),
        1 => Just(Step::WrongStart),
        3 => prop_oneof![Just(1_u64), Just(3600), Just(5 * 3600), Just(9 * 3600)].prop_map(Step::Pass),
        1 => any::<bool>().prop_map(|keeps_previous| Step::NewKey { keeps_previous }),
        1 => Just(Step::Restart),
    ]
}

/// An access token and what holds of it.
struct AccessToken {
    text: String,
    login: usize,
    key: u8,
    generation: Option<u32>,
    issued: u64,
    expires: u64,
}

struct Login {
    refresh: RefreshToken,
    used: Option<RefreshToken>,
    generation: u32,
    has_ended: bool,
}

#[derive(Clone)]
struct RefreshToken {
    text: String,
    key: u8,
    issued: u64,
}

struct Model {
    server: Fixture,
    most_kept: usize,
    password: String,
    passwords: u32,
    generation: u32,
    /// When that began.
    changed: u64,
    spared: Option<usize>,
    /// Tokens of this generation that were issued before then are dead.
    oldest_ended: Option<(u32, u64)>,
    key: u8,
    previous: Option<u8>,
    now: u64,
    wrong_starts: u32,
    /// Since the start: the latest `iat` of a foreign token that was let in.
    newest_foreign: u64,
    logins: Vec<Login>,
    tokens: Vec<AccessToken>,
}

impl Model {
    fn new(most_kept: usize) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let server = Fixture::bare(Durable::with_capacity(ROOM), BEGIN, directory);
        let first = server.auth.initialise(Some(RIGHT), server.time.as_ref());
        assert_eq!(first.unwrap(), FirstPassword::Configured);
        let mut model = Self {
            server,
            most_kept,
            password: RIGHT.to_owned(),
            passwords: 0,
            generation: FIRST_GENERATION,
            changed: BEGIN.as_secs(),
            spared: None,
            oldest_ended: None,
            key: 0,
            previous: None,
            now: BEGIN.as_secs(),
            wrong_starts: 0,
            newest_foreign: 0,
            logins: Vec::new(),
            tokens: Vec::new(),
        };
        model.start();
        model
    }

    /// A start with the keys as they are now.
    fn start(&mut self) {
        // Two starts in one instant would draw the same ids.
        self.take(&Step::Pass(1));
        let key = |number: u8| Zeroizing::new(vec![b'a' + number; 32]);
        let settings = Settings {
            secret_key: key(self.key),
            secret_key_previous: self.previous.map(key),
            max_cached_tokens: self.most_kept,
            ..settings(&self.server.directory)
        };
        self.server = (self.server).restarted_into(Durable::with_capacity(ROOM), settings);
        self.newest_foreign = 0;
    }

    /// Whether a token holds, by a wall clock that says `wall`.
    fn holds(&self, number: usize, wall: u64) -> bool {
        let token = &self.tokens[number];
        let is_of_this_password = match token.generation {
            Some(generation) => generation == self.generation,
            None => self.generation == FIRST_GENERATION || token.issued > self.changed,
        };
        let is_of_the_oldest = self.oldest_ended.is_some_and(|(generation, before)| {
            generation == self.generation && token.issued < before
        });
        !self.logins[token.login].has_ended
            && !is_of_the_oldest
            && token.expires > wall
            && token.issued <= wall + MAX_LEAP.as_secs()
            && (is_of_this_password || self.spared == Some(number))
            && self.is_checked_with(token.key)
    }

    fn is_alive(&self, number: usize) -> bool {
        self.holds(number, self.now)
    }

    fn is_checked_with(&self, key: u8) -> bool {
        key == self.key || self.previous == Some(key)
    }

    /// The tokens that hold, one of them chosen.
    fn chosen(&self, choice: usize) -> Option<usize> {
        let alive: Vec<_> = (0..self.tokens.len())
            .filter(|n| self.is_alive(*n))
            .collect();
        (!alive.is_empty()).then(|| alive[choice % alive.len()])
    }

    /// A pair was issued for this login, or for a new one.
    fn issued(&mut self, login: Option<usize>, pair: TokenPair) {
        let refresh = RefreshToken {
            text: pair.refresh_token,
            key: self.key,
            issued: self.now,
        };
        let number = login.unwrap_or(self.logins.len());
        if let Some(login) = self.logins.get_mut(number) {
            login.used = Some(std::mem::replace(&mut login.refresh, refresh));
        } else {
            self.logins.push(Login {
                refresh,
                used: None,
                generation: self.generation,
                has_ended: false,
            });
        }
        self.tokens.push(AccessToken {
            text: pair.access_token,
            login: number,
            key: self.key,
            generation: Some(self.generation),
            issued: self.now,
            expires: self.now + LIFETIME,
        });
    }

    fn foreign(&mut self, from_now: i64) {
        let issued = self.now.saturating_add_signed(from_now);
        let expires = issued + LIFETIME;
        let jti = self.tokens.len();
        let claims = format!(
            r#"{{"sub":"admin","iat":{issued},"exp":{expires},"jti":"{jti}","type":"access"}}"#
        );
        let key = [b'a' + self.key; 32];
        let text = spellings::sign_with(&key, spellings::HEADER, &claims);
        self.logins.push(Login {
            refresh: RefreshToken {
                text: String::new(),
                key: self.key,
                issued,
            },
            used: None,
            generation: self.generation,
            has_ended: false,
        });
        self.tokens.push(AccessToken {
            text,
            login: self.logins.len() - 1,
            key: self.key,
            generation: None,
            issued,
            expires,
        });
    }

    /// What a full table made of the oldest sessions, as the journal has it.
    fn take_over_mark(&mut self) {
        // Behind whatever nobody waits for: the mark of a logout that was refused all the same.
        self.server.auth.journal.tick();
        let records = self.server.journalled.records.lock();
        let marks = records.iter().filter_map(|record| match record {
            Record::SessionsEnded { generation, before } => Some((*generation, before.as_secs())),
            _ => None,
        });
        let newest = marks.max();
        drop(records);
        assert!(newest.is_none_or(|(_, before)| before <= self.now || self.wrong_starts > 0));
        self.oldest_ended = newest;
    }

    fn log_out(&mut self, choice: usize) {
        let Some(number) = self.chosen(choice) else {
            return;
        };
        let principal = self.server.auth.bearer(&self.tokens[number].text).unwrap();
        match self.server.auth.logout(&principal) {
            Ok(()) => self.logins[self.tokens[number].login].has_ended = true,
            // Nothing has ended, also of a foreign token, of which two things are entered.
            Err(error) => assert_eq!(error, AuthError::Full),
        }
        self.take_over_mark();
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Login => {
                let pair = self.server.auth.login(CLIENT, "admin", &self.password);
                self.issued(None, pair.unwrap());
            }
            Step::Foreign(from_now) => self.foreign(from_now),
            Step::Refresh(choice) if !self.logins.is_empty() => {
                let number = choice % self.logins.len();
                let login = &self.logins[number];
                if let Ok(pair) = self.server.auth.refresh(&login.refresh.text) {
                    assert!(!login.has_ended && login.generation == self.generation);
                    self.issued(Some(number), pair);
                }
            }
            Step::StolenRefresh(choice) if !self.logins.is_empty() => {
                self.take(&Step::Pass(60));
                let number = choice % self.logins.len();
                let Some(used) = self.logins[number].used.clone() else {
                    return;
                };
                // Of an old password's or key's, of an old age or one of the oldest, nothing follows.
                let is_ended = self.oldest_ended.is_some_and(|(generation, before)| {
                    generation == self.generation && used.issued < before
                });
                let counts = self.logins[number].generation == self.generation
                    && used.issued + REFRESH_TTL.as_secs() > self.now
                    && self.is_checked_with(used.key)
                    && !is_ended;
                let refused = refusal(self.server.auth.refresh(&used.text));
                assert!(refused.is_some());
                if counts && refused != Some(AuthError::Full) {
                    self.logins[number].has_ended = true;
                }
            }
            Step::Logout(choice) => self.log_out(choice),
            Step::NewPassword(choice) => {
                let Some(number) = self.chosen(choice) else {
                    return;
                };
                let principal = self.server.auth.bearer(&self.tokens[number].text).unwrap();
                let (old, new) = self.next_password();
                let changed = self
                    .server
                    .auth
                    .change_password(CLIENT, &principal, &old, &new);
                changed.unwrap();
                self.spared = Some(number);
                self.superseded();
            }
            Step::Reset => {
                let (_, new) = self.next_password();
                self.server.auth.reset_password(&new).unwrap();
                self.spared = None;
                self.superseded();
            }
            Step::Pass(seconds) => {
                self.server.pass(seconds);
                self.now += seconds;
            }
            Step::Leap(seconds) => {
                let ahead = self.now + seconds;
                self.set_system(ahead);
                self.check_by(ahead, step);
                self.set_system(self.now);
            }
            Step::Lag(seconds) => self.set_system(self.now - seconds),
            Step::WrongStart if self.wrong_starts < MOST_WRONG_STARTS => {
                self.wrong_starts += 1;
                self.start();
                self.check(step);
                self.now -= WRONG_BY;
                self.set_system(self.now);
                self.server.auth.heed_clock();
                assert_eq!(self.server.auth.clock.now().as_secs(), self.now);
                self.generation += 1;
                self.changed = self.now;
                self.spared = None;
            }
            Step::NewKey { keeps_previous } if self.key < 20 => {
                self.previous = keeps_previous.then_some(self.key);
                self.key += 1;
                self.start();
            }
            Step::Restart => self.start(),
            _ => {}
        }
    }

    fn set_system(&self, seconds: u64) {
        self.server.time.set_system(Timestamp::from_secs(seconds));
    }

    /// A new password holds from now on, or from the latest time that a foreign token of before says.
    fn superseded(&mut self) {
        self.changed = self.now.max(self.newest_foreign);
    }

    fn next_password(&mut self) -> (String, String) {
        self.passwords += 1;
        self.generation += 1;
        let new = format!("a fine password {}", self.passwords);
        (std::mem::replace(&mut self.password, new.clone()), new)
    }

    fn check(&mut self, after: &Step) {
        self.check_by(self.now, after);
    }

    /// The same, by a wall clock that says `wall`.
    fn check_by(&mut self, wall: u64, after: &Step) {
        for (number, token) in self.tokens.iter().enumerate() {
            let holds = self.holds(number, wall);
            for look in ["first", "second"] {
                let is_let_in = self.server.auth.bearer(&token.text).is_ok();
                assert_eq!(
                    is_let_in, holds,
                    "token {number}, {look} look after {after:?}"
                );
            }
            let padded = format!("{}=", token.text);
            assert!(self.server.auth.bearer(&padded).is_err());
            if holds && token.generation.is_none() {
                self.newest_foreign = self.newest_foreign.max(token.issued);
            }
        }
        for login in &self.logins {
            for _ in 0..2 {
                assert!(self.server.auth.bearer(&login.refresh.text).is_err());
            }
        }
    }
}

/// Revocations that there is room for: few, so that the oldest sessions end.
const ROOM: usize = 3;

/// Of an access token, in seconds.
const LIFETIME: u64 = 8 * 3600;

/// Far enough behind the first release for all wrong starts.
const BEGIN: Timestamp = Timestamp::from_secs(NOON.as_secs() + 90 * 86_400);

/// Seconds, more than the month from which the clock follows.
const WRONG_BY: u64 = 40 * 86_400;
const MOST_WRONG_STARTS: u32 = 2;

#[test]
fn time_is_asked_of_a_kept_token_too() {
    let entropy = Arc::new(FakeEntropy::new(1));
    let week = Duration::from_secs(7 * 86_400);
    let tokens = Tokens::new("admin".into(), KEY, None, week, 16, entropy);
    let noon = NOON.as_secs();
    let (nbf, exp) = (noon - 60, noon + 60);
    let claims = format!(
        r#"{{"sub":"admin","nbf":{nbf},"exp":{exp},"iat":{noon},"jti":"abc","type":"access"}}"#
    );
    let token = spellings::sign(spellings::HEADER, &claims);
    let is_good = |kind, at| {
        tokens
            .verify(&token, kind, Timestamp::from_secs(at))
            .is_ok()
    };
    for (at, expected) in [
        (noon, true),
        (nbf, true),
        (nbf - 1, false),
        (exp - 1, true),
        (exp, false),
        (noon - 40 * 86_400, false),
        (noon, true),
    ] {
        assert_eq!(is_good(TokenKind::Access, at), expected, "at {at}");
    }
    assert!(!is_good(TokenKind::Refresh, noon));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_kept_outlives_what_it_stands_for(
        most_kept in prop_oneof![Just(0_usize), Just(1), Just(2), Just(1024)],
        steps in vec(step(), 1..40),
    ) {
        let mut model = Model::new(most_kept);
        for step in &steps {
            model.take(step);
            model.check(step);
        }
    }
}

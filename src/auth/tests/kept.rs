//! What is kept of an access token is never a way around whatever ends it: logins, refreshes, log-outs, thefts, new passwords,
//! new keys and time pass by in any order, and after each step every token ever issued is asked for, twice.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// One thing that happens. A number chooses among the tokens or logins that there are.
#[derive(Debug, Clone)]
enum Step {
    Login,
    Refresh(usize),
    /// Long after its first use.
    StolenRefresh(usize),
    Logout(usize),
    /// With this token, which goes on.
    NewPassword(usize),
    /// By nobody who has a token.
    Reset,
    Pass(u64),
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
        3 => which.clone().prop_map(Step::Logout),
        1 => which.prop_map(Step::NewPassword),
        1 => Just(Step::Reset),
        3 => prop_oneof![Just(1_u64), Just(3600), Just(5 * 3600), Just(9 * 3600)].prop_map(Step::Pass),
        1 => any::<bool>().prop_map(|keeps_previous| Step::NewKey { keeps_previous }),
        1 => Just(Step::Restart),
    ]
}

/// An access token and what holds of it.
struct Issued {
    text: String,
    login: usize,
    key: u8,
    generation: u32,
    expires: u64,
}

struct Login {
    refresh: String,
    used: Option<String>,
    generation: u32,
    key: u8,
    begun: u64,
    has_ended: bool,
}

struct Model {
    server: Fixture,
    most_kept: usize,
    password: String,
    passwords: u32,
    generation: u32,
    spared: Option<usize>,
    key: u8,
    previous: Option<u8>,
    now: u64,
    logins: Vec<Login>,
    tokens: Vec<Issued>,
}

impl Model {
    fn new(most_kept: usize) -> Self {
        let mut model = Self {
            server: Fixture::new(),
            most_kept,
            password: RIGHT.to_owned(),
            passwords: 0,
            generation: FIRST_GENERATION,
            spared: None,
            key: 0,
            previous: None,
            now: NOON.as_secs(),
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
        self.server = self.server.restarted_with(Settings {
            secret_key: key(self.key),
            secret_key_previous: self.previous.map(key),
            max_cached_tokens: self.most_kept,
            ..settings(&self.server.directory)
        });
    }

    fn is_alive(&self, number: usize) -> bool {
        let token = &self.tokens[number];
        !self.logins[token.login].has_ended
            && token.expires > self.now
            && (token.generation == self.generation || self.spared == Some(number))
            && (token.key == self.key || self.previous == Some(token.key))
    }

    /// The tokens that hold, one of them chosen.
    fn chosen(&self, choice: usize) -> Option<usize> {
        let alive: Vec<_> = (0..self.tokens.len())
            .filter(|n| self.is_alive(*n))
            .collect();
        (!alive.is_empty()).then(|| alive[choice % alive.len()])
    }

    fn issued(&mut self, login: usize, text: String) {
        self.tokens.push(Issued {
            text,
            login,
            key: self.key,
            generation: self.generation,
            expires: self.now + 8 * 3600,
        });
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Login => {
                let pair = self.server.auth.login(CLIENT, "admin", &self.password);
                let pair = pair.unwrap();
                self.logins.push(Login {
                    refresh: pair.refresh_token,
                    used: None,
                    generation: self.generation,
                    key: self.key,
                    begun: self.now,
                    has_ended: false,
                });
                self.issued(self.logins.len() - 1, pair.access_token);
            }
            Step::Refresh(choice) if !self.logins.is_empty() => {
                let number = choice % self.logins.len();
                let login = &mut self.logins[number];
                if let Ok(pair) = self.server.auth.refresh(&login.refresh) {
                    assert!(!login.has_ended && login.generation == self.generation);
                    login.used = Some(std::mem::replace(&mut login.refresh, pair.refresh_token));
                    (login.key, login.begun) = (self.key, self.now);
                    self.issued(number, pair.access_token);
                }
            }
            Step::StolenRefresh(choice) if !self.logins.is_empty() => {
                self.take(&Step::Pass(60));
                let number = choice % self.logins.len();
                let login = &mut self.logins[number];
                // Of an old password's or key's, or of an old age, nothing follows.
                let counts = login.generation == self.generation && login.begun + 86_400 > self.now;
                if let Some(used) = login
                    .used
                    .clone()
                    .filter(|_| counts && self.previous.is_none() && login.key == self.key)
                {
                    assert!(self.server.auth.refresh(&used).is_err());
                    login.has_ended = true;
                }
            }
            Step::Logout(choice) => {
                let Some(number) = self.chosen(choice) else {
                    return;
                };
                let session = self.server.auth.bearer(&self.tokens[number].text).unwrap();
                self.server.auth.logout(&session).unwrap();
                self.logins[self.tokens[number].login].has_ended = true;
            }
            Step::NewPassword(choice) => {
                let Some(number) = self.chosen(choice) else {
                    return;
                };
                let session = self.server.auth.bearer(&self.tokens[number].text).unwrap();
                let (old, new) = self.next_password();
                let changed = self
                    .server
                    .auth
                    .change_password(CLIENT, &session, &old, &new);
                changed.unwrap();
                self.spared = Some(number);
            }
            Step::Reset => {
                let (_, new) = self.next_password();
                self.server.auth.reset_password(&new).unwrap();
                self.spared = None;
            }
            Step::Pass(seconds) => {
                self.server.pass(seconds);
                self.now += seconds;
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

    fn next_password(&mut self) -> (String, String) {
        self.passwords += 1;
        self.generation += 1;
        let new = format!("a fine password {}", self.passwords);
        (std::mem::replace(&mut self.password, new.clone()), new)
    }

    fn check(&self, after: &Step) {
        for (number, token) in self.tokens.iter().enumerate() {
            for look in ["first", "second"] {
                let is_let_in = self.server.auth.bearer(&token.text).is_ok();
                assert_eq!(
                    is_let_in,
                    self.is_alive(number),
                    "token {number}, {look} look after {after:?}"
                );
            }
            assert!(
                self.server
                    .auth
                    .bearer(&format!("{}=", token.text))
                    .is_err()
            );
        }
        for login in &self.logins {
            for _ in 0..2 {
                assert!(self.server.auth.bearer(&login.refresh).is_err());
            }
        }
    }
}

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
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

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

//! A log-out that finds the table of revocations full: the oldest sessions make room, and nothing that was dead lives again.

use super::durability::Board;
use super::spellings::{HEADER, sign};
use super::*;
use crate::ids::Id;

const ROOM: usize = 16;

fn small() -> Fixture {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let fixture = Fixture::bare(Durable::with_capacity(ROOM), NOON, directory);
    let first = fixture.auth.initialise(Some(RIGHT), fixture.time.as_ref());
    assert_eq!(first.unwrap(), FirstPassword::Configured);
    fixture
}

impl Fixture {
    fn log_out(&self, pair: &TokenPair) -> Result<(), AuthError> {
        let principal = self.auth.bearer(&pair.access_token).unwrap();
        self.auth.logout(&principal)
    }

    /// A login in each second, and its end.
    fn filled(&self) -> Vec<TokenPair> {
        let filled = (self.durable.revocations()..ROOM).map(|_| {
            let pair = self.login();
            self.log_out(&pair).unwrap();
            self.pass(1);
            pair
        });
        filled.collect()
    }

    fn is_dead(&self, pair: &TokenPair) -> bool {
        let refreshed = self.auth.refresh(&pair.refresh_token);
        !self.is_good(pair) && refusal(refreshed) == Some(AuthError::InvalidToken)
    }

    /// As [`Fixture::restarted`], after a change of the password, which a replay takes for less than it was.
    fn rebooted(&self) -> Self {
        let durable = Durable::with_capacity(ROOM);
        for record in &*self.journalled.records.lock() {
            durable.apply(record);
        }
        let now = self.auth.clock.now();
        Self::bare(durable, now, self.directory.clone())
    }

    fn marks(&self) -> usize {
        let records = self.journalled.records.lock();
        let is_mark = |record: &&Record| matches!(record, Record::SessionsEnded { .. });
        records.iter().filter(is_mark).count()
    }
}

#[test]
fn a_logout_in_a_full_table_ends_the_oldest_sessions_and_revives_nobody() {
    let f = small();
    let idle = f.login();
    let first = f.login();
    let refreshed = f.auth.refresh(&first.refresh_token).unwrap();
    f.pass(1);
    let mut ended = f.filled();
    let living = f.login();
    assert_eq!(f.marks(), 0);
    // Many times over: the table turns over, and all that was ended stays so.
    for _ in 0..3 * ROOM {
        f.pass(1);
        let pair = f.login();
        f.log_out(&pair).unwrap();
        assert!(f.durable.revocations() <= ROOM);
        ended.push(pair);
    }
    // Each takes the oldest eighth, which is room for two.
    assert!((20..=30).contains(&f.marks()), "{}", f.marks());
    let newest = f.login();
    for f in [&f, &f.restarted()] {
        assert!(ended.iter().all(|pair| f.is_dead(pair)));
        assert!(
            [&idle, &first, &refreshed, &living]
                .into_iter()
                .all(|pair| f.is_dead(pair))
        );
        assert!(f.is_good(&newest));
    }
}

#[test]
fn a_logout_in_a_full_table_ends_no_more_than_it_must() {
    let f = small();
    f.filled();
    let living = f.login();
    let last = f.login();
    f.log_out(&last).unwrap();
    assert_eq!((f.marks(), f.durable.revocations()), (1, ROOM - 2 + 1));
    f.log_out(&f.login()).unwrap();
    assert_eq!((f.marks(), f.durable.revocations()), (1, ROOM));
    for f in [&f, &f.restarted()] {
        assert!(f.is_good(&living) && f.is_dead(&last));
    }
    // A refresh ends nobody.
    let refused = f.auth.refresh(&living.refresh_token);
    assert_eq!(refusal(refused), Some(AuthError::Full));
    assert_eq!(f.marks(), 1);
}

#[test]
fn a_logout_is_refused_where_nothing_in_the_full_table_is_old_enough() {
    let f = small();
    let (pair, idle) = (f.login(), f.login());
    // Of this very second.
    for _ in 0..ROOM {
        f.log_out(&f.login()).unwrap();
    }
    for _ in 0..3 {
        assert_eq!(f.log_out(&pair), Err(AuthError::Full));
    }
    assert!(f.is_good(&pair) && f.is_good(&idle));
    assert_eq!(f.marks(), 0);
    f.pass(1);
    f.log_out(&pair).unwrap();
    assert!(f.is_dead(&pair) && f.is_dead(&idle));
    assert_eq!(f.durable.revocations(), 1);

    // Nobody knows when foreign tokens were issued that were revoked one by one.
    let f = small();
    let (pair, expires) = (f.login(), NOON + REFRESH_TTL);
    for n in 0..16 {
        let id = Id([n; 16]);
        f.durable.apply(&Record::TokenRevoked { id, expires });
    }
    f.pass(60);
    assert_eq!(f.log_out(&pair), Err(AuthError::Full));
    assert!(f.is_good(&pair));
}

#[test]
fn a_foreign_token_stays_dead_though_it_is_of_a_later_time_than_its_end() {
    let f = small();
    let time = NOON.as_secs();
    let foreign = |kind: &str, issued: u64, more: &str| {
        let expires = time + 7200;
        let claims = format!(
            r#"{{"sub":"admin","type":"{kind}","jti":"{issued}","iat":{issued},"exp":{expires}{more}}}"#
        );
        sign(HEADER, &claims)
    };
    // Its issuer's clock is an hour ahead; it lives for two.
    let access = foreign("access", time + 3600, "");
    let refresh = foreign("refresh", time + 3601, "");
    // One that names a login and a generation is revoked by its login only.
    let named = r#","gen":1,"sid":"0123456789abcdef0123456789abcdef""#;
    let named = foreign("access", time + 3602, named);
    for token in [&access, &named] {
        f.auth.logout(&f.auth.bearer(token).unwrap()).unwrap();
    }
    f.auth.refresh(&refresh).unwrap();
    f.filled();
    let mut last = f.login();
    for _ in 0..ROOM {
        f.log_out(&last).unwrap();
        f.pass(1);
        last = f.login();
    }
    for f in [&f, &f.restarted()] {
        assert!(f.auth.bearer(&access).is_err() && f.auth.bearer(&named).is_err());
        assert!(f.auth.refresh(&refresh).is_err());
    }
}

#[test]
fn a_session_that_a_new_password_spares_can_still_end_with_the_oldest() {
    let f = small();
    f.filled();
    f.log_out(&f.login()).unwrap();
    let (spared, other) = (f.login(), f.login());
    let principal = f.auth.bearer(&spared.access_token).unwrap();
    f.auth
        .change_password(CLIENT, &principal, RIGHT, OTHER)
        .unwrap();
    let login = || f.auth.login(CLIENT, "admin", OTHER).unwrap();
    for f in [&f, &f.rebooted()] {
        assert!(f.is_good(&spared) && f.is_dead(&other));
    }
    f.pass(1);
    f.log_out(&spared).unwrap();
    for _ in 0..2 * ROOM {
        f.pass(1);
        f.log_out(&login()).unwrap();
    }
    let newest = login();
    for f in [&f, &f.rebooted()] {
        assert!(!f.is_good(&spared) && f.is_good(&newest));
    }
}

#[test]
fn no_mark_of_a_time_that_was_taken_back_locks_anybody_out() {
    let wild = NOON + Duration::from_secs(86_400 * 3652);
    let board = Board::first_boot(wild);
    let mark = Record::SessionsEnded {
        generation: 1,
        before: wild,
    };
    board.journal.commit(mark).unwrap();
    board.time.set_system(NOON);
    board.auth.heed_clock();
    let pair = board.auth.login(CLIENT, "admin", RIGHT).unwrap();
    let cut = board.power_cut(NOON, |_| ());
    for board in [&board, &cut] {
        assert_eq!(board.auth.clock.now(), NOON);
        assert!(board.auth.bearer(&pair.access_token).is_ok());
    }
}

#[test]
fn a_compaction_meanwhile_keeps_the_entries_or_what_took_their_place() {
    let first = small();
    let ended = first.filled();
    let now = first.auth.clock.now();
    let records = first.journalled.records.lock().clone();
    for meanwhile in 0..=first.durable.parts() {
        let (durable, compacted) = (Durable::with_capacity(ROOM), Durable::new());
        for record in &records {
            durable.apply(record);
        }
        for part in 0..durable.parts() {
            if part == meanwhile {
                durable.end_sessions(1, now);
                assert_eq!(durable.revocations(), 0);
            }
            durable.live_part(part, now, &mut |record| compacted.apply(record));
        }
        let f = Fixture::bare(compacted, now, first.directory.clone());
        assert!(ended.iter().all(|pair| f.is_dead(pair)), "{meanwhile}");
    }
}

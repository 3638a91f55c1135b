//! Wrong clocks, at boot and while it runs, with the plug pulled at the nastiest moments: what is dead stays dead.

use super::durability::Board;
use super::spellings::{HEADER, sign};
use super::*;
use crate::clock::HOLD;
use crate::journal::storage::Failing;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const IN_1970: Timestamp = Timestamp::from_secs(5);

/// Tokens of each fate.
struct Fates {
    /// Only on a board that lives long enough for it.
    expired: Option<TokenPair>,
    revoked: TokenPair,
    used: TokenPair,
    live: TokenPair,
}

/// A journal just made, and one with marks of eight hours and a file written anew.
fn boards() -> [(Board, Fates); 2] {
    [false, true].map(|marked| {
        let board = Board::first_boot(NOON);
        let mut expired = None;
        if marked {
            expired = Some(board.login());
            run(&board, 8 * 60 + 15);
        }
        let (revoked, used, live) = (board.login(), board.login(), board.login());
        board.logout(&revoked).unwrap();
        board.auth.refresh(&used.refresh_token).unwrap();
        if marked {
            rewrite(&board);
        }
        let fates = Fates {
            expired,
            revoked,
            used,
            live,
        };
        (board, fates)
    })
}

/// Lets minutes pass as the housekeeper does.
fn run(board: &Board, minutes: u32) {
    for _ in 0..minutes {
        board.time.advance(MINUTE);
        board.auth.tick();
        board.journal.tick();
    }
}

/// Has the journal written anew from memory, as a compaction does.
fn rewrite(board: &Board) {
    let before = board.journal.stats().rewrites;
    board.storage.fail(Failing {
        syncs: true,
        ..Failing::default()
    });
    let other = board.login();
    board.logout(&other).unwrap();
    board.storage.fail(Failing::default());
    assert_eq!(board.journal.stats().rewrites, before + 1);
}

impl Fates {
    fn hold(&self, board: &Board) {
        if let Some(expired) = &self.expired {
            assert!(!board.is_good(expired), "expired");
        }
        assert!(!board.is_good(&self.revoked), "revoked");
        for dead in [&self.revoked, &self.used] {
            assert!(board.auth.refresh(&dead.refresh_token).is_err());
        }
    }

    /// The plug is pulled here. Whatever time the board wakes up in, and lives in until somebody tells it the true one,
    /// nothing comes back; and what was live is live again, unless a leap was believed that made it old.
    fn hold_through_a_power_cut(&self, board: &Board, wrong: Timestamp, truth: Timestamp) {
        let outlived = board.auth.clock.now() > truth + DAY / 24;
        for system in [IN_1970, wrong, truth] {
            let cut = board.power_cut(system, |_| ());
            self.hold(&cut);
            run(&cut, 1);
            self.hold(&cut);
            // A second cut finds what the first one found.
            let again = cut.power_cut(system, |_| ());
            self.hold(&again);

            again.time.set_system(truth + MINUTE);
            again.auth.tick();
            self.hold(&again);
            // In 1970 nothing of the leap was in the journal yet, so there is nothing to be taken back.
            let marked_ahead = again.auth.clock.now() > truth + DAY / 24;
            assert!(outlived || !marked_ahead);
            assert_eq!(again.is_good(&self.live), !marked_ahead, "{system} {wrong}");

            run(&cut, 7);
            rewrite(&cut);
            self.hold(&cut);
            self.hold(&cut.power_cut(truth, |_| ()));
        }
    }
}

fn wrong_times(truth: Timestamp) -> [Timestamp; 5] {
    [
        IN_1970,
        truth.saturating_sub(DAY * 3),
        truth + DAY / 2,
        truth + DAY * 365,
        truth + DAY * 3652,
    ]
}

#[test]
fn under_a_wrong_clock_at_boot_what_is_dead_stays_dead() {
    for (board, fates) in &boards() {
        let truth = board.auth.clock.now();
        for wrong in wrong_times(truth) {
            let woken = board.power_cut(wrong, |_| ());
            fates.hold(&woken);
            fates.hold_through_a_power_cut(&woken, wrong, truth);
            // For a minute, and then right.
            run(&woken, 1);
            woken.time.set_system(truth + MINUTE);
            run(&woken, 1);
            fates.hold(&woken);
            fates.hold_through_a_power_cut(&woken, wrong, truth + MINUTE * 2);
            // What is less than a day ahead is believed at once.
            let believed = wrong == truth + DAY / 2;
            assert_eq!(woken.is_good(&fates.live), !believed, "{wrong}");
        }
    }
}

#[test]
fn when_the_clock_jumps_while_it_runs_what_is_dead_stays_dead() {
    for wrong in 0..5 {
        for (board, fates) in &boards() {
            let truth = board.auth.clock.now();
            let wrong = wrong_times(truth)[wrong];
            board.time.set_system(wrong);
            fates.hold(board);
            fates.hold_through_a_power_cut(board, wrong, truth);

            // It stands until the hold is just over.
            run(board, 5);
            fates.hold(board);
            let ends = truth + HOLD;
            fates.hold_through_a_power_cut(board, wrong, ends);
            // Believed and swept by, but not marked yet.
            board.time.advance(MINUTE);
            board.auth.tick();
            fates.hold_through_a_power_cut(board, wrong, ends + MINUTE);
            run(board, 10);
            fates.hold(board);
            fates.hold_through_a_power_cut(board, wrong, ends + MINUTE * 11);
            rewrite(board);
            fates.hold(board);
            fates.hold_through_a_power_cut(board, wrong, ends + MINUTE * 11);
        }
    }
}

#[test]
fn a_leap_that_is_corrected_before_it_has_stood_costs_no_login() {
    for years in [1, 10] {
        for (board, fates) in &boards() {
            let truth = board.auth.clock.now();
            let wrong = truth + DAY * 365 * years;
            board.time.set_system(wrong);
            run(board, 1);
            let ahead = board.login();
            assert!(board.is_good(&ahead) && !board.is_good(&fates.live));
            rewrite(board);
            board.time.set_system(truth + MINUTE);
            run(board, 20);
            fates.hold(board);
            assert!(board.is_good(&fates.live));
            assert!(!board.is_good(&ahead));
            assert!(board.auth.refresh(&ahead.refresh_token).is_err());
            fates.hold_through_a_power_cut(board, wrong, truth + MINUTE * 21);
        }
    }
}

#[test]
fn a_first_boot_under_a_clock_far_ahead_is_set_back_and_its_logins_are_over_for_good() {
    for clean in [true, false] {
        let wild = NOON + DAY * 3652;
        let board = Board::first_boot(wild);
        let (ahead, refreshed) = (board.login(), board.login());
        board.auth.refresh(&refreshed.refresh_token).unwrap();
        run(&board, 1);
        assert!(board.is_good(&ahead));
        board.time.set_system(NOON);
        board.auth.heed_clock();
        assert_eq!(board.auth.clock.now(), NOON);
        assert_eq!(board.auth.clock.state().name(), "followed");
        assert!(!board.is_good(&ahead));

        let now = board.login();
        assert!(board.is_good(&now));
        run(&board, 3);
        if clean {
            board.journal.close();
        }
        // The journal knows nothing of it any more, wherever the board wakes up.
        for system in [IN_1970, NOON + MINUTE * 3] {
            let cut = board.power_cut(system, |_| ());
            assert!(cut.auth.clock.now() <= NOON + MINUTE * 4);
            assert!(cut.is_good(&now));
            assert!(!cut.is_good(&ahead));
            // Nor does that time come again.
            cut.time.set_system(wild);
            run(&cut, 1);
            for pair in [&ahead, &refreshed] {
                assert!(!cut.is_good(pair));
                assert!(cut.auth.refresh(&pair.refresh_token).is_err());
            }
            assert!(cut.auth.basic(None, "admin", RIGHT).is_ok());
        }
    }
}

#[test]
fn a_clock_that_is_set_back_frees_no_foreign_token_that_was_used_or_ended() {
    let wild = NOON + DAY * 3652;
    let board = Board::first_boot(wild);
    let foreign = |kind: &str, jti: &str| {
        let (iat, exp) = (wild.as_secs(), (wild + DAY).as_secs());
        let claims =
            format!(r#"{{"sub":"admin","iat":{iat},"exp":{exp},"jti":"{jti}","type":"{kind}"}}"#);
        sign(HEADER, &claims)
    };
    let (used, ended) = (foreign("refresh", "1"), foreign("access", "2"));
    board.auth.refresh(&used).unwrap();
    let principal = board.auth.bearer(&ended).unwrap();
    board.auth.logout(&principal).unwrap();
    let entries = board.auth.durable.revocations();
    board.time.set_system(NOON);
    board.auth.heed_clock();
    assert_eq!(board.auth.clock.now(), NOON);
    assert_eq!(board.auth.durable.revocations(), entries);

    let cut = board.power_cut(wild, |_| ());
    // That time comes.
    board.time.set_system(wild);
    for board in [&board, &cut] {
        run(board, 1);
        assert!(board.auth.bearer(&foreign("access", "3")).is_ok());
        assert!(board.auth.refresh(&used).is_err());
        assert!(board.auth.bearer(&ended).is_err());
    }
}

#[test]
fn an_idle_hour_writes_six_marks_and_nothing_else() {
    let board = Board::first_boot(NOON);
    let (ended, live) = (board.login(), board.login());
    board.logout(&ended).unwrap();
    // A lock-out of five minutes, and a password that was wrong once.
    for (client, times) in [(NEIGHBOUR, 5), (CLIENT, 1)] {
        for _ in 0..times {
            assert!(board.auth.login(client, "admin", OTHER).is_err());
        }
    }
    let before = board.storage.counts();
    // As the housekeeper goes its rounds: each five seconds, and more of it each minute.
    for round in 1..=3600 / 5 {
        board.time.advance(Duration::from_secs(5));
        board.auth.heed_clock();
        if round % 12 == 0 {
            board.auth.tick();
            board.journal.tick();
        }
    }
    let counts = board.storage.counts();
    let appends = counts.appends - before.appends;
    println!("an idle hour: {appends} writes");
    assert_eq!(appends, 6);
    // A write and a sync for each, and no other call that changes the disk.
    assert_eq!(counts.calls - before.calls, 12);
    assert_eq!(counts.replacements, before.replacements);
    assert!(board.is_good(&live) && !board.is_good(&ended));
}

#[test]
fn a_board_that_is_first_set_to_a_wrong_time_is_set_back_too() {
    let board = Board::first_boot(IN_1970);
    run(&board, 20);
    board.time.set_system(NOON + DAY * 3652);
    run(&board, 1);
    board.time.set_system(NOON);
    run(&board, 1);
    assert!(board.auth.clock.now() < NOON + DAY);
    assert!(board.power_cut(NOON, |_| ()).auth.clock.now() < NOON + DAY);
}

#[test]
fn a_time_that_has_stood_or_was_marked_before_is_never_set_back() {
    let board = Board::first_boot(NOON);
    let pair = board.login();
    run(&board, 6);
    let cut = board.power_cut(NOON + MINUTE * 6, |_| ());
    for board in [&board, &cut] {
        let before = board.auth.clock.now();
        board.time.set_system(NOON.saturating_sub(DAY * 3));
        run(board, 1);
        assert!(board.auth.clock.now() >= before);
        assert_eq!(board.auth.clock.state().name(), "behind");
        assert!(board.is_good(&pair));
    }
    // Nor is it by a clock that cannot be right.
    let fresh = Board::first_boot(NOON);
    fresh.time.set_system(IN_1970);
    run(&fresh, 1);
    assert_eq!(fresh.auth.clock.now(), NOON + MINUTE);
}

#[test]
fn a_failed_journal_keeps_the_clock_where_it_is_until_the_logins_have_ended_for_good() {
    let board = Board::first_boot(NOON + DAY * 3652);
    let pair = board.login();
    board.storage.fail(Failing {
        syncs: true,
        replacements: true,
        ..Failing::default()
    });
    board.time.set_system(NOON);
    board.auth.heed_clock();
    assert!(board.is_good(&pair) && board.auth.clock.now() > NOON + DAY);
    board.storage.fail(Failing::default());
    // Longer than a time is doubted that nothing speaks against.
    run(&board, 7);
    assert!(!board.is_good(&pair) && board.auth.clock.now() < NOON + DAY);
    assert!(board.power_cut(NOON, |_| ()).auth.clock.now() < NOON + DAY);
}

#[test]
fn two_tabs_that_refresh_while_the_clock_is_set_are_no_thieves() {
    let board = Board::first_boot(NOON);
    run(&board, 15);
    let pair = board.login();
    let next = board.auth.refresh(&pair.refresh_token).unwrap();
    board.time.advance(Duration::from_secs(3));
    board.time.set_system(NOON + DAY / 4);
    let again = refusal(board.auth.refresh(&pair.refresh_token));
    assert_eq!(again, Some(AuthError::InvalidToken));
    assert!(board.is_good(&next));
    board.time.advance(Duration::from_secs(8));
    assert!(board.auth.refresh(&pair.refresh_token).is_err());
    assert!(!board.is_good(&next), "theft is theft under any clock");
}

#[test]
fn a_password_changed_under_a_leap_outdates_every_foreign_token_of_before() {
    let board = Board::first_boot(NOON);
    run(&board, 15);
    // The board was off over the weekend, somebody else's clock was not.
    let monday = NOON + DAY * 3;
    let board = board.power_cut(monday, |_| ());
    assert_eq!(board.auth.clock.state().name(), "held");
    let (iat, exp) = (monday.saturating_sub(DAY), monday + DAY);
    let (iat, exp) = (iat.as_secs(), exp.as_secs());
    let sunday = sign(
        HEADER,
        &format!(r#"{{"sub":"admin","iat":{iat},"exp":{exp},"jti":"7","type":"access"}}"#),
    );
    assert!(board.auth.bearer(&sunday).is_ok());
    let local = board.auth.local();
    board
        .auth
        .change_password(None, &local, RIGHT, OTHER)
        .unwrap();
    assert!(board.auth.bearer(&sunday).is_err());
    let cut = board.power_cut(monday, |_| ());
    assert_eq!(cut.auth.clock.state().name(), "held", "no mark by this");
    assert!(cut.auth.bearer(&sunday).is_err());
}

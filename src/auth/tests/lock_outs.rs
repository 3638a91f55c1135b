//! Lock-outs and wrong clocks: they neither vanish nor last for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::durability::Board;
use super::*;
use crate::clock::HOLD;
use crate::journal::storage::Failing;

const DAY: Duration = Duration::from_secs(86_400);
const IN_1970: Timestamp = Timestamp::from_secs(5);

fn lock_out(board: &Board) {
    for _ in 0..5 {
        let wrong = board.auth.basic(CLIENT, "admin", "wrong");
        assert_eq!(wrong, Err(AuthError::BadCredentials));
    }
    assert_eq!(remaining(board), Some(300));
}

/// For how many more seconds the right password is refused.
fn remaining(board: &Board) -> Option<u64> {
    match board.auth.basic(CLIENT, "admin", RIGHT) {
        Err(AuthError::LockedOut { retry_after }) => Some(retry_after),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    }
}

fn pass(board: &Board, secs: u64) {
    board.time.advance(Duration::from_secs(secs));
}

/// As the housekeeper would, and waits for what was submitted.
fn settle(board: &Board) {
    board.auth.heed_clock();
    board.journal.tick();
}

/// Locked out now, at most for a window, and let in after that.
fn ends_within_a_window(board: &Board) {
    let left = remaining(board).expect("a lock-out");
    assert!(left <= 300, "{left}");
    pass(board, left - 1);
    assert!(remaining(board).is_some());
    pass(board, 1);
    assert_eq!(remaining(board), None);
    // And over is over, once the time has been marked.
    for _ in 0..11 {
        pass(board, 60);
        settle(board);
    }
    let now = board.auth.clock.wall();
    assert_eq!(remaining(&board.power_cut(now, |_| ())), None);
}

#[test]
fn a_clock_that_is_set_ends_no_lock_out_and_prolongs_none() {
    let cases = [
        (IN_1970, NOON),
        (NOON, IN_1970),
        (NOON, NOON.saturating_sub(DAY * 3)),
        (NOON, NOON + DAY / 2),
        (NOON, NOON + DAY * 365),
        (NOON, NOON + DAY * 3652),
    ];
    for (begun, set) in cases {
        let board = Board::first_boot(begun);
        lock_out(&board);
        pass(&board, 100);
        board.time.set_system(set);
        settle(&board);
        assert_eq!(remaining(&board), Some(200));
        for system in [IN_1970, begun, set] {
            ends_within_a_window(&board.power_cut(system, |_| ()));
        }
        // Also once the leap is believed, and the time marked.
        let board = Board::first_boot(begun);
        board.time.set_system(set);
        board.auth.tick();
        board
            .time
            .advance(HOLD.saturating_sub(Duration::from_secs(100)));
        lock_out(&board);
        pass(&board, 100);
        board.auth.tick();
        board.journal.tick();
        assert_eq!(remaining(&board), Some(200));
        for system in [IN_1970, begun, set] {
            ends_within_a_window(&board.power_cut(system, |_| ()));
        }
    }
}

#[test]
fn a_lock_out_outlives_a_boot_under_any_clock_once() {
    let board = Board::first_boot(NOON);
    lock_out(&board);
    for system in [
        IN_1970,
        NOON.saturating_sub(DAY * 3),
        NOON,
        NOON + DAY * 365,
        NOON + DAY * 3652,
    ] {
        let cut = board.power_cut(system, |_| ());
        settle(&cut);
        // Woken again and again it is no longer locked out than a window after the last time.
        let again = cut.power_cut(system, |_| ());
        ends_within_a_window(&again);
        // As long as it ran, it counts.
        pass(&cut, 400);
        settle(&cut);
        assert_eq!(remaining(&cut), None);
    }
}

#[test]
fn a_lock_out_begun_before_a_wrong_first_time_was_taken_back_goes_on() {
    let board = Board::first_boot(NOON + DAY * 3652);
    lock_out(&board);
    board.time.set_system(NOON);
    settle(&board);
    assert!(board.auth.clock.now() < NOON + DAY);
    for system in [IN_1970, NOON] {
        ends_within_a_window(&board.power_cut(system, |_| ()));
    }
    // Over, but kept until ten years from now: it must not begin anew with each start.
    pass(&board, 301);
    settle(&board);
    let now = NOON + Duration::from_secs(301);
    assert_eq!(remaining(&board.power_cut(now, |_| ())), None);
}

#[test]
fn a_window_changed_between_two_boots_caps_what_is_restored() {
    let board = Board::first_boot(NOON);
    lock_out(&board);
    let shorter = board.power_cut(NOON, |settings| {
        settings.attempts_window = Duration::from_secs(60);
    });
    assert_eq!(remaining(&shorter), Some(60));
    settle(&shorter);
    // What is kept is as short by then.
    let longer = shorter.power_cut(NOON, |settings| {
        settings.attempts_window = Duration::from_secs(3600);
    });
    let left = remaining(&longer).unwrap();
    assert!((60..=61).contains(&left), "{left}");
    let longer = board.power_cut(NOON, |settings| {
        settings.attempts_window = Duration::from_secs(3600);
    });
    assert_eq!(remaining(&longer), Some(300));
    // Over before anybody saw that too long an end is kept.
    let shortest = board.power_cut(NOON, |settings| {
        settings.attempts_window = Duration::from_secs(1);
    });
    pass(&shortest, 1);
    settle(&shortest);
    assert_eq!(remaining(&shortest.power_cut(NOON, |_| ())), None);
    // Fewer or more attempts are allowed by now: locked out is locked out.
    for max in [1, 50] {
        let other = board.power_cut(NOON, |settings| settings.max_attempts = max);
        assert_eq!(remaining(&other), Some(300));
    }
}

#[test]
fn a_lifting_that_races_the_failure_leaves_memory_and_journal_of_one_mind() {
    let board = Board::first_boot(NOON).power_cut(NOON, |settings| settings.max_attempts = 1);
    for round in 0..300 {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ = board.auth.basic(CLIENT, "admin", "wrong");
                done.store(true, Ordering::Release);
            });
            // With the housekeeper between them, and without.
            if round % 3 == 0 {
                scope.spawn(|| {
                    while !done.load(Ordering::Acquire) {
                        board.auth.heed_clock();
                    }
                });
            }
            // Before, in the very middle of, and after.
            while !done.load(Ordering::Acquire) {
                board.auth.clear_lockout(CLIENT).unwrap();
            }
        });
        board.journal.tick();
        let in_force = !board.auth.lockouts().is_empty();
        let kept = !board.auth.durable.lock_outs().is_empty();
        let cut = board.power_cut(NOON, |_| ());
        let after = !cut.auth.lockouts().is_empty();
        assert_eq!((kept, after), (in_force, in_force), "round {round}");
        board.auth.clear_lockout(CLIENT).unwrap();
    }
}

#[test]
fn while_one_lock_out_is_being_written_another_can_be_neither_begun_nor_lifted_out_of_turn() {
    let board = Board::first_boot(NOON);
    for _ in 0..4 {
        let _ = board.auth.basic(CLIENT, "admin", "wrong");
    }
    board.storage.hold_syncs();
    thread::scope(|scope| {
        scope.spawn(|| board.auth.basic(CLIENT, "admin", "wrong"));
        board.storage.wait_for_held_call();
        assert!(board.auth.locking_out.is_locked());
        // It is in force already, and what only looks waits for nobody.
        let quick = board.auth.basic_quick(CLIENT, "admin", RIGHT);
        assert!(matches!(quick, Quick::LockedOut(_)));
        // Nor does the housekeeper.
        board.auth.reconcile_lock_outs();
        let lifting = scope.spawn(|| board.auth.clear_lockout(CLIENT));
        board.storage.release();
        assert_eq!(lifting.join().unwrap(), Ok(true));
    });
    assert_eq!(remaining(&board), None);
    assert_eq!(remaining(&board.power_cut(NOON, |_| ())), None);
}

#[test]
fn a_lock_out_that_could_not_be_written_is_made_up_for_by_the_next_tick() {
    for leap in [Duration::ZERO, DAY / 2] {
        let board = Board::first_boot(NOON);
        board.storage.fail(Failing {
            syncs: true,
            replacements: true,
            ..Failing::default()
        });
        lock_out(&board);
        // The clock is set while nothing can be written.
        board.time.set_system(NOON + leap);
        pass(&board, 60);
        board.auth.tick();
        board.journal.tick();
        board.storage.fail(Failing::default());
        pass(&board, 60);
        board.auth.tick();
        board.journal.tick();
        let cut = board.power_cut(NOON + leap + Duration::from_secs(120), |_| ());
        let left = remaining(&cut).expect("a lock-out");
        assert!((180..=181).contains(&left), "{left}");
    }
}

#[test]
fn as_long_as_nobody_sets_the_clock_a_lock_out_is_written_once() {
    let board = Board::first_boot(NOON);
    lock_out(&board);
    let before = board.journal.stats().writes;
    for _ in 0..290 {
        pass(&board, 1);
        board.auth.heed_clock();
    }
    board.auth.tick();
    // Whatever was submitted is written before this returns.
    board.journal.tick();
    assert_eq!(board.journal.stats().writes, before);
}

//! Passwords: the limit of failed attempts, how often bcrypt runs, and how the password changes.

use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

#[test]
fn of_fifty_wrong_passwords_at_once_exactly_five_are_tried() {
    let f = Fixture::new();
    let before = f.auth.bcrypt_runs();
    let (tried, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for n in 0..50 {
            let (f, tried, refused) = (&f, &tried, &refused);
            scope.spawn(
                move || match f.auth.basic(CLIENT, "admin", &format!("wrong {n}")) {
                    Err(AuthError::BadCredentials) => tried.fetch_add(1, Ordering::SeqCst),
                    Err(AuthError::LockedOut { retry_after: 300 }) => {
                        refused.fetch_add(1, Ordering::SeqCst)
                    }
                    other => panic!("{other:?}"),
                },
            );
        }
    });
    assert_eq!((tried.into_inner(), refused.into_inner()), (5, 45));
    assert_eq!(f.auth.bcrypt_runs() - before, 5);
}

#[test]
fn thirty_right_passwords_at_once_all_succeed_with_one_run_of_bcrypt() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    // Slow enough that the others come while the first is under way.
    let slow = Settings {
        bcrypt_cost: Some(10),
        ..settings(&directory)
    };
    let f = Fixture::with(slow, Durable::new(), NOON, directory);
    f.auth.initialise(Some(RIGHT), f.time.as_ref()).unwrap();
    let before = f.auth.bcrypt_runs();
    let start = Barrier::new(30);
    thread::scope(|scope| {
        for n in 0..30 {
            let (f, start) = (&f, &start);
            scope.spawn(move || {
                start.wait();
                if n % 2 == 0 {
                    assert!(f.auth.basic(CLIENT, "admin", RIGHT).is_ok());
                } else {
                    assert!(f.auth.login(CLIENT, "admin", RIGHT).is_ok());
                }
            });
        }
    });
    assert_eq!(f.auth.bcrypt_runs() - before, 1);
}

#[test]
fn a_confirmed_password_is_recognised_for_five_minutes_and_only_that_one() {
    let f = Fixture::new();
    assert_eq!(
        f.auth.basic_quick(CLIENT, "admin", RIGHT),
        Quick::NeedsCheck
    );
    let principal = f.auth.basic(CLIENT, "admin", RIGHT).unwrap();
    f.pass(299);
    assert_eq!(
        f.auth.basic_quick(NEIGHBOUR, "admin", RIGHT),
        Quick::Known(principal)
    );
    for (user, password) in [
        ("admin", OTHER),
        ("Admin", RIGHT),
        ("admi", "na fine password"),
    ] {
        assert_eq!(
            f.auth.basic_quick(CLIENT, user, password),
            Quick::NeedsCheck
        );
    }
    f.pass(1);
    assert_eq!(
        f.auth.basic_quick(CLIENT, "admin", RIGHT),
        Quick::NeedsCheck
    );
}

#[test]
fn a_lock_out_refuses_right_passwords_too_but_no_tokens_and_no_neighbours() {
    let f = Fixture::new();
    let pair = f.login();
    let runs = f.auth.bcrypt_runs();
    for _ in 0..5 {
        let wrong = f.auth.login(CLIENT, "admin", "wrong");
        assert_eq!(refusal(wrong), Some(AuthError::BadCredentials));
    }
    let locked = AuthError::LockedOut { retry_after: 300 };
    assert_eq!(
        f.auth.basic_quick(CLIENT, "admin", RIGHT),
        Quick::LockedOut(locked)
    );
    assert_eq!(refusal(f.auth.login(CLIENT, "admin", RIGHT)), Some(locked));
    let principal = f.auth.bearer(&pair.access_token).unwrap();
    let change = f.auth.change_password(CLIENT, &principal, RIGHT, OTHER);
    assert_eq!(refusal(change), Some(locked));
    assert_eq!(f.auth.bcrypt_runs() - runs, 5, "bcrypt is not run");
    assert!(f.auth.basic(NEIGHBOUR, "admin", RIGHT).is_ok());
    assert!(f.auth.refresh(&pair.refresh_token).is_ok());
    assert!(f.auth.basic(None, "admin", RIGHT).is_ok());

    f.pass(200);
    let f = f.restarted();
    let locked = AuthError::LockedOut { retry_after: 100 };
    assert_eq!(refusal(f.auth.login(CLIENT, "admin", RIGHT)), Some(locked));
    assert!(f.auth.lockouts()[0].blocked);
    f.pass(100);
    assert!(f.auth.login(CLIENT, "admin", RIGHT).is_ok());
    f.auth.tick();
    assert!(f.auth.lockouts().is_empty());
}

#[test]
fn a_cleared_lock_out_stays_cleared_after_a_restart() {
    let f = Fixture::new();
    assert_eq!(f.auth.clear_lockout(CLIENT), Ok(false));
    for _ in 0..5 {
        assert!(f.auth.basic(CLIENT, "admin", "wrong").is_err());
    }
    assert_eq!(f.auth.clear_lockout(CLIENT), Ok(true));
    assert_eq!(f.auth.clear_lockout(CLIENT), Ok(false));
    assert!(f.restarted().auth.basic(CLIENT, "admin", RIGHT).is_ok());
    assert!(f.auth.basic(CLIENT, "admin", RIGHT).is_ok());
}

#[test]
fn a_bad_bearer_token_is_no_attempt() {
    let f = Fixture::new();
    for _ in 0..100 {
        assert!(f.auth.bearer("nonsense").is_err());
        assert!(f.auth.refresh("nonsense").is_err());
    }
    assert!(f.auth.lockouts().is_empty());
}

#[test]
fn an_unknown_user_costs_a_run_of_bcrypt_and_never_gets_in() {
    let f = Fixture::new();
    for (user, password) in [
        ("root", RIGHT),
        ("", RIGHT),
        ("admin\0", RIGHT),
        ("admin", ""),
    ] {
        let runs = f.auth.bcrypt_runs();
        assert!(f.auth.basic(None, user, password).is_err());
        assert_eq!(f.auth.bcrypt_runs() - runs, 1);
    }
}

#[test]
fn a_password_that_bcrypt_would_cut_short_never_matches() {
    let f = Fixture::new();
    let longest = "0123456789ab".repeat(6);
    let principal = f.auth.local();
    let auth = &f.auth;
    auth.change_password(None, &principal, RIGHT, &longest)
        .unwrap();
    assert!(auth.basic(None, "admin", &longest).is_ok());
    let runs = auth.bcrypt_runs();
    assert!(auth.basic(None, "admin", &format!("{longest}x")).is_err());
    assert_eq!(auth.bcrypt_runs() - runs, 1);

    // To bcrypt a password ends in NUL and then starts again.
    auth.change_password(None, &principal, &longest, RIGHT)
        .unwrap();
    let doubled = format!("{RIGHT}\0{RIGHT}");
    assert!(bcrypt::verify(&doubled, &f.durable.account().unwrap().hash).unwrap());
    assert!(auth.basic(None, "admin", &doubled).is_err());
}

#[test]
fn too_many_checks_at_once_are_told_to_come_back() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let crowded = Settings {
        bcrypt_at_once: 1,
        bcrypt_waiting: 0,
        bcrypt_cost: Some(10),
        max_attempts: 100,
        ..settings(&directory)
    };
    let f = Fixture::with(crowded, Durable::new(), NOON, directory);
    f.auth.initialise(Some(RIGHT), f.time.as_ref()).unwrap();
    let busy = AtomicUsize::new(0);
    thread::scope(|scope| {
        for n in 0..8 {
            let (f, busy) = (&f, &busy);
            scope.spawn(
                move || match f.auth.basic(CLIENT, "admin", &format!("{n}")) {
                    Err(AuthError::Busy { .. }) => {
                        busy.fetch_add(1, Ordering::SeqCst);
                    }
                    other => assert_eq!(other, Err(AuthError::BadCredentials)),
                },
            );
        }
    });
    let attempts = f.auth.lockouts()[0].attempts as usize;
    assert!(busy.load(Ordering::SeqCst) > 0);
    assert_eq!(attempts + busy.into_inner(), 8, "busy is no failure");
}

#[test]
fn a_change_ends_every_other_token_and_spares_the_one_that_made_it() {
    let f = Fixture::new();
    let (mine, other) = (f.login(), f.login());
    let basic = f.auth.basic(CLIENT, "admin", RIGHT).unwrap();
    let principal = f.auth.bearer(&mine.access_token).unwrap();
    let change = |current, new| f.auth.change_password(CLIENT, &principal, current, new);
    change(RIGHT, OTHER).unwrap();

    for f in [&f, &f.restarted()] {
        assert!(f.is_good(&mine));
        assert!(!f.is_good(&other) && !f.auth.is_alive(&basic));
        assert!(f.auth.refresh(&mine.refresh_token).is_err());
        assert!(f.auth.refresh(&other.refresh_token).is_err());
        assert_eq!(
            f.auth.basic_quick(CLIENT, "admin", RIGHT),
            Quick::NeedsCheck
        );
        assert!(f.auth.basic(None, "admin", RIGHT).is_err());
        assert!(f.auth.basic(None, "admin", OTHER).is_ok());
    }
    // It may go on changing, and log out.
    change(OTHER, RIGHT).unwrap();
    assert!(f.is_good(&mine) && !f.is_good(&other));
    f.auth.logout(&principal).unwrap();
    assert!(!f.is_good(&mine));
    assert_eq!(refusal(change(RIGHT, OTHER)), Some(AuthError::InvalidToken));
}

#[test]
fn a_wrong_current_password_counts_and_a_weak_new_one_does_not() {
    let f = Fixture::new();
    let principal = f.auth.local();
    let change = |current, new| refusal(f.auth.change_password(CLIENT, &principal, current, new));
    for (new, why) in [
        (RIGHT, WeakPassword::Unchanged),
        ("short", WeakPassword::TooShort),
        ("password1", WeakPassword::Notorious),
    ] {
        assert_eq!(change(RIGHT, new), Some(why.into()));
    }
    assert!(f.auth.lockouts().is_empty());
    for _ in 0..5 {
        assert_eq!(
            change("wrong", OTHER),
            Some(AuthError::WrongCurrentPassword)
        );
    }
    assert_eq!(
        change(RIGHT, OTHER),
        Some(AuthError::LockedOut { retry_after: 300 })
    );
}

#[test]
fn of_two_changes_at_once_one_wins() {
    let f = Fixture::new();
    let principal = f.auth.local();
    let winners: Vec<usize> = thread::scope(|scope| {
        let changes: Vec<_> = (0..4)
            .map(|n| {
                let (f, principal) = (&f, &principal);
                scope.spawn(move || {
                    let new = format!("fine password {n}");
                    match f.auth.change_password(None, principal, RIGHT, &new) {
                        Ok(()) => Some(n),
                        Err(error) => {
                            assert_eq!(error, AuthError::WrongCurrentPassword);
                            None
                        }
                    }
                })
            })
            .collect();
        changes
            .into_iter()
            .filter_map(|change| change.join().unwrap())
            .collect()
    });
    assert_eq!(winners.len(), 1);
    for n in 0..4 {
        let works = f.auth.basic(None, "admin", &format!("fine password {n}"));
        assert_eq!(works.is_ok(), n == winners[0]);
    }
    assert!(f.auth.basic(None, "admin", RIGHT).is_err());
}

#[test]
fn a_login_under_way_slips_no_token_past_a_change() {
    for _ in 0..20 {
        let f = Fixture::new();
        let pairs: Vec<TokenPair> = thread::scope(|scope| {
            let logins: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| f.auth.login(None, "admin", RIGHT).ok()))
                .collect();
            let local = f.auth.local();
            f.auth.change_password(None, &local, RIGHT, OTHER).unwrap();
            logins
                .into_iter()
                .filter_map(|login| login.join().unwrap())
                .collect()
        });
        for pair in pairs {
            assert!(!f.is_good(&pair));
            assert!(f.auth.refresh(&pair.refresh_token).is_err());
        }
    }
}

#[test]
fn a_generated_password_is_kept_in_a_file_until_it_is_changed() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let f = Fixture::bare(Durable::new(), NOON, directory.clone());
    let Ok(FirstPassword::Generated { password, file }) = f.auth.initialise(None, f.time.as_ref())
    else {
        panic!("no password was generated");
    };
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.trim_end(), password.expose());
    assert!(f.auth.basic(None, "admin", password.expose()).is_ok());

    // A first boot that crashed before the journal had it shows the same password again.
    let again = Fixture::bare(Durable::new(), NOON, directory.clone());
    let first = again.auth.initialise(None, f.time.as_ref()).unwrap();
    assert!(matches!(first, FirstPassword::Generated { password: p, .. } if p == password));

    let local = f.auth.local();
    f.auth
        .change_password(None, &local, password.expose(), OTHER)
        .unwrap();
    assert!(!file.exists());
    // A crash between the two is made good at the next start.
    fs::write(&file, &text).unwrap();
    let f = f.restarted();
    let kept = f.auth.initialise(None, f.time.as_ref()).unwrap();
    assert_eq!(kept, FirstPassword::Kept);
    assert!(!file.exists());
}

#[test]
fn a_configured_password_must_keep_the_rules_until_one_has_been_chosen() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let f = Fixture::bare(Durable::new(), NOON, directory);
    let weak = |f: &Fixture| f.auth.initialise(Some("password"), f.time.as_ref());
    assert!(matches!(
        weak(&f),
        Err(InitialiseError::Weak(WeakPassword::Notorious))
    ));
    f.auth.initialise(Some(RIGHT), f.time.as_ref()).unwrap();
    assert!(weak(&f.restarted()).is_err());
    let local = f.auth.local();
    f.auth.change_password(None, &local, RIGHT, OTHER).unwrap();
    let f = f.restarted();
    assert_eq!(weak(&f).unwrap(), FirstPassword::Kept);
    assert!(f.auth.basic(None, "admin", OTHER).is_ok());
}

#[test]
fn a_new_configured_password_replaces_one_that_nobody_chose() {
    let f = Fixture::new();
    let pair = f.login();
    let f = f.restarted();
    let runs = f.auth.bcrypt_runs();
    f.auth.initialise(Some(OTHER), f.time.as_ref()).unwrap();
    assert_eq!(f.auth.bcrypt_runs(), runs, "a start waits for no bcrypt");
    assert!(f.auth.basic(CLIENT, "admin", OTHER).is_ok());
    assert!(f.auth.lockouts().is_empty());
    assert!(f.auth.basic(None, "admin", RIGHT).is_err());
    assert!(!f.is_good(&pair));

    // The same one again changes nothing.
    let pair = f.auth.login(None, "admin", OTHER).unwrap();
    let f = f.restarted();
    f.auth.initialise(Some(OTHER), f.time.as_ref()).unwrap();
    f.auth.settle().unwrap();
    assert!(f.is_good(&pair));

    // One that the user chose stays.
    let local = f.auth.local();
    f.auth.change_password(None, &local, OTHER, RIGHT).unwrap();
    let f = f.restarted();
    f.auth.initialise(Some(OTHER), f.time.as_ref()).unwrap();
    f.auth.settle().unwrap();
    assert!(f.auth.basic(None, "admin", RIGHT).is_ok());
}

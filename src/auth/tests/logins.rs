//! Logins: how they begin, go on, end, and what of it survives.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::journal::Record;

#[test]
fn a_login_gives_an_access_token_and_a_refresh_token_and_neither_serves_as_the_other() {
    let f = Fixture::new();
    let pair = f.login();
    assert_eq!(pair.expires_in, 8 * 3600);
    assert_eq!(&*f.auth.bearer(&pair.access_token).unwrap().user, "admin");
    let invalid = Some(AuthError::InvalidToken);
    assert_eq!(refusal(f.auth.bearer(&pair.refresh_token)), invalid);
    assert_eq!(refusal(f.auth.refresh(&pair.access_token)), invalid);
    assert_ne!(f.login().access_token, pair.access_token);
}

#[test]
fn tokens_expire_on_the_second() {
    let f = Fixture::new();
    let pair = f.login();
    f.pass(8 * 3600 - 1);
    assert!(f.is_good(&pair));
    f.pass(1);
    assert!(!f.is_good(&pair));
    f.pass(7 * 86_400 - 8 * 3600 - 1);
    assert!(f.auth.refresh(&pair.refresh_token).is_ok());
    let pair = f.login();
    f.pass(7 * 86_400);
    assert!(f.auth.refresh(&pair.refresh_token).is_err());
}

#[test]
fn one_login_one_logout_for_good() {
    let f = Fixture::new();
    let first = f.login();
    let second = f.auth.refresh(&first.refresh_token).unwrap();
    let other = f.login();
    let principal = f.auth.bearer(&first.access_token).unwrap();
    f.auth.logout(&principal).unwrap();

    for f in [&f, &f.restarted()] {
        assert!(!f.auth.is_alive(&principal));
        assert!(!f.is_good(&first));
        assert!(!f.is_good(&second));
        assert!(f.auth.refresh(&second.refresh_token).is_err());
        assert!(f.is_good(&other));
        for _ in 0..7 {
            f.pass(86_400);
            f.auth.tick();
            assert!(!f.is_good(&second));
            assert!(f.auth.refresh(&second.refresh_token).is_err());
        }
        // Then there is nothing left to forbid.
        f.auth.tick();
        assert_eq!(f.durable.revocations(), 0);
        assert!(f.auth.refresh(&second.refresh_token).is_err());
    }
}

#[test]
fn logging_out_of_basic_and_of_the_local_socket_does_nothing() {
    let f = Fixture::new();
    let basic = f.auth.basic(CLIENT, "admin", RIGHT).unwrap();
    f.auth.logout(&basic).unwrap();
    f.auth.logout(&f.auth.local()).unwrap();
    assert!(f.auth.is_alive(&basic) && f.auth.is_alive(&f.auth.local()));
    assert_eq!(f.durable.revocations(), 0);
}

#[test]
fn of_many_refreshes_at_once_exactly_one_wins() {
    let f = Fixture::new();
    let pair = f.login();
    let winners = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| match f.auth.refresh(&pair.refresh_token) {
                Ok(_) => {
                    winners.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) => assert_eq!(error, AuthError::InvalidToken),
            });
        }
    });
    assert_eq!(winners.into_inner(), 1);
    assert!(f.is_good(&pair), "a race is no theft");
}

#[test]
fn a_second_use_within_the_grace_is_refused_and_after_it_ends_the_login() {
    let f = Fixture::new();
    let pair = f.login();
    let other = f.login();
    let next = f.auth.refresh(&pair.refresh_token).unwrap();
    f.pass(10);
    assert!(f.auth.refresh(&pair.refresh_token).is_err());
    assert!(f.is_good(&next));

    // The use is remembered across a restart, and so is what follows from it.
    let f = f.restarted();
    f.pass(1);
    assert_eq!(
        refusal(f.auth.refresh(&pair.refresh_token)),
        Some(AuthError::InvalidToken)
    );
    for f in [&f, &f.restarted()] {
        assert!(!f.is_good(&next) && !f.is_good(&pair));
        assert!(f.auth.refresh(&next.refresh_token).is_err());
        assert!(f.is_good(&other));
    }
}

#[test]
fn a_clock_that_starts_in_1970_revives_nothing() {
    let f = Fixture::new();
    let pair = f.login();
    f.auth
        .logout(&f.auth.bearer(&pair.access_token).unwrap())
        .unwrap();
    let durable = Durable::new();
    f.durable.live(NOON, &mut |record| durable.apply(record));
    let f = Fixture::bare(durable, Timestamp::from_secs(5), f.directory.clone());
    f.auth.tick();
    assert!(!f.is_good(&pair));
    f.time.set_system(NOON);
    f.auth.tick();
    assert!(!f.is_good(&pair));
    assert!(f.auth.refresh(&pair.refresh_token).is_err());
}

#[test]
fn whoever_watches_is_told_when_logins_end() {
    let told = Arc::new(AtomicUsize::new(0));
    let tell = told.clone();
    let f = Fixture::watched(Box::new(move || {
        tell.fetch_add(1, Ordering::SeqCst);
    }));
    let pair = f.login();
    let principal = f.auth.bearer(&pair.access_token).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 0);
    f.auth.logout(&principal).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1);

    let pair = f.login();
    f.auth.refresh(&pair.refresh_token).unwrap();
    f.pass(11);
    let _ = f.auth.refresh(&pair.refresh_token);
    assert_eq!(told.load(Ordering::SeqCst), 2);

    let local = f.auth.local();
    f.auth.change_password(None, &local, RIGHT, OTHER).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 3);
}

#[test]
fn a_ticket_dies_with_its_login() {
    let f = Fixture::new();
    let pair = f.login();
    let principal = f.auth.bearer(&pair.access_token).unwrap();
    let basic = f.auth.basic(CLIENT, "admin", RIGHT).unwrap();
    let (used, late) = (
        f.auth.issue_ticket(&principal),
        f.auth.issue_ticket(&principal),
    );
    let basics = f.auth.issue_ticket(&basic);
    assert_eq!(f.auth.peek_ticket(&used).unwrap(), principal);
    assert_eq!(f.auth.redeem_ticket(&used).unwrap(), principal);
    assert!(f.auth.redeem_ticket(&used).is_err());

    f.auth.logout(&principal).unwrap();
    assert!(f.auth.peek_ticket(&late).is_err());
    assert!(f.auth.redeem_ticket(&late).is_err());
    assert!(f.auth.peek_ticket(&basics).is_ok());
    let local = f.auth.local();
    f.auth.change_password(None, &local, RIGHT, OTHER).unwrap();
    assert!(f.auth.redeem_ticket(&basics).is_err());
}

#[test]
fn a_full_table_refuses_to_refresh_but_still_logs_out() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let f = Fixture::bare(Durable::with_capacity(8), NOON, directory);
    f.auth.initialise(Some(RIGHT), f.time.as_ref()).unwrap();
    let mut pair = f.login();
    for _ in 0..7 {
        pair = f.auth.refresh(&pair.refresh_token).unwrap();
    }
    assert_eq!(
        refusal(f.auth.refresh(&pair.refresh_token)),
        Some(AuthError::Full)
    );
    let principal = f.auth.bearer(&pair.access_token).unwrap();
    f.auth.logout(&principal).unwrap();
    assert!(!f.is_good(&pair));
}

#[test]
fn nothing_is_written_when_nothing_happens() {
    let f = Fixture::new();
    let pair = f.login();
    for _ in 0..1000 {
        f.auth.bearer(&pair.access_token).unwrap();
        f.auth.basic(CLIENT, "admin", RIGHT).unwrap();
    }
    f.auth.tick();
    f.auth.journal.tick();
    let mut records = Vec::new();
    f.durable
        .live(NOON, &mut |record| records.push(record.clone()));
    assert!(matches!(
        records[..],
        [
            Record::Password { .. },
            Record::Lifetime { .. },
            Record::Proven { .. }
        ]
    ));
}

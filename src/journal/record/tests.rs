use super::*;

#[test]
fn nothing_that_protects_ends_early_by_rounding() {
    let odd = Timestamp::from_millis(100_001);
    let id = Id([1; 16]);
    let Record::RefreshUsed { used, expires, .. } = (Record::RefreshUsed {
        id,
        used: odd,
        expires: odd,
    })
    .in_whole_seconds() else {
        unreachable!()
    };
    assert_eq!(used, Timestamp::from_secs(100));
    assert_eq!(expires, Timestamp::from_secs(101));
    let far = Record::TokenRevoked {
        id,
        expires: Timestamp::from_millis(u64::MAX),
    };
    assert_eq!(
        far.in_whole_seconds(),
        Record::TokenRevoked {
            id,
            expires: Timestamp::from_secs(MAX_SECONDS)
        }
    );
}

#[test]
fn no_record_says_that_it_was_later_than_it_was() {
    let made = Timestamp::from_millis(100_001);
    for record in [
        Record::Mark { at: made },
        Record::RefreshUsed {
            id: Id([1; 16]),
            used: made,
            expires: made + Duration::from_secs(9),
        },
        Record::Password {
            generation: 1,
            origin: PasswordOrigin::Changed,
            at: made,
            hash: String::new(),
            spared: None,
        },
        Record::SessionsEnded {
            generation: 1,
            before: made,
        },
    ] {
        let mark = record.in_whole_seconds().newest_mark(None);
        assert_eq!(mark, Some(Timestamp::from_secs(100)));
    }
}

#[test]
fn only_a_mark_moves_the_clock_by_more_than_a_day() {
    let day = Duration::from_secs(86_400);
    let mark = Timestamp::from_secs(1_795_000_000);
    let used = |at| Record::RefreshUsed {
        id: Id([1; 16]),
        used: at,
        expires: at,
    };
    assert_eq!(used(mark + day).newest_mark(Some(mark)), Some(mark + day));
    assert_eq!(used(mark + day * 2).newest_mark(Some(mark)), Some(mark));
    assert_eq!(used(mark).newest_mark(Some(mark + day)), Some(mark + day));
    assert_eq!(used(mark).newest_mark(None), Some(mark));
    let at = mark + day * 3652;
    assert_eq!(Record::Mark { at }.newest_mark(Some(mark)), Some(at));
    let cleared = Record::LockOutCleared {
        client: ClientKey::V4([10, 0, 0, 1]),
    };
    assert_eq!(cleared.newest_mark(Some(mark)), Some(mark));
}

#[test]
fn no_debug_output_shows_a_hash() {
    let record = Record::Password {
        generation: 1,
        origin: PasswordOrigin::Initial,
        at: Timestamp::default(),
        hash: "$2b$04$secret".into(),
        spared: None,
    };
    assert!(!format!("{record:?}").contains("secret"));
}

use super::*;
use crate::ids::Interface;
use crate::journal::format::{Salt, encode};

/// The longest that there are.
fn client(n: usize) -> ClientKey {
    let eth0 = Interface::named("eth0").unwrap();
    ClientKey::V6((0xfe80_u128 << 112 | n as u128).to_be_bytes(), eth0)
}

#[test]
fn no_number_of_lock_outs_that_are_over_displaces_one_in_force() {
    let durable = Durable::new();
    let end = |n: usize| Timestamp::from_secs(n as u64);
    let count = 5 * LOCK_OUTS;
    let late = end(count * 2);
    for n in 0..count {
        durable.apply(&Record::LockOut {
            client: client(n),
            until: end(n),
        });
        // Among them, spread over all the time, as many as can be in force at once.
        if n % 5 == 0 {
            let client = client(count + n);
            let until = late;
            durable.apply(&Record::LockOut { client, until });
        }
        assert!(durable.lock_outs.lock().len() <= 2 * LOCK_OUTS);
    }
    let kept = durable.lock_outs();
    let in_force = kept.iter().filter(|(_, until)| *until == late);
    assert_eq!(in_force.count(), LOCK_OUTS);
    durable.sweep(end(count));
    assert_eq!(durable.lock_outs().len(), LOCK_OUTS);
}

#[test]
fn the_longest_records_are_as_long_as_they_are_counted() {
    let (id, at) = (Id([0; 16]), Timestamp::from_secs(0));
    let length = |record: &Record| {
        let mut frame = Vec::new();
        encode(record, Salt::new([1; 4]), &mut frame).unwrap();
        frame.len()
    };
    let (used, expires) = (at, at);
    let used = length(&Record::RefreshUsed { id, used, expires });
    assert_eq!(used, LONGEST_REVOCATION);
    assert!(length(&Record::TokenRevoked { id, expires }) <= used);
    let family = id;
    assert!(length(&Record::FamilyRevoked { family, expires }) <= used);
    let (client, until) = (client(1), at);
    let lock_out = length(&Record::LockOut { client, until });
    assert_eq!(lock_out, LONGEST_LOCK_OUT);
    let account = "a".repeat(MAX_NAME);
    let proof = length(&Record::Proven {
        client,
        until,
        account,
    });
    assert_eq!(proof, LONGEST_PROOF);
}

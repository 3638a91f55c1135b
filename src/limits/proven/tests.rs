use super::*;

const A: ClientKey = ClientKey::V4([192, 0, 2, 1]);

fn at(seconds: u64) -> Moment {
    Moment::default() + Duration::from_secs(seconds)
}

fn stranger(n: u32) -> ClientKey {
    ClientKey::V4((0x0a00_0000 + n).to_be_bytes())
}

#[test]
fn a_success_proves_its_address_for_a_day_from_the_last_one() {
    let (proven, admin) = (Proven::default(), "admin".into());
    assert!(!proven.contains(A, at(0)));
    proven.note(A, &admin, at(0));
    proven.note(A, &admin, at(1000));
    let day = PROOF_LASTS.as_secs();
    assert!(proven.contains(A, at(1000 + day - 1)));
    assert!(!proven.contains(A, at(1000 + day)));
    assert!(!proven.contains(stranger(1), at(0)));
    proven.sweep(at(1000 + day));
    assert!(proven.table.lock().clients.is_empty());
}

#[test]
fn an_account_keeps_its_sixteen_last_addresses_and_pushes_out_no_others() {
    let (proven, admin, viewer) = (Proven::default(), "admin".into(), "viewer".into());
    proven.note(A, &admin, at(0));
    for n in 0..10_000 {
        proven.note(stranger(n), &viewer, at(1 + u64::from(n)));
    }
    assert!(proven.contains(A, at(10_001)));
    assert!(!proven.contains(stranger(9_983), at(10_001)));
    for n in 9_984..10_000 {
        assert!(proven.contains(stranger(n), at(10_001)), "{n}");
    }
    assert_eq!(proven.table.lock().of(None).count(), 1 + PROVEN_EACH);
    // An address of two accounts is proven by either.
    proven.note(A, &viewer, at(10_001));
    for n in 0..16 {
        proven.note(stranger(n), &viewer, at(10_002));
    }
    assert!(proven.contains(A, at(10_002)));
}

#[test]
fn the_table_is_bounded_whatever_the_number_of_accounts() {
    let proven = Proven::default();
    for n in 0..3000_u32 {
        let account = format!("user{}", n / 16).into();
        proven.note(stranger(n), &account, at(u64::from(n)));
    }
    assert_eq!(proven.table.lock().of(None).count(), MOST_PROVEN);
    assert!(proven.contains(stranger(2999), at(3000)));
    assert!(!proven.contains(stranger(0), at(3000)));
}

//! Who has shown a good credential is no stranger, neither to a limit that strangers share nor after a restart.

use super::*;
use crate::limits::proven::PROOF_LASTS;

/// An address of the owner's, in a network that others are in too.
fn owner() -> ClientKey {
    "2001:db8::1".parse().unwrap()
}

fn stranger(host: u16) -> ClientKey {
    format!("2001:db8::bad:{host:x}").parse().unwrap()
}

impl Fixture {
    fn is_proven(&self, client: ClientKey) -> bool {
        let now = self.auth.clock.monotonic();
        self.auth.proven().contains(client, now)
    }

    /// The proofs that were written.
    fn written(&self) -> Vec<Record> {
        // Behind whatever was submitted.
        self.auth.journal.tick();
        let mut records = self.journalled.records.lock().clone();
        records.retain(|record| matches!(record, Record::Proven { .. }));
        records
    }

    /// Fifty wrong passwords from fifty addresses: the account of their network is full.
    fn flooded(&self) {
        for host in 0..50 {
            let refused = self.auth.login(stranger(host), "admin", "wrong");
            assert_eq!(refusal(refused), Some(AuthError::BadCredentials));
        }
        let refused = self.auth.login(stranger(50), "admin", RIGHT);
        assert!(matches!(
            refusal(refused),
            Some(AuthError::LockedOut { .. })
        ));
    }
}

#[test]
fn every_good_credential_proves_its_address_and_no_bad_one_does() {
    let f = Fixture::new();
    let _ = f.auth.login(owner(), "admin", "wrong");
    let _ = f.auth.basic(owner(), "admin", "wrong");
    let _ = f.auth.basic_quick(owner(), "admin", "wrong");
    let _ = f.auth.begin_refresh(Some(owner()), "wrong");
    let pair = f.auth.login(None, "admin", RIGHT).unwrap();
    assert!(!f.is_proven(owner()) && f.written().is_empty());

    let [login, basic, quick, refresh] = [1, 2, 3, 4].map(stranger);
    f.auth.login(login, "admin", RIGHT).unwrap();
    f.auth.basic(basic, "admin", RIGHT).unwrap();
    let known = f.auth.basic_quick(quick, "admin", RIGHT);
    assert!(matches!(known, Quick::Known(_)));
    let refreshed = f.auth.begin_refresh(Some(refresh), &pair.refresh_token);
    f.auth.carry_out(refreshed.unwrap()).unwrap();
    // A used one proves nothing.
    let again = f.auth.begin_refresh(Some(owner()), &pair.refresh_token);
    assert!(again.is_err() && !f.is_proven(owner()));
    for client in [login, basic, quick, refresh] {
        assert!(f.is_proven(client), "{client}");
    }
    assert_eq!(f.written().len(), 4);
}

#[test]
fn strangers_lock_out_their_network_but_not_who_is_proven_in_it() {
    let f = Fixture::new();
    f.auth.login(owner(), "admin", RIGHT).unwrap();
    f.flooded();
    assert!(f.auth.login(owner(), "admin", RIGHT).is_ok());
    assert!(f.auth.basic(owner(), "admin", RIGHT).is_ok());

    let f = f.restarted();
    let refused = f.auth.login(stranger(51), "admin", RIGHT);
    assert!(matches!(
        refusal(refused),
        Some(AuthError::LockedOut { .. })
    ));
    assert!(f.auth.login(owner(), "admin", RIGHT).is_ok());

    // It is lifted by its name.
    let network = "2001:db8::/64".parse().unwrap();
    assert_eq!(f.auth.clear_lockout(network), Ok(true));
    assert!(f.auth.login(stranger(52), "admin", RIGHT).is_ok());
    let f = f.restarted();
    assert!(f.auth.login(stranger(53), "admin", RIGHT).is_ok());
}

#[test]
fn a_network_that_an_older_postern_locked_out_stays_so_for_strangers() {
    // As it wrote it: eight bytes. See `journal::format`.
    let network = ClientKey::Network(
        [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0],
        crate::ids::Interface::NONE,
    );
    let durable = Durable::new();
    durable.apply(&Record::LockOut {
        client: network,
        until: NOON + Duration::from_secs(100),
    });
    let f = Fixture::bare(durable, NOON, Arc::new(tempfile::tempdir().unwrap()));
    f.auth.initialise(Some(RIGHT), f.time.as_ref()).unwrap();
    let refused = f.auth.login(owner(), "admin", RIGHT);
    let retry_after = 100;
    assert_eq!(refusal(refused), Some(AuthError::LockedOut { retry_after }));
    f.pass(100);
    assert!(f.auth.login(owner(), "admin", RIGHT).is_ok());
}

#[test]
fn a_proof_outlives_a_restart_for_what_is_left_of_its_day() {
    let f = Fixture::new();
    f.auth.login(owner(), "admin", RIGHT).unwrap();
    f.pass(60);
    let f = f.restarted();
    assert!(f.is_proven(owner()));
    // A second later than it would have been: whole seconds are kept, rounded up.
    f.pass(PROOF_LASTS.as_secs() - 61);
    assert!(f.is_proven(owner()));
    f.pass(2);
    assert!(!f.is_proven(owner()));
    f.auth.tick();
    assert!(f.durable.proofs().is_empty());
}

#[test]
fn an_address_in_use_costs_a_write_an_hour() {
    let f = Fixture::new();
    for minute in 0..6 * 60 {
        f.auth.basic(owner(), "admin", RIGHT).unwrap();
        f.auth.basic_quick(owner(), "admin", RIGHT);
        // Behind what nobody waited for: the housekeeper writes whatever is not there yet.
        f.auth.journal.tick();
        f.auth.heed_clock();
        f.auth.journal.tick();
        let written = f.written().len();
        assert!(written <= 1 + minute / 60, "{written} after {minute} min");
        f.pass(60);
    }
    assert_eq!(f.written().len(), 6);
    let f = f.restarted();
    f.pass(PROOF_LASTS.as_secs() - 2 * 60 * 60);
    assert!(f.is_proven(owner()));
}

#[test]
fn a_clock_that_leaps_changes_nothing_about_a_proof() {
    let f = Fixture::new();
    f.auth.login(owner(), "admin", RIGHT).unwrap();
    f.auth.journal.tick();
    f.time.set_system(NOON + Duration::from_secs(10 * 86_400));
    f.auth.tick();
    // Until then a leap is held.
    f.pass(301);
    f.auth.tick();
    assert!(f.is_proven(owner()));
    assert_eq!(f.written().len(), 2, "put right in the journal");
    let f = f.restarted();
    assert!(f.is_proven(owner()));
}

#[test]
fn what_is_kept_and_what_is_in_force_come_to_agree_and_writing_ends() {
    let f = Fixture::new();
    // Uses in another order than the first successes, so that the journal's oldest is not the oldest in force.
    let clients: Vec<ClientKey> = (0..40).map(stranger).collect();
    for (n, client) in clients.iter().enumerate() {
        f.auth.basic(*client, "admin", RIGHT).unwrap();
        f.pass(60);
        f.auth.basic(clients[n / 2], "admin", RIGHT).unwrap();
        f.auth.heed_clock();
    }
    for _ in 0..16 {
        f.auth.heed_clock();
        f.auth.journal.tick();
    }
    let settled = f.written().len();
    f.auth.heed_clock();
    assert_eq!(f.written().len(), settled);
    let kept: Vec<_> = f.durable.proofs().into_iter().map(|(c, ..)| c).collect();
    assert_eq!(kept.len(), 16);
    assert!(kept.iter().all(|client| f.is_proven(*client)));
}

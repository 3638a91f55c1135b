use super::*;
use crate::clock::Timestamp;
use crate::entropy::FakeEntropy;
use std::thread;

const MAX: usize = 1024;

fn principal(family: u16) -> Principal {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&family.to_be_bytes());
    Principal {
        user: "admin".into(),
        proof: Proof::Token {
            id: Id(id),
            jti: *b"01234567",
            family: Id(id),
            generation: Some(1),
            issued: Timestamp::from_secs(0),
            expires: Timestamp::from_secs(1),
        },
    }
}

fn at(secs: u64) -> Moment {
    Moment::default() + Duration::from_secs(secs)
}

#[test]
fn a_ticket_is_good_once_and_for_its_lifetime() {
    let (tickets, entropy) = (
        Tickets::new(Duration::from_secs(120), MAX),
        FakeEntropy::new(1),
    );
    let ticket = tickets.issue(&principal(1), at(0), &entropy);
    assert_eq!(ticket.len(), 43);
    assert_eq!(tickets.peek(&ticket, at(119)), Some(principal(1)));
    assert_eq!(tickets.peek(&ticket, at(120)), None);
    assert_eq!(tickets.redeem(&ticket, at(119)), Some(principal(1)));
    assert_eq!(tickets.redeem(&ticket, at(119)), None);
    let late = tickets.issue(&principal(1), at(0), &entropy);
    assert_eq!(tickets.redeem(&late, at(120)), None);
    tickets.sweep(at(240), |_| true);
    assert_eq!(tickets.unused.lock().len(), 0);
}

#[test]
fn of_many_uses_at_once_one_wins() {
    let (tickets, entropy) = (
        Tickets::new(Duration::from_secs(120), MAX),
        FakeEntropy::new(1),
    );
    let ticket = tickets.issue(&principal(1), at(0), &entropy);
    let winners: usize = thread::scope(|scope| {
        let uses: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| tickets.redeem(&ticket, at(1)).is_some()))
            .collect();
        uses.into_iter()
            .map(|u| usize::from(u.join().unwrap()))
            .sum()
    });
    assert_eq!(winners, 1);
}

#[test]
fn other_spellings_are_no_tickets() {
    let (tickets, entropy) = (
        Tickets::new(Duration::from_secs(120), MAX),
        FakeEntropy::new(1),
    );
    let ticket = tickets.issue(&principal(1), at(0), &entropy);
    let stem = &ticket[..42];
    let last = ticket.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for other in alphabet.chars().filter(|c| *c != last) {
        assert_eq!(tickets.peek(&format!("{stem}{other}"), at(1)), None);
    }
    for other in [format!("{ticket}="), String::new(), "é".repeat(22)] {
        assert_eq!(tickets.peek(&other, at(1)), None);
    }
}

#[test]
fn a_flood_by_one_login_evicts_only_its_own_oldest() {
    let (tickets, entropy) = (
        Tickets::new(Duration::from_secs(120), MAX),
        FakeEntropy::new(1),
    );
    let mine = tickets.issue(&principal(1), at(0), &entropy);
    let flood: Vec<String> = (0..1000)
        .map(|_| tickets.issue(&principal(2), at(0), &entropy))
        .collect();
    assert_eq!(tickets.unused.lock().len(), 1 + MAX_FOR_ONE);
    assert!(tickets.peek(&mine, at(1)).is_some());
    assert!(tickets.peek(&flood[999], at(1)).is_some());
    assert!(tickets.peek(&flood[967], at(1)).is_none());
    assert!(tickets.peek(&flood[968], at(1)).is_some());

    // With many logins the greediest pays.
    for login in 3..5000 {
        tickets.issue(&principal(login), at(0), &entropy);
    }
    assert_eq!(tickets.unused.lock().len(), MAX);
    assert!(tickets.peek(&flood[998], at(1)).is_none());
}

#[test]
fn a_flood_into_a_full_table_takes_no_more_than_an_equal_share() {
    let (tickets, entropy) = (
        Tickets::new(Duration::from_secs(120), 99),
        FakeEntropy::new(1),
    );
    for login in 0..11 {
        for _ in 0..9 {
            tickets.issue(&principal(login), at(0), &entropy);
        }
    }
    let held = |login: u16| {
        let owner = Owner::of(&principal(login));
        let unused = tickets.unused.lock();
        unused
            .iter()
            .filter(|t| Owner::of(&t.principal) == owner)
            .count()
    };
    for _ in 0..1000 {
        tickets.issue(&principal(99), at(0), &entropy);
        assert_eq!(tickets.unused.lock().len(), 99);
    }
    assert_eq!(held(99), 9);
    assert!((0..11).all(|login| held(login) >= 8), "an equal share");
    assert!(tickets.unused.lock().capacity() <= 128);
}

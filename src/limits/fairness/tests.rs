use super::*;

fn holder(address: &str, is_proven: bool) -> Holder {
    let client = address.parse().expect("an address");
    Holder {
        client: Some(client),
        is_proven,
    }
}

#[test]
fn the_proven_come_first_then_whoever_holds_least() {
    let mut holdings = Holdings::default();
    let (owner, few, many) = (
        holder("192.0.2.1", true),
        holder("192.0.2.2", false),
        holder("192.0.2.3", false),
    );
    holdings.add(owner, 16);
    holdings.add(few, 1);
    holdings.add(many, 2);
    assert!(holdings.precedence(owner) < holdings.precedence(few));
    assert!(holdings.precedence(few) < holdings.precedence(many));
    assert_eq!(
        holdings.precedence_with(few, 1, None),
        holdings.precedence(many)
    );
    // What comes from the same client makes it no fuller.
    assert_eq!(
        holdings.precedence_with(many, 1, Some(many)),
        holdings.precedence(many)
    );
}

#[test]
fn many_addresses_of_one_64_weigh_as_a_tenth_each_and_cost_the_proven_nothing() {
    let mut holdings = Holdings::default();
    let owner = holder("2001:db8::1", true);
    holdings.add(owner, 1);
    for n in 2..50 {
        holdings.add(holder(&format!("2001:db8::{n:x}"), false), 1);
    }
    let host = holder("2001:db8::2", false);
    let elsewhere = holder("192.0.2.1", false);
    holdings.add(elsewhere, 4);
    assert!(holdings.precedence(elsewhere) < holdings.precedence(host));
    holdings.add(elsewhere, 2);
    assert!(holdings.precedence(host) < holdings.precedence(elsewhere));
    assert_eq!(holdings.of_network(owner), None);
    assert_eq!(holdings.of_network(host), Some(48));
    assert_eq!(holdings.precedence(owner).burden, 1);
}

#[test]
fn who_holds_nothing_leaves_nothing_behind() {
    let mut holdings = Holdings::default();
    for address in ["192.0.2.1", "2001:db8::1"] {
        for is_proven in [true, false] {
            let holder = holder(address, is_proven);
            holdings.add(holder, 3);
            holdings.remove(holder, 1);
            holdings.remove(holder, 2);
            holdings.add(holder, 0);
        }
    }
    assert!(holdings.is_empty());
}

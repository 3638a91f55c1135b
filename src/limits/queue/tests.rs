use super::*;

fn unproven(address: &str) -> Holder {
    Holder {
        client: Some(address.parse().expect("an address")),
        is_proven: false,
    }
}

fn proven(address: &str) -> Holder {
    Holder {
        is_proven: true,
        ..unproven(address)
    }
}

/// Takes and ends one job after the other.
fn served(queue: &mut FairQueue<u32>) -> Vec<u32> {
    std::iter::from_fn(|| {
        let (holder, job) = queue.pop()?;
        queue.done(holder);
        Some(job)
    })
    .collect()
}

#[test]
fn who_sends_two_hundred_waits_behind_himself() {
    let mut queue = FairQueue::new(1000, 1);
    for job in 0..200 {
        assert_eq!(queue.push(unproven("192.0.2.1"), job), None);
    }
    assert_eq!(queue.pop(), Some((unproven("192.0.2.1"), 0)));
    assert_eq!(queue.push(unproven("192.0.2.2"), 1000), None);
    assert_eq!(queue.push(unproven("192.0.2.2"), 1001), None);
    assert_eq!(queue.push(unproven("192.0.2.3"), 1002), None);
    queue.done(unproven("192.0.2.1"));
    let order = served(&mut queue);
    assert_eq!(order[..6], [1000, 1002, 1, 1001, 2, 3]);
    assert_eq!(order.len(), 202);
}

#[test]
fn the_proven_go_before_all_others() {
    let mut queue = FairQueue::new(1000, 1);
    for n in 0..160 {
        let guesser = unproven(&format!("192.0.2.{}", n % 40));
        assert_eq!(queue.push(guesser, n), None);
    }
    assert_eq!(queue.push(proven("192.0.2.200"), 1000), None);
    assert_eq!(queue.push(proven("2001:db8::1"), 1001), None);
    let order = served(&mut queue);
    assert_eq!(order[..3], [1000, 1001, 0]);
    assert_eq!(order.len(), 162);
    assert!(queue.clients.is_empty() && queue.holdings.is_empty());
}

#[test]
fn many_addresses_of_one_64_take_turns_as_one() {
    let mut queue = FairQueue::new(1000, 1);
    for n in 1..=100 {
        queue.push(unproven(&format!("2001:db8::{n:x}")), n);
    }
    assert_eq!(queue.pop(), Some((unproven("2001:db8::1"), 1)));
    queue.push(unproven("192.0.2.1"), 1000);
    queue.push(unproven("192.0.2.2"), 1001);
    // A host of the /64 that came later than all the addresses of its neighbour.
    queue.push(unproven("2001:db8::ffff"), 1002);
    queue.done(unproven("2001:db8::1"));
    let order = served(&mut queue);
    assert_eq!(order[..5], [1000, 1001, 2, 3, 4]);
    assert_eq!(order.last(), Some(&1002));
    assert!(queue.networks.is_empty());
}

#[test]
fn of_one_client_no_more_is_done_at_once_than_may_be() {
    let mut queue = FairQueue::new(1000, 1);
    queue.push(unproven("192.0.2.1"), 0);
    queue.push(unproven("192.0.2.1"), 1);
    let (first, _) = queue.pop().expect("a job");
    assert_eq!(queue.pop(), None);
    queue.push(unproven("192.0.2.2"), 2);
    assert_eq!(queue.pop(), Some((unproven("192.0.2.2"), 2)));
    queue.done(first);
    assert_eq!(queue.pop(), Some((unproven("192.0.2.1"), 1)));
}

#[test]
fn in_a_full_line_whoever_holds_most_gives_way() {
    let mut queue = FairQueue::new(4, 1);
    for job in 0..3 {
        assert_eq!(queue.push(unproven("192.0.2.1"), job), None);
    }
    assert_eq!(queue.push(unproven("192.0.2.2"), 10), None);
    // The last of the fullest, not the first.
    assert_eq!(queue.push(unproven("192.0.2.3"), 20), Some(2));
    // Nobody holds more than the newcomer would: it is refused.
    assert_eq!(queue.push(unproven("192.0.2.1"), 3), Some(3));
    assert_eq!(queue.push(unproven("192.0.2.2"), 11), Some(11));
    assert_eq!(queue.push(proven("192.0.2.4"), 30), Some(1));
    // Nor is one who holds as much as he would.
    assert_eq!(queue.push(unproven("192.0.2.5"), 40), Some(40));
    for job in 31..34 {
        assert!(
            queue
                .push(proven("192.0.2.4"), job)
                .is_some_and(|job| job < 31)
        );
    }
    assert_eq!(queue.push(proven("192.0.2.4"), 34), Some(34));
    // Another proven one gets half.
    assert_eq!(queue.push(proven("192.0.2.6"), 50), Some(33));
    assert_eq!(queue.len(), 4);
}

#[test]
fn a_flood_of_addresses_leaves_nothing_behind() {
    let mut queue = FairQueue::new(64, 1);
    for n in 0..10_000_u32 {
        queue.push(unproven(&format!("2001:db8:{:x}::{n:x}", n % 7)), n);
        if n % 3 == 0 {
            let (holder, _) = queue.pop().expect("a job");
            queue.done(holder);
        }
    }
    assert!(queue.len() <= 64 && queue.clients.len() <= 64 && queue.networks.len() <= 7);
    queue.clear();
    assert!(queue.is_empty() && queue.clients.is_empty());
    assert!(queue.networks.is_empty() && queue.holdings.is_empty());
}

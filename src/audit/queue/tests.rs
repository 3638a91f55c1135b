//! Which events get an entry of their own, and which are counted.

use super::*;

fn put(queue: &mut EventQueue, kind: EventKind, likeness: &str, now: Instant) {
    queue.put(kind, likeness.to_owned(), "\"x\":1".to_owned(), now);
}

/// How many events the entries stand for.
fn events(queue: &EventBatch) -> u64 {
    queue
        .entries
        .iter()
        .map(|entry| 1 + entry.others)
        .sum::<u64>()
        + queue.omitted
}

#[test]
fn a_flood_gets_its_allowance_and_one_entry_in_five_minutes_and_everybody_else_all_of_theirs() {
    let begin = Instant::now();
    let mut queue = EventQueue::new(begin);
    let (mut entries, mut all) = (0, 0);
    for second in 0..86_400_u64 {
        let now = begin + Duration::from_secs(second);
        for client in 0..10 {
            put(&mut queue, EventKind::Failure, &format!("{client}"), now);
        }
        let taken = queue.take(now, now);
        entries += taken.entries.len();
        all += events(&taken);
    }
    let late = begin + Duration::from_secs(86_400);
    all += events(&queue.take(late, late + REFILL));
    assert_eq!(all, 864_000, "each is in an entry, or counted");
    assert!((300..=320).contains(&entries), "{entries}");
    for kind in [EventKind::Login, EventKind::LockOut] {
        put(&mut queue, kind, "somebody", late);
    }
    assert_eq!(queue.take(late, late).entries.len(), 2);
}

#[test]
fn what_repeats_has_a_few_entries_and_then_one_in_five_minutes_that_counts() {
    let begin = Instant::now();
    let mut queue = EventQueue::new(begin);
    for _ in 0..320 {
        put(&mut queue, EventKind::Login, "admin 10.0.0.5", begin);
    }
    put(&mut queue, EventKind::Login, "admin 10.0.0.6", begin);
    put(&mut queue, EventKind::PasswordChange, "change", begin);
    let taken = queue.take(begin, begin);
    assert_eq!(taken.entries.len() as u64, u64::from(ALIKE) + 2);
    let due = taken.due.expect("the others are told of");
    assert!(queue.take(due, begin).entries.is_empty());
    let taken = queue.take(due, due);
    assert_eq!(taken.entries.len(), 1);
    assert!(
        taken.entries[0].whole_body().ends_with("\"repeated\":311"),
        "{taken:?}"
    );
    assert!(taken.due.is_none());
    // That was the one of these five minutes.
    put(&mut queue, EventKind::Login, "admin 10.0.0.5", due);
    assert!(queue.take(due, due).entries.is_empty());
    let soon = due + REFILL;
    put(&mut queue, EventKind::Login, "admin 10.0.0.5", soon);
    let taken = queue.take(soon, soon);
    assert!(
        taken.entries[0].whole_body().ends_with("\"repeated\":1"),
        "{taken:?}"
    );
}

#[test]
fn what_waits_is_bounded_and_the_rest_is_counted_but_what_is_rare_has_places_of_its_own() {
    let now = Instant::now();
    let mut queue = EventQueue::new(now);
    for client in 0..10_000 {
        put(&mut queue, EventKind::Login, &format!("{client}"), now);
    }
    put(&mut queue, EventKind::PasswordChange, "admin", now);
    let taken = queue.take(now, now);
    assert_eq!(taken.entries.len(), MOST + 1);
    assert!(taken.entries.last().is_some_and(QueuedEntry::is_rare));
    assert_eq!(events(&taken), 10_001);
    assert!(queue.likes.len() <= MOST_LIKES);
}

#[test]
fn what_is_rare_never_waits_for_its_like() {
    let now = Instant::now();
    for kind in EventKind::ALL
        .into_iter()
        .filter(|kind| EventKind::is_rare(kind.name()))
    {
        for changes in [9, 100, MOST_RARE] {
            let mut queue = EventQueue::new(now);
            for _ in 0..changes {
                put(&mut queue, kind, "admin 10.0.0.5", now);
            }
            let taken = queue.take(now, now);
            assert_eq!(taken.entries.len(), changes, "{}", kind.name());
            assert!(taken.entries.iter().all(|entry| entry.others == 0));
            assert!(taken.due.is_none() && taken.omitted == 0);
        }
    }
}

#[test]
fn no_rare_kind_takes_the_last_place_of_another_and_the_newest_of_each_stay() {
    let now = Instant::now();
    let mut queue = EventQueue::new(now);
    let change = |queue: &mut EventQueue, n: usize| {
        queue.put(
            EventKind::PasswordChange,
            String::new(),
            format!("\"n\":{n}"),
            now,
        );
    };
    change(&mut queue, 0);
    for _ in 0..1000 {
        put(&mut queue, EventKind::Certificate, "", now);
    }
    for client in 0..10_000 {
        put(&mut queue, EventKind::Login, &format!("{client}"), now);
    }
    change(&mut queue, 1);
    let taken = queue.take(now, now);
    assert_eq!(taken.entries.len(), MOST + MOST_RARE);
    let changes = taken
        .entries
        .iter()
        .filter(|it| it.kind == EventKind::PasswordChange);
    assert!(changes.clone().all(|it| it.others == 0) && changes.count() == 2);
    assert_eq!(events(&taken), 11_002);
    // Its own it does take, the oldest first.
    for n in 0..1000 {
        change(&mut queue, n);
    }
    let taken = queue.take(now, now);
    assert_eq!(taken.entries.len(), MOST_RARE);
    assert_eq!(
        taken.entries.last().map(QueuedEntry::whole_body).as_deref(),
        Some("\"n\":999")
    );
    let first = format!("\"n\":{0},\"repeated\":{0}", 1000 - MOST_RARE);
    assert_eq!(taken.entries[0].whole_body(), first);
}

use super::*;

fn lines(entries: &[(u64, &str)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (seq, event) in entries {
        let body = format!("\"event\":\"{event}\",\"user\":\"x\"");
        text.extend(line(*seq, &body, NONE_BEFORE).into_bytes());
        text.push(b'\n');
    }
    text
}

#[test]
fn what_is_rare_is_kept_once_and_the_rest_is_not() {
    let mut kept = RareEntries::default();
    let first = lines(&[(1, "start"), (2, "login"), (3, "password_change")]);
    assert!(kept.add(&first));
    assert!(
        !kept.add(&first),
        "a crash before the rotation leaves it there"
    );
    assert!(!kept.add(&lines(&[(4, "login"), (5, "failure"), (6, "omitted")])));
    let numbers: Vec<_> = kept.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, [1, 3]);
}

#[test]
fn a_flood_of_one_kind_takes_its_own_places_only_and_is_counted() {
    let mut kept = RareEntries::default();
    kept.add(&lines(&[(1, "password_change"), (2, "lock_out_cleared")]));
    for seq in 3..2003 {
        kept.add(&lines(&[(
            seq,
            if seq % 2 == 0 { "start" } else { "stop" },
        )]));
    }
    let limit = 4096;
    let text = kept.text(limit);
    assert!(text.len() as u64 <= limit, "{}", text.len());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(path(folder.path(), FILES), &text).unwrap();
    let kept = RareEntries::read(folder.path()).unwrap();
    assert!(kept.whole);
    assert_eq!(kept.newest(), 2002);
    let of = |event: &str| {
        let entries = kept.entries.iter().filter(|entry| entry.event() == event);
        entries.map(|entry| 1 + entry.repeated).sum::<u64>()
    };
    assert_eq!((of("password_change"), of("lock_out_cleared")), (1, 1));
    assert_eq!(
        (of("start"), of("stop")),
        (1000, 1000),
        "none is lost uncounted"
    );
    // What somebody changed shows.
    let changed = text.replacen("\"x\"", "\"y\"", 1);
    std::fs::write(path(folder.path(), FILES), changed).unwrap();
    assert!(!RareEntries::read(folder.path()).unwrap().whole);
}

use std::fs;

use super::*;
use crate::audit::folder::path;
use crate::audit::line::{NONE_BEFORE, hash, line};

#[test]
fn what_is_wrong_is_found_and_looked_at_sooner_until_it_is_put_right() {
    let folder = tempfile::tempdir().unwrap();
    let check = Check::new(folder.path());
    let began = Instant::now();
    assert!(check.is_due(None, began), "at the start");
    let due_in = |time| check.is_due(Some(began), began + time);
    let settled = || !due_in(DAILY / 2) && due_in(DAILY);
    let restless = || !due_in(AGAIN / 2) && due_in(AGAIN);
    let look = || {
        check.look();
        check.whole()
    };
    assert!(look() && settled(), "there is none yet");
    let first = line(1, "\"event\":\"start\"", NONE_BEFORE);
    let second = line(2, "\"event\":\"stop\"", &hash(first.as_bytes()));
    let file = path(folder.path(), 0);
    let good = format!("{first}\n{second}\n");
    fs::write(&file, &good).unwrap();
    assert!(look() && settled());
    fs::write(&file, good.replace("start", "stars")).unwrap();
    assert!(!look() && restless());
    fs::write(&file, &good).unwrap();
    assert!(look() && settled());
    fs::create_dir(path(folder.path(), 1)).unwrap();
    assert!(!look() && restless(), "no file");
    fs::remove_dir(path(folder.path(), 1)).unwrap();
    assert!(look() && settled());
    // Nothing is known of the files of a card that does not answer, but what was known before.
    check.failed(&io::Error::other("no"));
    assert!(check.whole() && restless());
    assert!(look() && settled());
}

#[test]
fn only_one_looks_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let check = Arc::new(Check::new(folder.path()));
    check.running.store(true, Ordering::Relaxed);
    Check::start(&check);
    assert_eq!(Arc::strong_count(&check), 1, "nobody else has it");
}

use super::*;
use crate::entropy::FakeEntropy;

#[test]
fn a_key_is_made_once_and_a_damaged_one_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let entropy = FakeEntropy::new(1);
    let first = load_or_generate(dir.path(), &entropy, true).expect("a key");
    assert_eq!(
        load_or_generate(dir.path(), &entropy, false).expect("the key"),
        first
    );
    std::fs::write(dir.path().join(FILE), "half a k").expect("damaged");
    let second = load_or_generate(dir.path(), &entropy, false).expect("a new key");
    assert_ne!(second, first);
    assert_eq!(
        load_or_generate(dir.path(), &entropy, false).expect("the key"),
        second
    );
}
#[test]
fn a_key_older_than_the_journal_is_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let entropy = FakeEntropy::new(1);
    let first = load_or_generate(dir.path(), &entropy, true).expect("a key");
    assert_ne!(
        load_or_generate(dir.path(), &entropy, true).expect("a key"),
        first
    );
}

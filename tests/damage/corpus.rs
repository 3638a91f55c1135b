//! The fuzzer's corpus, without the fuzzer: what it once found stays right.

use std::fs;
use std::path::Path;

use crate::checks;

/// Runs `check` on every file of a corpus.
fn every_file_of(corpus: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(corpus);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // Shown only if it fails: then this was the file.
        println!("{}", path.display());
        check(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 10, "{} holds {count} files", folder.display());
}

#[test]
fn replay_holds_together_on_every_file_of_its_corpus() {
    every_file_of("replay", checks::replay);
}

#[test]
fn every_untouched_record_of_the_corpus_comes_back() {
    every_file_of("damage", checks::damage);
}

#[test]
fn every_untouched_record_comes_back_from_ten_thousand_random_damages() {
    // A plain generator, so that it is the same ten thousand each time.
    let mut state = 0x1234_5678_u64;
    for _ in 0..10_000 {
        let input: Vec<u8> = (0..400)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                state.to_be_bytes()[0]
            })
            .collect();
        checks::damage(&input);
    }
}

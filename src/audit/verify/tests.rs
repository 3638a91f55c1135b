//! Each thing that somebody may do to a log in the middle shows.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::audit::line::{hash, line};

/// So many entries over some files, the oldest first.
fn written(files: &[u64]) -> (TempDir, Vec<Vec<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let (mut seq, mut prev) = (0, NONE_BEFORE.to_owned());
    let mut all = Vec::new();
    for count in files {
        let mut lines = Vec::new();
        for _ in 0..*count {
            seq += 1;
            let line = line(seq, "\"event\":\"login\"", &prev);
            prev = hash(line.as_bytes());
            lines.push(line);
        }
        all.push(lines);
    }
    write(&folder, &all);
    (folder, all)
}

fn write(folder: &TempDir, files: &[Vec<String>]) {
    for (number, lines) in files.iter().rev().enumerate() {
        let text: String = lines.iter().map(|line| line.clone() + "\n").collect();
        fs::write(path(folder.path(), number), text).unwrap();
    }
}

fn report(folder: &TempDir, files: &[Vec<String>]) -> ChainReport {
    write(folder, files);
    verify(folder.path()).unwrap()
}

#[test]
fn a_whole_chain_is_whole_over_all_files() {
    let (folder, files) = written(&[7, 5, 1, 9]);
    let whole = report(&folder, &files);
    assert!(whole.whole(), "{:?}", whole.problems);
    assert_eq!((whole.files, whole.entries), (4, 22));
    assert_eq!((whole.first, whole.last), (Some(1), Some(22)));
    assert_eq!(whole.head, Some(hash(files[3][8].as_bytes())));
    // What was rotated away is no problem, and is seen.
    let rotated = report(
        &folder,
        &[vec![], files[1].clone(), files[2].clone(), files[3].clone()],
    );
    assert!(rotated.whole());
    assert_eq!(rotated.first, Some(8));
}

#[test]
fn a_line_removed_changed_swapped_or_doubled_shows_wherever_it_is() {
    let (folder, files) = written(&[3, 4, 1, 5]);
    for file in 0..4 {
        for at in 0..files[file].len() {
            let is_first = file == 0 && at == 0;
            let is_last = file == 3 && at == 4;
            let mut removed = files.clone();
            removed[file].remove(at);
            // At the two ends it cannot show.
            assert_eq!(report(&folder, &removed).whole(), is_first || is_last);

            for byte in 0..files[file][at].len() {
                let mut changed = files.clone();
                let mut bytes = changed[file][at].clone().into_bytes();
                bytes[byte] = if bytes[byte] == b'1' { b'2' } else { b'1' };
                changed[file][at] = String::from_utf8(bytes).unwrap();
                let seen = !report(&folder, &changed).whole();
                // Of the last line only what chains it.
                assert!(seen || is_last, "{file} {at} {byte}");
            }

            let mut doubled = files.clone();
            doubled[file].insert(at, files[file][at].clone());
            assert!(!report(&folder, &doubled).whole(), "{file} {at}");

            if at + 1 < files[file].len() {
                let mut swapped = files.clone();
                swapped[file].swap(at, at + 1);
                assert!(!report(&folder, &swapped).whole(), "{file} {at}");
            }
        }
    }
}

#[test]
fn a_cut_in_the_middle_and_a_file_that_is_gone_show() {
    let (folder, files) = written(&[4, 4, 4, 4]);
    for file in 0..4 {
        let text: String = files[file].iter().map(|line| line.clone() + "\n").collect();
        for cut in 1..text.len() {
            write(&folder, &files);
            fs::write(path(folder.path(), 3 - file), &text[..cut]).unwrap();
            let report = verify(folder.path()).unwrap();
            assert_eq!(report.whole(), file == 3, "{file} {cut}");
            if file == 3 {
                let after_line = text[..cut].rfind('\n').map_or(0, |at| at + 1);
                assert_eq!(report.torn, (cut - after_line) as u64);
            }
        }
        write(&folder, &files);
        fs::remove_file(path(folder.path(), file)).unwrap();
        // The newest or the oldest: as if nothing more had happened, or it had been rotated away.
        assert_eq!(
            verify(folder.path()).unwrap().whole(),
            file == 0 || file == 3
        );
        write(&folder, &files);
    }
}

#[test]
fn a_place_is_named_and_many_are_counted() {
    let (folder, mut files) = written(&[3, 100]);
    files[1].remove(1);
    let one = report(&folder, &files);
    assert_eq!(one.problem_count, 1);
    assert_eq!(
        (one.problems[0].file.as_str(), one.problems[0].line),
        (NAME, 2)
    );
    assert!(
        one.problems[0].what.contains("entry 6 follows where 5"),
        "{:?}",
        one.problems
    );
    files[1].fill("x".repeat(5000));
    let many = report(&folder, &files);
    assert_eq!((many.problem_count, many.problems.len()), (99, MOST_SHOWN));
    assert!(verify(&folder.path().join("nowhere")).is_err());
}

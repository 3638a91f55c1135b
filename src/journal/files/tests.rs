use std::fs;

use super::super::storage::FileStorage;
use super::*;

fn open(folder: &tempfile::TempDir) -> Files {
    let storage = FileStorage::open(folder.path()).unwrap();
    Files::open(Arc::new(storage)).unwrap()
}

fn replace(files: &mut Files, bytes: &[u8]) {
    let mut replacement = files.replacement().unwrap();
    replacement.write(bytes).unwrap();
    replacement.seal().unwrap();
    files.publish(replacement).unwrap();
}

#[test]
fn appends_go_to_the_file_that_was_published_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = open(&folder);
    assert_eq!(files.read(100).unwrap(), None);
    assert!(files.append(b"nowhere").is_err());
    replace(&mut files, b"old");
    files.append(b"er").unwrap();
    replace(&mut files, b"new");
    files.append(b"er and longer").unwrap();
    files.sync().unwrap();
    files.truncate(5).unwrap();
    files.append(b"!").unwrap();
    assert_eq!(files.read(100).unwrap().unwrap(), b"newer!");
    assert!(files.read(5).is_err());
    drop(files);
    assert_eq!(open(&folder).read(100).unwrap().unwrap(), b"newer!");
}

#[test]
fn a_file_that_failed_is_cut_to_what_was_answered_and_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = open(&folder);
    replace(&mut files, b"answered");
    files.append(b" and not").unwrap();
    files.abandon(8);
    assert!(files.append(b"!").is_err());
    assert!(files.sync().is_err());
    drop(files);
    assert_eq!(open(&folder).read(100).unwrap().unwrap(), b"answered");
}

#[test]
fn a_replacement_that_was_not_published_is_gone_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = open(&folder);
    replace(&mut files, b"old");
    files.replacement().unwrap().write(b"half").unwrap();
    drop(files);
    assert_eq!(open(&folder).read(100).unwrap().unwrap(), b"old");
    assert!(!folder.path().join(REPLACEMENT).exists());
}

#[test]
fn a_damaged_file_is_kept_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = open(&folder);
    let mut kept = Vec::new();
    for bytes in [b"first", b"again"] {
        replace(&mut files, bytes);
        kept.push((files.keep_damaged().unwrap(), bytes));
        replace(&mut files, b"clean");
        files.append(b"er").unwrap();
    }
    for (kept, bytes) in kept {
        assert_eq!(fs::read(kept).unwrap(), bytes);
    }
}

#[test]
fn what_is_appended_to_a_file_that_was_removed_is_not_called_durable() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = open(&folder);
    replace(&mut files, b"old");
    fs::remove_file(folder.path().join(CURRENT)).unwrap();
    files.append(b"er").unwrap();
    assert!(files.sync().is_err());
}

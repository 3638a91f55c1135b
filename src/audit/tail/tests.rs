//! What is made of a file's end.

use std::fs;

use super::*;
use crate::audit::folder::path;
use crate::audit::line::{NONE_BEFORE, line};

#[test]
fn the_end_is_found_behind_however_much() {
    let last = line(7, "\"event\":\"login\"", NONE_BEFORE);
    let text = format!("{last}\n");
    for before in [
        "",
        "garbage\n",
        "\0\0\n",
        &"y".repeat(100_000),
        &"z\n".repeat(100_000),
    ] {
        let begins = before.is_empty() || before.ends_with('\n');
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), 0);
        let separator = if begins { "" } else { "\n" };
        let whole = format!("{before}{separator}{text}");
        fs::write(&path, &whole).unwrap();
        let expected = FileTail::Entries {
            seq: 7,
            hash: hash(last.as_bytes()),
            len: whole.len() as u64,
            torn: 0,
            damaged: 0,
        };
        assert_eq!(tail(&path).unwrap(), expected);
    }
}

#[test]
fn what_cannot_be_a_log_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(folder.path(), 0);
    assert_eq!(tail(&path).unwrap(), FileTail::Nothing(0));
    for (bytes, expected) in [
        (b"".to_vec(), FileTail::Nothing(0)),
        (b"{\"seq\":1,\"ti".to_vec(), FileTail::Nothing(12)),
        (vec![0; 4096], FileTail::Nothing(4096)),
        (b"text".to_vec(), FileTail::Foreign),
        (b"text\n".to_vec(), FileTail::Foreign),
        (vec![0; 100_000], FileTail::Foreign),
        (vec![b'\n'; 100_000], FileTail::Foreign),
    ] {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(tail(&path).unwrap(), expected);
    }
}

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use proptest::prelude::*;
use rawzip::ZipArchiveWriter;
use tempfile::NamedTempFile;

use super::*;

/// An archive of these files.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut bytes);
    for (index, (name, contents)) in files.iter().enumerate() {
        // One in two is stored as it is.
        let (deflated, method) = match index % 2 {
            0 => (true, CompressionMethod::DEFLATE),
            _ => (false, CompressionMethod::STORE),
        };
        let file = archive.new_file(*name).compression_method(method);
        let (mut entry, config) = file.start().expect("begun");
        let descriptor = if deflated {
            let encoder = DeflateEncoder::new(&mut entry, Compression::default());
            let mut writer = config.wrap(encoder);
            writer.write_all(contents).expect("written");
            let (encoder, descriptor) = writer.finish().expect("ended");
            encoder.finish().expect("ended");
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(contents).expect("written");
            writer.finish().expect("ended").1
        };
        entry.finish(descriptor).expect("ended");
    }
    archive.finish().expect("ended");
    bytes
}

type Steps = Vec<(String, Result<Vec<u8>, String>)>;

fn read(bytes: &[u8]) -> (Steps, Result<(), AdvisoryError>) {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    let mut steps = Steps::new();
    let ended = each(file.reopen().expect("opened"), &mut |name, _, read| {
        let name = String::from_utf8_lossy(name).into_owned();
        let read = read
            .map(<[u8]>::to_vec)
            .map_err(|broken| broken.to_string());
        steps.push((name, read));
        Ok(())
    });
    (steps, ended)
}

#[test]
fn each_advisory_in_an_archive_is_read_and_nothing_else() {
    let files: &[(&str, &[u8])] = &[
        ("a.json", b"one"),
        ("b/c.JSON", b"two"),
        ("README.txt", b"three"),
        ("inner.zip", b"four"),
        ("aa/bb/cc/etc/passwd.json", b"five"),
        ("_abs.md", b"six"),
        ("json", b"seven"),
    ];
    // The writer would not write such names.
    let mut bytes = zip(files);
    for (name, other) in [("aa/bb/cc/", "../../../"), ("_abs", "/abs")] {
        for at in 0..bytes.len() - name.len() {
            if bytes[at..].starts_with(name.as_bytes()) {
                bytes[at..at + name.len()].copy_from_slice(other.as_bytes());
            }
        }
    }
    let (steps, ended) = read(&bytes);
    ended.expect("whole");
    let contents: Vec<_> = steps
        .iter()
        .map(|(name, read)| (&**name, read.clone().expect("read")))
        .collect();
    let wanted = [
        ("a.json", "one"),
        ("b/c.JSON", "two"),
        ("../../../etc/passwd.json", "five"),
        ("/abs.md", "six"),
    ];
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(name, text)| (*name, text.as_bytes().to_vec()))
        .collect();
    assert_eq!(contents, wanted);
    assert!(read(&zip(&[])).1.is_ok());
}

#[test]
fn an_entry_that_swells_is_let_go() {
    let large = vec![b' '; usize::try_from(MAX_ADVISORY).expect("small") + 1];
    let bytes = zip(&[("a.json", &large), ("b.json", &large), ("c.json", b"{}")]);
    let (steps, ended) = read(&bytes);
    ended.expect("the rest is whole");
    for (name, read) in &steps[..2] {
        assert!(
            read.as_ref()
                .is_err_and(|said| said.contains("larger than")),
            "{name}"
        );
    }
    assert_eq!(steps[2].1, Ok(b"{}".to_vec()));
}

#[test]
fn a_damaged_entry_is_told_and_the_others_are_read() {
    let mut bytes = zip(&[
        ("a.json", b"{}"),
        ("b.json", b"a text that is stored"),
        ("c.json", b"{}"),
    ]);
    let at = bytes
        .windows(6)
        .position(|part| part == b"stored")
        .expect("there");
    bytes[at] ^= 1;
    let (steps, ended) = read(&bytes);
    ended.expect("the rest is whole");
    let good: Vec<_> = steps.iter().map(|(_, read)| read.is_ok()).collect();
    assert_eq!(good, [true, false, true]);
}

#[test]
fn what_is_encrypted_or_packed_in_another_way_is_told() {
    let files: &[(&str, &[u8])] = &[("a.json", b"{}"), ("b.json", b"{}")];
    // Flags and method, as the directory at the end has them for each file.
    for (offset, value) in [(8, 1), (10, 99)] {
        let mut bytes = zip(files);
        for at in 0..bytes.len() - offset {
            if bytes[at..].starts_with(b"PK\x01\x02") {
                bytes[at + offset] |= value;
            }
        }
        let (steps, _) = read(&bytes);
        assert_eq!(steps.len(), 2);
        assert!(steps.iter().all(|(_, read)| read.is_err()), "{offset}");
    }
    let name = format!("{}.json", "a".repeat(MAX_NAME));
    assert!(read(&zip(&[(&name, b"{}")])).1.is_err());
}

#[test]
fn an_archive_that_is_cut_off_or_lies_is_told() {
    let whole = zip(&[("a.json", b"{}"), ("b.json", b"{}"), ("c.json", b"{}")]);
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).1.is_err(), "{end}");
    }
    // The number of entries, twice, is 12 bytes before the end.
    let mut fewer = whole.clone();
    let at = whole.len() - 12;
    assert_eq!(fewer[at], 3);
    fewer[at] = 2;
    assert!(read(&fewer).1.is_err());
    assert!(read(b"").1.is_err());
    assert!(read(&b"P".repeat(100_000)).1.is_err());
}

proptest! {
    #[test]
    fn no_damage_breaks_anything(at in 0usize..400, with in any::<u8>(), end in 0usize..400) {
        let mut bytes = zip(&[("a.json", b"{}"), ("b.json", b"some text"), ("c.md", b"{}")]);
        let length = bytes.len();
        bytes[at % length] = with;
        let _ = read(&bytes);
        bytes.truncate(end);
        let _ = read(&bytes);
    }
}

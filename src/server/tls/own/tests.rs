//! That the device's own pair is whole after whatever happens, and belongs to whom the server runs as.

use rustix::process::geteuid;

use std::fs;

use super::*;
use crate::server::tls::facts::fingerprint;
use crate::server::tls::{Certificate, ServedFrom};

fn own(folder: &Path) -> String {
    let own = Certificate::own(folder, RELEASE_EPOCH).expect("a certificate");
    own.fingerprint()
}

/// The pair as it lies there, without tidying up.
fn read(folder: &Path) -> String {
    let pair = load(&own_files(folder)).expect("a pair");
    let served = pair.served(ServedFrom::Files, None).expect("settings");
    fingerprint(&served.key.cert[0])
}

fn left_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_renewed_certificate_has_another_key_and_takes_the_old_ones_place() {
    let dir = tempfile::tempdir().expect("a folder");
    let before = own(dir.path());
    let old = Facts::read(&dir.path().join(CERT)).expect("facts");
    renew(dir.path(), RELEASE_EPOCH + LIFETIME).expect("renewed");
    let new = Facts::read(&dir.path().join(CERT)).expect("facts");
    assert_ne!(new.public_key_pin, old.public_key_pin);
    assert_eq!(new.not_after, old.not_after + LIFETIME);
    assert_eq!(new.names, old.names);
    assert!(new.self_issued && new.subject == old.subject);
    assert_ne!(own(dir.path()), before);
    assert_eq!(own(dir.path()), new.fingerprint);
    assert_eq!(left_in(dir.path()), [CERT, KEY]);
}

/// Stops at each step of a renewal, as a crash would; what a start then finds is the old pair or the new one.
#[test]
fn a_crash_in_the_midst_of_a_renewal_leaves_the_old_pair_or_the_new_one() {
    for (cert_moved, key_moved) in [(false, false), (true, false), (true, true)] {
        let dir = tempfile::tempdir().expect("a folder");
        let other = tempfile::tempdir().expect("a folder");
        let (old, new) = (own(dir.path()), own(other.path()));
        let put = |from, to| {
            fs::copy(other.path().join(from), dir.path().join(to)).expect("copied");
        };
        put(KEY, NEXT_KEY);
        if cert_moved {
            put(CERT, CERT);
        }
        if key_moved {
            fs::rename(dir.path().join(NEXT_KEY), dir.path().join(KEY)).expect("renamed");
        }
        let expected = if cert_moved { &new } else { &old };
        // A server that runs meanwhile, or on a card that it may not write, reads the pair as well.
        assert_eq!(&read(dir.path()), expected);
        assert_eq!(&own(dir.path()), expected);
        assert_eq!(left_in(dir.path()), [CERT, KEY]);
        assert_eq!(&own(dir.path()), expected);
    }
}

#[test]
fn a_renewal_first_finishes_the_one_that_a_crash_broke_off() {
    let dir = tempfile::tempdir().expect("a folder");
    let other = tempfile::tempdir().expect("a folder");
    own(dir.path());
    let new = own(other.path());
    fs::copy(other.path().join(KEY), dir.path().join(NEXT_KEY)).expect("copied");
    fs::copy(other.path().join(CERT), dir.path().join(CERT)).expect("copied");
    settle_in_turn(&own_files(dir.path())).expect("settled");
    assert_eq!(left_in(dir.path()), [CERT, KEY]);
    assert_eq!(own(dir.path()), new);
}

#[test]
fn a_key_that_may_just_not_be_readable_is_not_thrown_away() {
    let dir = tempfile::tempdir().expect("a folder");
    own(dir.path());
    for name in [KEY, NEXT_KEY] {
        fs::write(dir.path().join(name), "unreadable").expect("written");
    }
    settle(&own_files(dir.path()));
    assert!(dir.path().join(NEXT_KEY).exists());
    // What is no key at all is replaced, as at a first start.
    own(dir.path());
    assert_eq!(left_in(dir.path()), [CERT, KEY]);
}

#[test]
fn what_postern_did_not_make_is_not_renewed() {
    let dir = tempfile::tempdir().expect("a folder");
    let refused = |dir: &Path| renew(dir, RELEASE_EPOCH).expect_err("a refusal");
    assert!(matches!(refused(dir.path()), RenewError::NeverMade(_)));
    assert!(left_in(dir.path()).is_empty());

    let (key, issuer_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let issuer = rcgen::Issuer::new(CertificateParams::default(), issuer_key);
    let mut params = CertificateParams::new(vec!["board".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "board");
    let pem = params.signed_by(&key, &issuer).unwrap().pem();
    fs::write(dir.path().join(CERT), &pem).expect("written");
    fs::write(dir.path().join(KEY), key.serialize_pem()).expect("written");
    assert!(matches!(refused(dir.path()), RenewError::NotOurs(_)));
    let there = fs::read_to_string(dir.path().join(CERT)).expect("read");
    assert_eq!(there, pem);
}

#[test]
fn root_does_nothing_in_a_services_folder_nor_behind_a_link_in_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    own(dir.path());
    let elsewhere = tempfile::NamedTempFile::new().expect("a file");
    fs::rename(dir.path().join(KEY), elsewhere.path()).expect("moved");
    std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(KEY)).expect("linked");
    let there = fs::read(elsewhere.path()).expect("read");
    let problem = load(&own_files(dir.path())).err().expect("a refusal");
    assert!(problem.to_string().contains("this is a link"), "{problem}");
    renew(dir.path(), RELEASE_EPOCH).expect("renewed");
    assert_eq!(fs::read(elsewhere.path()).expect("read"), there);
    assert!(load(&own_files(dir.path())).is_ok());

    let before = own(dir.path());
    if !geteuid().is_root() || std::os::unix::fs::chown(dir.path(), Some(1234), None).is_err() {
        return;
    }
    let refused = renew(dir.path(), RELEASE_EPOCH).expect_err("a refusal");
    assert!(refused.to_string().contains("--user 1234"), "{refused}");
    std::os::unix::fs::chown(dir.path(), Some(0), None).expect("taken back");
    assert_eq!(own(dir.path()), before);
}

#[test]
fn a_step_that_fails_leaves_the_old_pair_or_the_new_one() {
    // A folder with something in it gives its place to no file.
    let block = |path: &Path| {
        fs::remove_file(path).expect("removed");
        fs::create_dir_all(path.join("in the way")).expect("made");
    };
    let dir = tempfile::tempdir().expect("a folder");
    let before = own(dir.path());
    let kept = fs::read(dir.path().join(CERT)).expect("read");
    block(&dir.path().join(CERT));
    assert!(make(&own_files(dir.path()), RELEASE_EPOCH).is_err());
    fs::remove_dir_all(dir.path().join(CERT)).expect("removed");
    fs::write(dir.path().join(CERT), kept).expect("put back");
    assert_eq!(own(dir.path()), before);

    block(&dir.path().join(KEY));
    assert!(make(&own_files(dir.path()), RELEASE_EPOCH).is_err());
    let new = read(dir.path());
    assert_ne!(new, before);
    fs::remove_dir_all(dir.path().join(KEY)).expect("removed");
    assert_eq!(own(dir.path()), new);
    assert_eq!(left_in(dir.path()), [CERT, KEY]);
}

#[test]
fn of_two_at_once_one_waits() {
    let dir = tempfile::tempdir().expect("a folder");
    own(dir.path());
    let held = turn(dir.path()).expect("the turn");
    thread::scope(|scope| {
        let second = scope.spawn(|| renew(dir.path(), RELEASE_EPOCH));
        thread::sleep(RETRY);
        assert!(!second.is_finished());
        drop(held);
        second.join().expect("no panic").expect("renewed");
    });
}

#[test]
fn only_dns_names_become_names() {
    assert_eq!(dns_label("Board-7").as_deref(), Some("board-7"));
    assert_eq!(dns_label("two words"), None);
    assert_eq!(dns_label(""), None);
    for (host, whole) in [
        ("Board.Example.org", Some("board.example.org")),
        ("board..org", None),
        ("board.two words", None),
        ("board.local", Some("board.local")),
    ] {
        let names = subject_names(Some(host));
        for name in ["board", "board.local"].into_iter().chain(whole) {
            assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
        }
        let others = names.iter().filter(|name| name.starts_with("board"));
        let expected = if whole == Some("board.example.org") {
            3
        } else {
            2
        };
        assert_eq!(others.count(), expected, "{names:?}");
    }
    let names = subject_names(Some("board"));
    for name in ["board", "board.local", "localhost", "127.0.0.1", "::1"] {
        assert!(names.iter().any(|n| n == name), "{name}");
    }
}

//! Which certificate is served, whatever becomes of its files and of the clock.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::clock::RELEASE_EPOCH;

/// The names of the device's own files.
const OWN_CERT: &str = "tls-cert.pem";
const OWN_KEY: &str = "tls-key.pem";

fn own(dir: &Path, now: Timestamp) -> Certificate {
    Certificate::own(dir, now).expect("a certificate")
}

#[test]
fn the_suite_that_this_processor_is_quick_at_comes_first() {
    for (has_aes, first) in [
        (true, CipherSuite::TLS13_AES_256_GCM_SHA384),
        (false, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ] {
        let mut suites = provider::ALL_CIPHER_SUITES.to_vec();
        prefer(&mut suites, has_aes);
        assert_eq!(suites[0].suite(), first);
        assert_eq!(suites.len(), provider::ALL_CIPHER_SUITES.len());
    }
}

#[test]
fn the_own_certificate_is_made_once_and_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = own(dir.path(), RELEASE_EPOCH).fingerprint();
    assert_eq!(first.len(), 32 * 3 - 1);
    assert_eq!(own(dir.path(), RELEASE_EPOCH).fingerprint(), first);
}

#[test]
fn half_a_pair_after_a_crash_is_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = own(dir.path(), RELEASE_EPOCH).fingerprint();
    let other = tempfile::tempdir().expect("a directory");
    own(other.path(), RELEASE_EPOCH);
    fs::copy(other.path().join(OWN_KEY), dir.path().join(OWN_KEY)).expect("copied");
    assert_ne!(own(dir.path(), RELEASE_EPOCH).fingerprint(), first);
}

/// An integrator's pair in `dir`, good from the year 2000 until `until`; its fingerprint.
fn put(dir: &Path, until: Timestamp) -> String {
    let until = time::OffsetDateTime::from_unix_timestamp(until.as_secs().cast_signed());
    let mut params = rcgen::CertificateParams::new(["board".to_owned()]).expect("a name");
    params.not_after = until.expect("a time");
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let made = params.self_signed(&key).expect("made");
    fs::write(dir.join("key.pem"), key.serialize_pem()).expect("written");
    fs::write(dir.join("cert.pem"), made.pem()).expect("written");
    facts::fingerprint(made.der())
}

fn given(dir: &Path, now: Timestamp) -> Certificate {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    Certificate::given(&cert, &key, &dir.join("state"), now).expect("a certificate")
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("state")).expect("made");
    dir
}

fn reason(certificate: &Certificate, now: Timestamp) -> String {
    certificate.trouble(now).expect("trouble").reason
}

const NOW: Timestamp = RELEASE_EPOCH;

const FAR: Duration = Duration::from_secs(1_000_000);

#[test]
fn a_broken_pair_is_refused_and_the_old_one_serves_on() {
    let dir = folder();
    let before = put(dir.path(), NOW + FAR);
    let certificate = given(dir.path(), NOW);
    assert_eq!(certificate.fingerprint(), before);
    assert!(!certificate.wants_reading(NOW) && certificate.trouble(NOW).is_none());

    // The new key comes later than its certificate.
    let key = fs::read(dir.path().join("key.pem")).expect("read");
    let fresh = put(dir.path(), NOW + FAR);
    let new_key = fs::read(dir.path().join("key.pem")).expect("read");
    fs::write(dir.path().join("key.pem"), key).expect("put back");
    assert!(certificate.wants_reading(NOW));
    assert_eq!(certificate.reload(NOW), Err(PairRefused));
    assert_eq!(certificate.fingerprint(), before);
    let trouble = certificate.trouble(NOW).expect("trouble");
    assert!(trouble.reason.contains("the one before it serves on"));
    assert!(trouble.detail.contains("/key.pem: this is not the key of"));
    assert!(!trouble.reason.contains('/'), "{}", trouble.reason);
    // What was refused is not tried again until it changes.
    assert!(!certificate.wants_reading(NOW));

    fs::write(dir.path().join("key.pem"), new_key).expect("written");
    assert!(certificate.wants_reading(NOW));
    certificate.reload(NOW).expect("a good pair");
    assert_eq!(certificate.fingerprint(), fresh);
    assert_eq!(certificate.trouble(NOW), None);
}

#[test]
fn a_missing_file_is_noticed_and_so_is_its_return() {
    let dir = folder();
    put(dir.path(), NOW + FAR);
    let certificate = given(dir.path(), NOW);
    let cert = dir.path().join("cert.pem");
    let away = dir.path().join("away.pem");
    fs::rename(&cert, &away).expect("moved");
    assert!(certificate.wants_reading(NOW));
    assert_eq!(certificate.reload(NOW), Err(PairRefused));
    assert!(reason(&certificate, NOW).contains("cannot be read"));
    assert!(!certificate.wants_reading(NOW));
    fs::rename(&away, &cert).expect("moved back");
    assert!(certificate.wants_reading(NOW));
    certificate.reload(NOW).expect("good again");
    assert_eq!(certificate.trouble(NOW), None);
}

#[test]
fn at_a_start_with_a_bad_pair_the_last_good_one_serves_or_else_the_boards_own() {
    let dir = folder();
    let good = put(dir.path(), NOW + FAR);
    given(dir.path(), NOW);
    let whole = fs::read(dir.path().join("cert.pem")).expect("read");
    let key = fs::read(dir.path().join("key.pem")).expect("read");
    let write = |cert: &[u8], key: &[u8]| {
        fs::write(dir.path().join("cert.pem"), cert).expect("written");
        fs::write(dir.path().join("key.pem"), key).expect("written");
    };
    let own_key = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let cut = &whole[..whole.len() / 2];
    for (cert, key) in [
        (cut, &key[..]),
        (&[], &key),
        (&whole, &key[..9]),
        (&whole, own_key.as_bytes()),
    ] {
        write(cert, key);
        let certificate = given(dir.path(), NOW);
        assert_eq!(certificate.fingerprint(), good);
        let reason = reason(&certificate, NOW);
        assert!(reason.contains("the last good one serves"), "{reason}");
        assert!(certificate.own_file().is_none());
    }
    fs::remove_file(dir.path().join("state").join(pair::LAST_GOOD)).expect("removed");
    let certificate = given(dir.path(), NOW);
    let own = Facts::read(&dir.path().join("state").join(OWN_CERT)).expect("made");
    assert_eq!(certificate.fingerprint(), own.fingerprint);
    assert!(reason(&certificate, NOW).contains("the board's own serves"));
    // A good pair takes its place again, without a restart.
    write(&whole, &key);
    assert!(certificate.wants_reading(NOW));
    certificate.reload(NOW).expect("good");
    assert_eq!(certificate.fingerprint(), good);
    assert_eq!(certificate.trouble(NOW), None);
}

#[test]
fn an_expired_pair_is_trouble_at_once_and_is_no_reason_to_show_another_face() {
    let dir = folder();
    let ends = NOW + FAR;
    let first = put(dir.path(), ends);
    let certificate = given(dir.path(), NOW);
    assert_eq!(certificate.trouble(ends), None);
    let late = ends + Duration::from_secs(1);
    let trouble = certificate.trouble(late).expect("trouble");
    assert!(trouble.reason.ends_with("TLS_CERT_FILE has expired"));
    assert!(
        trouble
            .detail
            .contains("cert.pem: the certificate expired on 20")
    );
    // The clock was wrong.
    assert_eq!(certificate.trouble(NOW), None);

    // After a restart the same one is served: those who have pinned it know it.
    let certificate = given(dir.path(), late);
    assert_eq!(certificate.fingerprint(), first);
    assert!(reason(&certificate, late).contains("has expired"));
    // The clock is put right: nobody has to touch the files.
    assert!(!certificate.wants_reading(late) && certificate.wants_reading(ends));
    certificate.reload(ends).expect("good");
    assert_eq!(certificate.trouble(ends), None);

    // An expired one does not take a good one's place.
    put(dir.path(), NOW);
    assert_eq!(certificate.reload(ends), Err(PairRefused));
    assert_eq!(certificate.fingerprint(), first);
}

#[test]
fn a_board_in_1970_takes_a_good_certificate() {
    let dir = folder();
    let good = put(dir.path(), NOW + FAR);
    let certificate = given(dir.path(), Timestamp::default());
    assert_eq!(certificate.fingerprint(), good);
    assert_eq!(certificate.trouble(Timestamp::default()), None);
}

#[test]
fn the_last_good_pair_is_private_written_once_and_goes_with_the_settings() {
    let dir = folder();
    let kept = dir.path().join("state").join(pair::LAST_GOOD);
    let mark = || FileStamp::from(&fs::metadata(&kept).expect("kept"));
    put(dir.path(), NOW + FAR);
    let certificate = given(dir.path(), NOW);
    let written = mark();
    let mode = fs::metadata(&kept).expect("kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    certificate.reload(NOW).expect("good");
    given(dir.path(), NOW);
    assert_eq!(mark(), written, "flash is written for nothing");
    put(dir.path(), NOW + FAR);
    certificate.reload(NOW).expect("good");
    assert_ne!(mark(), written);
    // A bad pair takes no good one's place.
    let written = mark();
    fs::write(dir.path().join("cert.pem"), "").expect("written");
    certificate.reload(NOW).expect_err("bad");
    given(dir.path(), NOW);
    assert_eq!(mark(), written);

    own(&dir.path().join("state"), NOW);
    assert!(!kept.exists(), "a key that was taken away is kept");
}

#[test]
fn a_clock_in_1970_makes_no_expired_certificate() {
    let dir = tempfile::tempdir().expect("a directory");
    own(dir.path(), Timestamp::default());
    let pem = fs::read(dir.path().join(OWN_CERT)).expect("read");
    let der = CertificateDer::from_pem_slice(&pem).expect("a certificate");
    // UTCTime holds two digits of the year: from 2021 to 2036.
    let text: Vec<_> = der
        .windows(15)
        .filter(|w| w[0] == 0x17 && w[1] == 13)
        .collect();
    assert_eq!(&text[0][2..4], b"21");
    assert_eq!(&text[1][2..4], b"36");
}

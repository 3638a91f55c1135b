use std::fs;

use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

use super::*;

fn certificate(alter: impl FnOnce(&mut CertificateParams)) -> rcgen::Certificate {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    alter(&mut params);
    params.self_signed(&key).unwrap()
}

#[test]
fn names_dates_and_the_subject_are_what_was_put_in() {
    let made = certificate(|params| {
        params.subject_alt_names = vec![
            SanType::DnsName("board.local".try_into().unwrap()),
            SanType::Rfc822Name("root@board".try_into().unwrap()),
            SanType::IpAddress("192.168.1.7".parse().unwrap()),
            SanType::IpAddress("fe80::1".parse().unwrap()),
        ];
        params.distinguished_name = DistinguishedName::new();
        let mut name = |kind, value| params.distinguished_name.push(kind, value);
        name(DnType::CommonName, DnValue::from("board"));
        let wide = rcgen::string::BmpString::try_from("W\u{e4}chter").unwrap();
        name(DnType::OrganizationName, DnValue::BmpString(wide));
        name(DnType::CustomDnType(vec![1, 3, 9]), DnValue::from("x"));
        params.not_before = rcgen::date_time_ymd(2001, 2, 3);
        params.not_after = rcgen::date_time_ymd(2150, 12, 31);
    });
    let facts = Facts::of(made.der()).unwrap();
    assert_eq!(facts.subject, "CN=board, O=W\u{e4}chter, 1.3.9=x");
    assert_eq!(facts.names, ["board.local", "192.168.1.7", "fe80::1"]);
    assert_eq!(facts.not_before.to_string(), "2001-02-03T00:00:00.000Z");
    assert_eq!(facts.not_after.to_string(), "2150-12-31T00:00:00.000Z");
    assert!(facts.self_issued);
}

#[test]
fn what_others_have_signed_is_told_apart() {
    let (key, issuer_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let issuer = rcgen::Issuer::new(CertificateParams::default(), issuer_key);
    let mut params = CertificateParams::new(vec!["board".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    let signed = params.signed_by(&key, &issuer).unwrap();
    let facts = Facts::of(signed.der()).unwrap();
    assert!(!facts.self_issued);
    assert_eq!(facts.subject, "");
}

#[test]
fn what_rfc_5280_forbids_and_others_serve_all_the_same_is_read() {
    let made = certificate(|params| {
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x7f; 32]));
        params.subject_alt_names = vec![SanType::DnsName("xboard".try_into().unwrap())];
    });
    assert_eq!(Facts::of(made.der()).unwrap().names, ["xboard"]);
    // A name in UTF-8.
    let mut der = made.der().to_vec();
    let name = der
        .windows(6)
        .rposition(|bytes| bytes == b"xboard")
        .unwrap();
    der[name..name + 2].copy_from_slice("\u{e4}".as_bytes());
    assert_eq!(Facts::of(&der).unwrap().names, ["\u{e4}oard"]);
}

#[test]
fn the_first_one_of_a_file_counts_and_what_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.pem");
    let (first, second) = (certificate(|_| ()), certificate(|_| ()));
    fs::write(&path, format!("{}{}", first.pem(), second.pem())).unwrap();
    let facts = Facts::read(&path).unwrap();
    assert_eq!(facts, Facts::of(first.der()).unwrap());
    let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    for text in [pem, "", "-----BEGIN CERTIFICATE-----\n"] {
        fs::write(&path, text).unwrap();
        let error = Facts::read(&path).unwrap_err().to_string();
        assert!(error.contains("chain.pem"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_and_no_damage_do_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
    ) {
        let _ = Facts::of(&bytes);
        let mut der = WHOLE.with(Clone::clone);
        for (place, byte) in damage {
            let place = place.index(der.len());
            der[place] = byte;
        }
        let _ = Facts::of(&der);
        let _ = Facts::of(&der[..end.index(der.len())]);
    }
}

thread_local! {
    static WHOLE: Vec<u8> = certificate(|params| {
        let names = ["board".try_into().map(SanType::DnsName).unwrap()];
        params.subject_alt_names = names.into();
    })
    .der()
    .to_vec();
}

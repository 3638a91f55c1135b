use super::payload::{LOCK_OUT, LOCK_OUT_CLEARED};
use super::*;
use crate::clock::Timestamp;
use crate::ids::{ClientKey, Id, Interface};

const SALT: Salt = Salt(0x1234_5678);

fn framed(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(record, SALT, &mut bytes).unwrap();
    bytes
}

#[test]
fn every_record_comes_back_as_it_went_in() {
    for record in samples() {
        let bytes = framed(&record);
        let frame = Frame::parse(&bytes, SALT).unwrap();
        assert_eq!(frame.len(), bytes.len());
        assert_eq!(frame_len(&record), bytes.len());
        assert_eq!(frame.record(), Some(record));
    }
}

#[test]
fn a_frame_does_not_show_the_hash_in_it() {
    let bytes = framed(&Record::Password {
        generation: 1,
        origin: PasswordOrigin::Changed,
        at: Timestamp::from_secs(1),
        spared: None,
        hash: "$2b$04$hunter22".into(),
    });
    let shown = format!("{:?}", Frame::parse(&bytes, SALT).unwrap());
    // As text, and as a list of bytes.
    assert!(
        !shown.contains("hunter") && !shown.contains("104, 117"),
        "{shown}"
    );
}

#[test]
fn a_logout_is_28_bytes() {
    let logout = Record::FamilyRevoked {
        family: Id([9; 16]),
        expires: Timestamp::from_secs(1),
    };
    assert_eq!(framed(&logout).len(), 28);
}

#[test]
fn a_frame_of_another_file_never_verifies() {
    let bytes = framed(&samples()[0]);
    for salt in 1..10_000 {
        assert_eq!(Frame::parse(&bytes, Salt(salt)), None);
    }
}

#[test]
fn a_record_too_long_for_a_frame_is_refused_and_leaves_nothing() {
    let mut out = vec![7];
    let long = Record::Password {
        generation: 1,
        origin: PasswordOrigin::Changed,
        at: Timestamp::default(),
        hash: "x".repeat(MAX_PAYLOAD),
        spared: None,
    };
    assert_eq!(encode(&long, SALT, &mut out), Err(TooLong));
    assert_eq!(out, [7]);
}

#[test]
fn a_payload_of_an_unknown_shape_is_no_record() {
    for kind in 0..=255 {
        for length in 0..=MAX_PAYLOAD {
            let payload = &[0xff; MAX_PAYLOAD][..length];
            // 0xff is no UTF-8, no origin, no flag and no length, so only types of a fixed size may decode.
            let record = Frame { kind, payload }.record();
            let known = matches!(
                (kind, length),
                (1 | 3, 21) | (2, 26) | (5, 9 | 13 | 21) | (6, 4 | 8 | 16) | (7 | 8, 5) | (10, 9)
            );
            assert_eq!(record.is_some(), known, "type {kind}, {length} bytes");
        }
    }
}

#[test]
fn a_lock_out_of_the_first_version_is_one_of_the_network() {
    // Until 900 s, of 2001:db8:1:2::/64 and of 192.0.2.1, and the first one cleared: as 0.1 wrote them.
    let network = ClientKey::Network([0x20, 1, 0xd, 0xb8, 0, 1, 0, 2], Interface::NONE);
    let v4 = ClientKey::V4([192, 0, 2, 1]);
    let until = Timestamp::from_secs(900);
    let old: [(u8, &[u8], Record); 3] = [
        (
            LOCK_OUT,
            b"\x84\x03\0\0\0\x20\x01\x0d\xb8\0\x01\0\x02",
            Record::LockOut {
                client: network,
                until,
            },
        ),
        (
            LOCK_OUT,
            b"\x84\x03\0\0\0\xc0\0\x02\x01",
            Record::LockOut { client: v4, until },
        ),
        (
            LOCK_OUT_CLEARED,
            b"\x20\x01\x0d\xb8\0\x01\0\x02",
            Record::LockOutCleared { client: network },
        ),
    ];
    for (kind, payload, record) in old {
        assert_eq!(Frame { kind, payload }.record(), Some(record.clone()));
        // And is written in the same bytes, so that 0.1 understands it too.
        let bytes = framed(&record);
        assert_eq!(&bytes[1..2], [kind]);
        assert_eq!(&bytes[3..bytes.len() - 4], payload);
    }
}

#[test]
fn an_interface_that_none_can_be_is_no_record() {
    for on in [
        *b"eth0\0\0\0\0\0\0\0\0\0\0\0x",
        *b"an interface...\0",
        *b"sixteen-letters-",
        [0; 16],
    ] {
        let payload = [&[0xfe; 16][..], &on].concat();
        let (kind, payload) = (LOCK_OUT_CLEARED, &payload[..]);
        assert_eq!(Frame { kind, payload }.record(), None, "{on:?}");
    }
}

#[test]
fn either_copy_of_the_header_tells_the_salt() {
    let both = headers(SALT);
    assert_eq!(parse_header(&both), Some((VERSION, SALT)));
    assert_eq!(parse_header(&both[HEADER_LEN..]), Some((VERSION, SALT)));
    assert_eq!(parse_header(&both[..HEADER_LEN - 1]), None);
}

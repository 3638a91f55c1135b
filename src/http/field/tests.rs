use super::*;

#[test]
fn each_byte_at_each_place_is_judged_as_if_alone() {
    for byte in 0..=u8::MAX {
        for neighbour in [b'a', b' ', b'\t', 0x80, 0xff, 0x21, 0x7e] {
            for at in 0..19 {
                let mut bytes = [neighbour; 19];
                bytes[at] = byte;
                assert_eq!(
                    is_all_text(&bytes),
                    is_text(byte),
                    "{byte} at {at} in {neighbour}"
                );
            }
        }
    }
    assert!(is_all_text(b""));
}

#[test]
fn a_token_is_made_of_what_rfc_9110_lists() {
    let listed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    for byte in 0..=u8::MAX {
        assert_eq!(split_token(&[byte]).1.is_empty(), listed(byte), "{byte}");
    }
}

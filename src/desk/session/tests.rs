use super::*;

#[test]
fn only_what_fits_a_header_field_is_a_token() {
    assert!(is_token("eyJ.a-b_c~d+/="));
    for text in ["", "a b", "a\r\nX: y", "é", &"x".repeat(5000)] {
        assert!(!is_token(text), "{text:?}");
    }
}

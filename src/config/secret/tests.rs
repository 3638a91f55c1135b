use super::*;

#[test]
fn a_secret_never_shows_itself() {
    let text = SecretString::new("hunter22".to_owned());
    let bytes = SecretBytes::new(b"hunter22".to_vec());
    assert_eq!(format!("{text:?} {bytes:?}"), "[secret] [secret]");
    assert_eq!(text.expose().as_bytes(), bytes.expose());
}

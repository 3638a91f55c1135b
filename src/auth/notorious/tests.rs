use super::*;

#[test]
fn notorious_passwords_are_known_in_their_usual_disguises() {
    for password in [
        "password",
        "Password1",
        "PASSWORD123!",
        "raspberry",
        "Raspberry2026",
        "12345678",
        "aaaaaaaa",
        "changeme!",
        "admin123",
    ] {
        assert!(is_notorious(password), "{password}");
    }
    for password in ["correct horse", "passwordless door", "test-2937461937"] {
        assert!(!is_notorious(password), "{password}");
    }
}

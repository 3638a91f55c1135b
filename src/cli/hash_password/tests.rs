use super::*;
use crate::entropy::FakeEntropy;
use crate::terminal::prompt::read_line;

const CHEAPEST: u32 = 4;

fn hash_of(mut input: &[u8]) -> Result<String, HashError> {
    let password = read_line(&mut input)?;
    hash(&password, CHEAPEST, &FakeEntropy::new(1))
}

#[test]
fn the_hash_is_2b_of_the_first_line_without_its_end() {
    for input in ["pa$$word", "pa$$word\n", "pa$$word\r\n", "pa$$word\nmore\n"] {
        let hash = hash_of(input.as_bytes()).unwrap();
        assert!(hash.starts_with("$2b$04$"), "{hash}");
        assert!(bcrypt::verify("pa$$word", &hash).unwrap(), "{input:?}");
    }
}

#[test]
fn a_password_outside_the_rules_is_refused_with_the_rule() {
    let long = "é".repeat(37);
    for (input, rule) in [
        ("", "no password"),
        ("\n", "8 characters"),
        ("hunter2\n", "8 characters"),
        (&long, "72 bytes"),
        ("hunter22\0x\n", "NUL"),
    ] {
        let error = hash_of(input.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(rule), "{input:?}: {error}");
        assert!(!error.contains("hunter"), "{error}");
    }
    assert!(hash_of(b"hunter22\xff\n").is_err());
    assert!(hash_of("x".repeat(72).as_bytes()).is_ok());
    assert!(hash_of("пароль12".as_bytes()).is_ok(), "8 characters");
}

use super::*;

#[test]
fn random_keys_are_accepted() {
    for key in [
        "f1c9b7e25a0d4386e98b1a7c5d20f463",
        "qG5c1pZ0v0fUu8oRrJm7l2t9yWnKx3eA",
        "b3Blbi1kb29yLWF0LXRoZS1iYWNrLTk4Nw==",
        "ein Satz mit Leerzeichen, der lang genug ist",
    ] {
        assert_eq!(check(key), Ok(()), "{key}");
    }
}

#[test]
fn short_keys_are_refused() {
    for key in ["x", "f1c9b7e25a0d4386e98b1a7c5d20f46"] {
        assert!(check(key).unwrap_err().contains("32 bytes"));
    }
}

#[test]
fn patterns_are_refused() {
    for key in [
        "a".repeat(64),
        "ab".repeat(32),
        "f1c9b7e25a0d4386".repeat(2),
        "f1c9b7e25a0d4386e98".repeat(2),
        format!("{}f1c9b7e2", "f1c9b7e25a0d4386".repeat(2)),
        "aaaaaaaaaaaabbbbbbbbbbbbccccccccdddd".to_owned(),
    ] {
        assert!(check(&key).unwrap_err().contains("repeated"), "{key}");
    }
}

#[test]
fn examples_are_refused_in_every_spelling() {
    for key in [
        "change-me-change-me-now-please-or-else",
        "CHANGE_ME_TO_A_LONG_RANDOM_STRING_PLEASE",
        "secret-that-is-long-enough-for-hs256",
        "your-256-bit-secretyour-256-bit-secr",
        "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "django-insecure-4v#k2(7z_ph3l8)c!0w&x",
        "Pass-w0rd.Passw0rd Passw0rd_passW0rd",
        "0123456789abcdefFEDCBA9876543210",
    ] {
        let refused = check(key).is_err_and(|message| message.contains("example"));
        assert!(refused, "{key}");
    }
}

#[test]
fn a_key_without_letters_is_no_example_by_accident() {
    assert_eq!(check("!#%&/()=?^*_:;><@[]{}|~+-.,$§½¤"), Ok(()));
}

//! Whether a `SECRET_KEY` is one: long enough, and neither an example from somebody's documentation nor a pattern.
//!
//! Whoever knows the key signs tokens of their own. Copied examples are the first that are tried.

/// Refuses a key that could be guessed; the message never shows the key.
pub(super) fn check(key: &str) -> Result<(), &'static str> {
    let bytes = key.as_bytes();
    if bytes.len() < MIN_BYTES {
        return Err("is shorter than 32 bytes; make one with: openssl rand -hex 32");
    }
    if distinct(bytes) < MIN_DISTINCT || repeats(bytes) {
        return Err(
            "is a pattern of repeated characters; make a random one with: openssl rand -hex 32",
        );
    }
    if is_example(key) {
        return Err("is a known example value; make one of your own with: openssl rand -hex 32");
    }
    Ok(())
}

fn distinct(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count()
}

/// Whether some pattern fills the key twice or more, the last time perhaps in part.
fn repeats(bytes: &[u8]) -> bool {
    (1..=bytes.len().min(MAX_PATTERN) / 2)
        .any(|period| bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b))
}

fn is_example(key: &str) -> bool {
    let key: Vec<u8> = key
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_lowercase())
        .collect();
    let contains = |phrase: &str| {
        key.windows(phrase.len())
            .any(|window| window == phrase.as_bytes())
    };
    // An example repeated to length, and cut off. A few letters among symbols are no example.
    let stretched = |example: &str| {
        key.len() >= MIN_BYTES / 2
            && key
                .iter()
                .eq(example.as_bytes().iter().cycle().take(key.len()))
    };
    key.starts_with(b"secret")
        || key.starts_with(b"password")
        || PHRASES.iter().any(|phrase| contains(phrase))
        || EXAMPLES.iter().any(|example| stretched(example))
}

/// RFC 7518, 3.2: a key for HS256 has as many bits as its hash, or more.
const MIN_BYTES: usize = 32;

/// A random key of 32 hex digits, the poorest alphabet in use, has fewer than 8 different ones once in 27 million.
const MIN_DISTINCT: usize = 8;

/// Keeps the search for a pattern short, whatever is given.
const MAX_PATTERN: usize = 1024;

/// Words of documentation, without what separates them. No random key contains one: the shortest has eight letters.
const PHRASES: &[&str] = &[
    "changeme",
    "changethis",
    "changeit",
    "replacethis",
    "replacewith",
    "replaceme",
    "yoursecret",
    "yourkeyhere",
    "mysecret",
    "supersecret",
    "topsecret",
    "secretkey",
    "secretsecret",
    "examplekey",
    "insecure",
    "notsecure",
    "donotuse",
    "256bitsecret",
    "384bitsecret",
    "512bitsecret",
    "stringsecretatleast",
    "abcdefghijklmnop",
    "0123456789abcdef",
    "1234567890",
    "qwertyuiop",
];

/// Whole keys in print, without what separates their words and in lower case.
const EXAMPLES: &[&str] = &[
    // jwt.io, over the years (its others are among the phrases above).
    "secret",
    "asecretwithminimumlengthof256bitsislong",
    "avalidstringsecretthatisatleast512bitslongwhichisverylong",
    // RFC 7515, appendix A.1.
    "aym1sysppbydfgzld3umj1qzkobwvmkoqqestjqlrt1qs0gzh75aktmn3yj0ips4hcguutwjazzr1z9caow",
    // FastAPI's tutorial.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "passw0rd",
    "postern",
];

#[cfg(test)]
mod tests {
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
}

//! Checks a `SECRET_KEY`: it must be long enough, and neither an example from somebody's documentation nor a pattern.
//!
//! Whoever knows the key can sign tokens. Attackers try copied examples first.

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
mod tests;

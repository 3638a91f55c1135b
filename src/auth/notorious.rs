//! The short list of passwords that every guesser tries first. Only those that the rule about length lets through.

/// Whether the password is one of them, in whatever case, and with or without a few digits or marks hung on its
/// end.
pub(super) fn is_notorious(password: &str) -> bool {
    let folded = password.to_lowercase();
    let is_mark = |c: char| c.is_ascii_digit() || c.is_ascii_punctuation();
    let stem = folded.trim_end_matches(is_mark);
    LIST.contains(&folded.as_str())
        || (STEMS.contains(&stem) && folded.len() - stem.len() <= LONGEST_TAIL)
        || folded.chars().all(|c| folded.starts_with(c))
}

/// `2026` is a disguise; a longer tail is a password of its own.
const LONGEST_TAIL: usize = 4;

/// Exactly these.
const LIST: &[&str] = &[
    "00112233",
    "01234567",
    "0123456789",
    "0987654321",
    "10203040",
    "11112222",
    "11223344",
    "1122334455",
    "12121212",
    "123123123",
    "12341234",
    "12344321",
    "12345678",
    "123456789",
    "1234567890",
    "12345678910",
    "123456789a",
    "1234qwer",
    "123abc123",
    "123qweasd",
    "123qweasdzxc",
    "147258369",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "1qaz2wsx",
    "1qaz2wsx3edc",
    "1qazxsw2",
    "87654321",
    "987654321",
    "9876543210",
    "a1b2c3d4",
    "aa123456",
    "abc12345",
    "abcd1234",
    "adminadmin",
    "asdf1234",
    "changeme1",
    "default1",
    "pass1234",
    "p@ssw0rd",
    "pa$$w0rd",
    "pa55word",
    "passw0rd",
    "pi123456",
    "q1w2e3r4",
    "q1w2e3r4t5",
    "qazwsxedc",
    "qwer1234",
    "qwerty12",
    "test1234",
    "toor1234",
    "trustno1",
    "zaq12wsx",
    "zaq1zaq1",
];

/// These, and these with a few digits or marks behind them: `raspberry`, `Raspberry2026`.
const STEMS: &[&str] = &[
    "abcdefgh",
    "abcdefghi",
    "admin",
    "administrator",
    "asdfasdf",
    "asdfghjk",
    "asdfghjkl",
    "baseball",
    "changeit",
    "changeme",
    "charlie",
    "computer",
    "default",
    "dragon",
    "football",
    "iloveyou",
    "internet",
    "jennifer",
    "letmein",
    "liverpool",
    "logitech",
    "login",
    "manager",
    "master",
    "michelle",
    "monkey",
    "mypassword",
    "openbmc",
    "openwrt",
    "orangepi",
    "pass",
    "passpass",
    "password",
    "passwort",
    "postern",
    "princess",
    "qazwsx",
    "qwer",
    "qwert",
    "qwerty",
    "qwertyui",
    "qwertyuiop",
    "qwertz",
    "qwertzui",
    "qwertzuiop",
    "raspberry",
    "raspberrypi",
    "raspbian",
    "root",
    "rootroot",
    "samsung",
    "secret",
    "service",
    "shadow",
    "starwars",
    "sunshine",
    "superman",
    "supervisor",
    "support",
    "sysadmin",
    "temppass",
    "test",
    "testtest",
    "ubnt",
    "user",
    "welcome",
    "whatever",
    "zxcvbnm",
];

#[cfg(test)]
mod tests {
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
}

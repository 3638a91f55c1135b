//! Tokens that are not ours, not quite ours, or ours in another spelling; and foreign ones that are good.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::hmac;

use super::*;

pub(super) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Signs whatever it is given, as an integrator's own tool would.
pub(super) fn sign_with(key: &[u8], header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(tag.as_ref()))
}

pub(super) fn sign(header: &str, claims: &str) -> String {
    sign_with(KEY, header, claims)
}

fn claims(more: &str) -> String {
    let exp = NOON.as_secs() + 60;
    format!(r#"{{"sub":"admin","exp":{exp},"jti":"abc","type":"access"{more}}}"#)
}

#[test]
fn a_token_has_one_spelling() {
    let f = Fixture::new();
    let good = f.login().access_token;
    assert!(f.auth.bearer(&good).is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let (header, body, tag) = (parts[0], parts[1], parts[2]);
    let mut others = vec![
        format!("{good}="),
        format!("{header}=.{body}.{tag}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{tag}"),
        format!("{header}.{body}"),
        format!("{header}.{body}."),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        good.replace('.', "%2e"),
        good.to_lowercase(),
        String::new(),
        "..".into(),
        "a".repeat(1 << 20),
        format!("{header}.{}.{tag}", "A".repeat(8000)),
    ];
    // Every other last character of every segment: one in four has the same bits and only differs in the stray ones.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/";
    for at in [header.len(), header.len() + 1 + body.len(), good.len()] {
        for other in alphabet.chars() {
            let mut text = good.clone();
            text.replace_range(at - 1..at, &other.to_string());
            others.push(text);
        }
    }
    for other in others.iter().filter(|other| **other != good) {
        assert_eq!(refusal(f.auth.bearer(other)), Some(AuthError::InvalidToken));
    }
}

#[test]
fn only_hs256_under_our_key_is_accepted() {
    let f = Fixture::new();
    let good = sign(HEADER, &claims(""));
    assert!(f.auth.bearer(&good).is_ok());
    let unsigned = format!(
        "{}.{}.",
        BASE64.encode(r#"{"alg":"none"}"#),
        BASE64.encode(claims(""))
    );
    assert!(f.auth.bearer(&unsigned).is_err());
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#,
        r#"["HS256"]"#,
        "not json",
    ] {
        assert!(
            f.auth.bearer(&sign(header, &claims(""))).is_err(),
            "{header}"
        );
    }
    let foreign = sign_with(b"another key, 32 bytes long......", HEADER, &claims(""));
    assert!(f.auth.bearer(&foreign).is_err());
    // A tampered body under a good signature.
    let tampered = BASE64.encode(claims(r#","x":1"#));
    let parts: Vec<&str> = good.split('.').collect();
    assert!(
        f.auth
            .bearer(&format!("{}.{tampered}.{}", parts[0], parts[2]))
            .is_err()
    );
}

#[test]
fn a_claim_that_is_missing_wrong_or_repeated_is_refused() {
    let f = Fixture::new();
    let (now, exp) = (NOON.as_secs(), NOON.as_secs() + 60);
    let nested = "[".repeat(2000);
    for bad in [
        format!(r#"{{"exp":{exp},"jti":"a","type":"access"}}"#),
        r#"{"sub":"admin","jti":"a","type":"access"}"#.to_owned(),
        format!(r#"{{"sub":"admin","exp":{exp},"type":"access"}}"#),
        format!(r#"{{"sub":"admin","exp":{exp},"jti":"","type":"access"}}"#),
        format!(r#"{{"sub":"admin","exp":{exp},"jti":"a"}}"#),
        format!(r#"{{"sub":"admin","exp":{exp},"jti":"a","type":"refresh"}}"#),
        format!(r#"{{"sub":"admin","exp":{exp},"jti":"a","type":"Access"}}"#),
        format!(r#"{{"sub":"root","exp":{exp},"jti":"a","type":"access"}}"#),
        format!(r#"{{"sub":"admin","exp":{now},"jti":"a","type":"access"}}"#),
        r#"{"sub":"admin","exp":-1,"jti":"a","type":"access"}"#.to_owned(),
        format!(r#"{{"sub":"admin","exp":"{exp}","jti":"a","type":"access"}}"#),
        claims(&format!(r#","nbf":{exp}"#)),
        claims(r#","type":"access""#),
        claims(r#","sub":"admin""#),
        claims(r#","jti":"other""#),
        claims(&format!(r#","exp":{}"#, exp + 1)),
        claims(r#","gen":1,"gen":2"#),
        claims(r#","gen":2"#),
        claims(r#","gen":-1"#),
        claims(&format!(r#","iat":{now},"sid":"abc""#)),
        claims(&format!(r#","iat":{now},"sid":"{}""#, "A".repeat(32))),
        claims(&format!(r#","iat":{now},"sid":"+{}""#, "a".repeat(31))),
        claims(&format!(r#","sid":"{}""#, "a".repeat(32))),
        claims(&format!(r#","x":{nested}"#)),
        "null".to_owned(),
        String::new(),
    ] {
        assert!(f.auth.bearer(&sign(HEADER, &bad)).is_err(), "{bad}");
    }
    let good = claims(&format!(
        r#","iat":{now},"nbf":{now},"gen":1,"sid":"{}""#,
        "a".repeat(32)
    ));
    assert!(f.auth.bearer(&sign(HEADER, &good)).is_ok());
}

#[test]
fn a_token_that_would_outlive_the_memory_of_its_logout_is_refused() {
    let f = Fixture::new();
    let now = NOON.as_secs();
    let with_exp = |exp: u64| {
        let sid = "a".repeat(32);
        sign(
            HEADER,
            &format!(
                r#"{{"sub":"admin","iat":{now},"exp":{exp},"jti":"a","type":"access","sid":"{sid}"}}"#
            ),
        )
    };
    assert!(f.auth.bearer(&with_exp(now + 7 * 86_400)).is_ok());
    assert!(f.auth.bearer(&with_exp(now + 7 * 86_400 + 1)).is_err());
}

#[test]
fn the_previous_key_checks_but_does_not_sign() {
    let f = Fixture::new();
    let old = f.login();
    let new_key = b"fresh key of thirty-two bytes...";
    let rotated = |previous: Option<&[u8]>| {
        let settings = Settings {
            secret_key: Zeroizing::new(new_key.to_vec()),
            secret_key_previous: previous.map(|key| Zeroizing::new(key.to_vec())),
            ..settings(&f.directory)
        };
        let durable = Durable::new();
        f.durable.live(NOON, &mut |record| durable.apply(record));
        Fixture::with(settings, durable, NOON, f.directory.clone())
    };
    let both = rotated(Some(KEY));
    assert!(both.is_good(&old));
    let new = both.auth.refresh(&old.refresh_token).unwrap();
    assert!(both.is_good(&new));
    assert!(!f.is_good(&new));
    assert!(rotated(None).is_good(&new));
    assert!(!rotated(None).is_good(&old));
}

#[test]
fn a_foreign_token_is_its_own_login_and_judged_by_its_age() {
    let f = Fixture::new();
    let token = |jti: &str, iat: u64| {
        let exp = NOON.as_secs() + 30 * 86_400;
        sign(
            HEADER,
            &format!(r#"{{"sub":"admin","iat":{iat},"exp":{exp},"jti":"{jti}","type":"access"}}"#),
        )
    };
    let start = NOON.as_secs();
    let (one, two, early) = (token("1", start), token("2", start), token("3", start - 99));
    // The first password says nothing about their age.
    assert!(f.auth.bearer(&early).is_ok());
    let principal = f.auth.bearer(&one).unwrap();
    f.auth.logout(&principal).unwrap();
    // Revoked by its jti: neither a new signature over it nor time brings it back.
    for _ in 0..29 {
        f.pass(86_400);
        f.auth.tick();
        assert!(f.auth.bearer(&one).is_err());
        assert!(f.auth.bearer(&token("1", start + 1)).is_err());
    }
    assert!(f.auth.bearer(&two).is_ok());

    let changed = f.auth.clock.now().as_secs();
    let caller = f.auth.bearer(&two).unwrap();
    let change = f.auth.change_password(None, &caller, RIGHT, OTHER);
    change.unwrap();
    assert!(f.auth.bearer(&two).is_ok(), "spared");
    assert!(f.auth.bearer(&early).is_err());
    assert!(f.auth.bearer(&token("4", changed)).is_err());
    assert!(f.auth.bearer(&token("5", changed + 1)).is_ok());
    let undated = sign(
        HEADER,
        &format!(
            r#"{{"sub":"admin","exp":{},"jti":"6","type":"access"}}"#,
            changed + 60
        ),
    );
    assert!(f.auth.bearer(&undated).is_err());
}

#[test]
fn no_secret_is_shown_by_debug() {
    let f = Fixture::new();
    let pair = f.login();
    let principal = f.auth.bearer(&pair.access_token).unwrap();
    let Proof::Token { id, family, .. } = principal.proof else {
        panic!("not a token's principal");
    };
    let shown = format!("{principal:?}");
    assert!(shown.contains(&format!("{id:?}")) && format!("{family:?}").len() == 8);
    assert!(shown.len() < 300);
}

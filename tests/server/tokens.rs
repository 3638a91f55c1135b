//! Tokens made by hand with the right key, the wrong one, and none: only what the contract describes gets in.

use ring::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use serde_json::{Value, json};

use crate::device::{Device, PASSWORD, TODAY, Tokens};
use crate::forge::{KEY, OTHER_KEY, claims, is_signed_with, signed, token, with_header};

fn device() -> Device {
    Device::with(&[("SECRET_KEY", KEY)])
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims("access", 3600);
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims("access", 3600);
    claims.as_object_mut().expect("claims").remove(name);
    claims
}

#[test]
fn a_foreign_token_with_the_five_claims_is_as_good_as_our_own() {
    let device = device();
    let access = token(KEY, &claims("access", 3600));
    assert!(device.accepts(&access));
    let refresh = token(KEY, &claims("refresh", 3600));
    assert!(!device.accepts(&refresh));
    let next = Tokens::of(&device.refresh(&refresh));
    assert_eq!(device.refresh(&refresh).status, 401);
    assert!(device.accepts(&next.access));

    device.advance(3599);
    assert!(device.accepts(&access));
    device.advance(1);
    assert!(!device.accepts(&access));
}

/// RFC 7519, section 4.1.3: it is for somebody else.
#[test]
fn a_token_with_an_audience_is_refused() {
    let device = device();
    for audience in [
        json!("postern"),
        json!("https://localhost"),
        json!(""),
        json!([]),
        json!(["postern", "other"]),
        json!(5),
    ] {
        let access = token(KEY, &changed("aud", audience.clone()));
        assert!(!device.accepts(&access), "{audience}");
        let mut claims = claims("refresh", 3600);
        claims["aud"] = audience.clone();
        assert_eq!(
            device.refresh(&token(KEY, &claims)).status,
            401,
            "{audience}"
        );
    }
}

#[test]
fn a_foreign_token_can_be_logged_out_and_dies_with_the_password() {
    let device = device();
    let one = token(KEY, &claims("access", 3600));
    let two = token(KEY, &changed("jti", json!("two")));
    let logout = device.request("POST", "/api/logout", Some(&format!("Bearer {one}")), None);
    assert_eq!(logout.status, 200);
    assert!(!device.accepts(&one) && device.accepts(&two));
    assert!(!device.copy_after_power_cut(TODAY).accepts(&one));

    let own = device.login();
    assert_eq!(
        device
            .change_password(&own.bearer(), PASSWORD, "a wholly new one")
            .status,
        200
    );
    assert!(!device.accepts(&two));
    // One that was issued later is as good as before.
    device.advance(2);
    let mut later = claims("access", 3600);
    later["iat"] = json!(TODAY.as_secs() + 1);
    later["jti"] = json!("three");
    assert!(device.accepts(&token(KEY, &later)));
}

#[test]
fn a_missing_or_wrong_claim_is_401() {
    let device = device();
    let now = TODAY.as_secs();
    for claims in [
        without("type"),
        without("sub"),
        without("exp"),
        without("jti"),
        changed("type", json!("Access")),
        changed("type", json!("refresh")),
        changed("type", json!(["access"])),
        changed("type", Value::Null),
        changed("sub", json!("root")),
        changed("sub", json!("ADMIN")),
        changed("sub", json!("")),
        changed("sub", Value::Null),
        changed("exp", json!(now)),
        changed("exp", json!(now - 1)),
        changed("exp", json!(0)),
        changed("exp", json!("tomorrow")),
        changed("exp", json!(-1)),
        changed("exp", Value::Null),
        changed("nbf", json!(now + 60)),
        changed("jti", json!("")),
        changed("jti", json!(5)),
        json!([]),
        json!("access"),
        Value::Null,
    ] {
        assert!(!device.accepts(&token(KEY, &claims)), "{claims}");
    }
    assert!(device.accepts(&token(KEY, &claims("access", 1))));
}

#[test]
fn a_claim_said_twice_is_401() {
    let device = device();
    let now = TODAY.as_secs();
    let text = format!(
        "{{\"sub\":\"admin\",\"iat\":{now},\"exp\":{},\"jti\":\"x\",\"type\":\"refresh\",\"type\":\"access\"}}",
        now + 60
    );
    let header = "{\"alg\":\"HS256\"}";
    assert!(!device.accepts(&with_header(HMAC_SHA256, KEY, header, &text)));
    let once = text.replace("\"type\":\"refresh\",", "");
    assert!(device.accepts(&with_header(HMAC_SHA256, KEY, header, &once)));
}

#[test]
fn only_hs256_under_the_right_key_is_accepted() {
    let device = device();
    let good = claims("access", 3600);
    for bad in [
        signed(HMAC_SHA256, KEY, "none", &good),
        signed(HMAC_SHA256, KEY, "None", &good),
        signed(HMAC_SHA256, KEY, "hs256", &good),
        signed(HMAC_SHA256, KEY, "RS256", &good),
        signed(HMAC_SHA256, KEY, "HS512", &good),
        signed(HMAC_SHA384, KEY, "HS384", &good),
        signed(HMAC_SHA512, KEY, "HS512", &good),
        signed(HMAC_SHA512, KEY, "HS256", &good),
        signed(HMAC_SHA256, OTHER_KEY, "HS256", &good),
        with_header(HMAC_SHA256, KEY, "{}", &good.to_string()),
        with_header(HMAC_SHA256, KEY, "{\"alg\":[\"HS256\"]}", &good.to_string()),
        with_header(
            HMAC_SHA256,
            KEY,
            "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}",
            &good.to_string(),
        ),
        with_header(
            HMAC_SHA256,
            KEY,
            "{\"alg\":\"none\",\"alg\":\"HS256\"}",
            &good.to_string(),
        ),
    ] {
        assert!(!device.accepts(&bad), "{bad}");
    }
    let unsigned = signed(HMAC_SHA256, KEY, "none", &good);
    let stem = &unsigned[..=unsigned.rfind('.').expect("a dot")];
    assert!(!device.accepts(stem));
    assert!(!device.accepts(&stem[..stem.len() - 1]));
}

#[test]
fn a_tampered_token_is_401_wherever_it_was_touched() {
    let device = device();
    let good = token(KEY, &claims("access", 3600));
    // What is kept of it must not help the others.
    assert!(device.accepts(&good));
    let mut client = device.connect();
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let bad = String::from_utf8(bytes).expect("ASCII");
        let authorization = format!("Bearer {bad}");
        let response = client.request("GET", "/api/ws-token", Some(&authorization), None);
        assert_eq!(response.status, 401, "byte {at}");
    }
    assert!(device.accepts(&good));
}

#[test]
fn one_token_has_one_spelling() {
    let device = device();
    let good = device.login().access;
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let segments: Vec<&str> = good.split('.').collect();
    let mut spellings = vec![
        format!("{good}="),
        format!("{good}=="),
        format!("{good}."),
        format!(".{good}"),
        good.replacen('.', "=.", 1),
        good.replacen('.', "==.", 1),
        good.replacen('.', "..", 1),
        good.replace('.', "%2E"),
        format!("{good}%3D"),
        good.replacen('.', " .", 1),
        format!("{good},{good}"),
        format!("\"{good}\""),
        format!("{good}\u{a0}"),
    ];
    // The bits behind the last byte of each segment: a lenient decoder drops them.
    for (index, segment) in segments.iter().enumerate() {
        let (stem, last) = segment.split_at(segment.len() - 1);
        for other in alphabet.chars().filter(|c| !last.contains(*c)) {
            let mut copy: Vec<String> = segments.iter().map(|&s| s.to_owned()).collect();
            copy[index] = format!("{stem}{other}");
            spellings.push(copy.join("."));
        }
    }
    // The other alphabet of base64.
    if good.contains(['-', '_']) {
        spellings.push(good.replace('-', "+").replace('_', "/"));
    }
    let mut client = device.connect();
    for spelling in spellings {
        let authorization = format!("Bearer {spelling}");
        let response = client.request("GET", "/api/ws-token", Some(&authorization), None);
        // What is not ASCII is no head at all, and ends the connection.
        if response.status == 400 {
            client = device.connect();
        } else {
            assert_eq!(response.status, 401, "{spelling}");
        }
    }
    // Nor does a revoked token come back in another dress.
    assert!(device.accepts(&good));
    let out = device.request("POST", "/api/logout", Some(&format!("Bearer {good}")), None);
    assert_eq!(out.status, 200);
    for spelling in [good.clone(), format!("{good}=")] {
        assert!(!device.accepts(&spelling));
    }
}

#[test]
fn the_previous_key_checks_but_does_not_sign() {
    let mut device = Device::with(&[("SECRET_KEY", OTHER_KEY)]);
    let before = device.login();
    device.set("SECRET_KEY", KEY);
    device.set("SECRET_KEY_PREVIOUS", OTHER_KEY);
    device.restart();
    assert!(device.accepts(&before.access));
    let next = Tokens::of(&device.refresh(&before.refresh));
    for issued in [&next.access, &next.refresh, &device.login().access] {
        assert!(is_signed_with(issued, KEY) && !is_signed_with(issued, OTHER_KEY));
    }
    device.set("SECRET_KEY_PREVIOUS", "");
    device.restart();
    assert!(!device.accepts(&before.access));
    assert!(device.accepts(&next.access));
}

#[test]
fn a_generated_key_is_kept_so_that_logins_outlive_a_restart() {
    let mut device = Device::start();
    let pair = device.login();
    device.restart();
    assert!(device.accepts(&pair.access));
    assert_eq!(device.refresh(&pair.refresh).status, 200);
}

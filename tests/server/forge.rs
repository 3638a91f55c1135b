//! What a client might send that no honest one does: tokens made by hand, and many requests at once.

use std::sync::Barrier;
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

use crate::client::Response;
use crate::device::{Device, TODAY, USER};

/// For devices whose tokens are made by hand.
pub const KEY: &str = "qX7vB2mK9tR4wY6zA1cE3fG5hJ8nP0sD";
/// Another one.
pub const OTHER_KEY: &str = "d5TgH8kL2pQ9vX4bN7mZ1cS6fJ3wR0yU";

/// The five claims of the contract.
pub fn claims(kind: &str, lifetime: u64) -> Value {
    let now = TODAY.as_secs();
    json!({
        "sub": USER,
        "iat": now,
        "exp": now + lifetime,
        "jti": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "type": kind,
    })
}

/// A token whose header asks for HS256.
pub fn token(key: &str, claims: &Value) -> String {
    signed(hmac::HMAC_SHA256, key, "HS256", claims)
}

/// A token under whatever header, signed with whatever hash.
pub fn signed(hash: hmac::Algorithm, key: &str, algorithm: &str, claims: &Value) -> String {
    let header = json!({"alg": algorithm, "typ": "JWT"});
    with_header(hash, key, &header.to_string(), &claims.to_string())
}

/// A token of these very texts.
pub fn with_header(hash: hmac::Algorithm, key: &str, header: &str, claims: &str) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let text = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    );
    let key = hmac::Key::new(hash, key.as_bytes());
    let signature = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", encode(signature.as_ref()))
}

/// Whether this key signed the token.
pub fn is_signed_with(token: &str, key: &str) -> bool {
    let (text, signature) = token.rsplit_once('.').expect("a signature");
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::verify(&key, text.as_bytes(), &signature).is_ok()
}

/// The claims of a token.
pub fn read(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("claims");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    serde_json::from_slice(&claims).expect("JSON")
}

/// The answers to requests that are sent at one instant, each on a connection of its own that is up before.
pub fn at_once(device: &Device, requests: &[String]) -> Vec<Response> {
    let clients: Vec<_> = requests.iter().map(|_| device.connect()).collect();
    let start = Barrier::new(requests.len());
    thread::scope(|scope| {
        let asking: Vec<_> = clients
            .into_iter()
            .zip(requests)
            .map(|(mut client, request)| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    client.raw(request)
                })
            })
            .collect();
        asking
            .into_iter()
            .map(|asking| asking.join().expect("an answer"))
            .collect()
    })
}

/// How many of the answers have this status.
pub fn count(responses: &[Response], status: u16) -> usize {
    responses.iter().filter(|r| r.status == status).count()
}

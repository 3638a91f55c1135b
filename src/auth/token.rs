//! Tokens: JSON Web Tokens (RFC 7519) under HMAC SHA-256, issued and checked.
//!
//! One token has one spelling. Whatever a lenient decoder would take besides (padding, stray bits, a second dot) is
//! refused before the library sees it, and revocation goes by `jti`, never by text (GHSA-j5fj-8wxc-gvmj).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jwt_simple::prelude::{
    HS256Key, JWTClaims, MACLike, UnixTimeStamp, VerificationOptions, coarsetime,
};
use ring::digest;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

use super::claims::{Claims, Invalid, TokenKind, Verified};
use super::verified::VerifiedTokens;
use crate::audit::JtiPrefix;
use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::ids::Id;

/// Issues and checks the tokens of one user.
pub struct Tokens {
    user: String,
    key: HS256Key,
    /// For checking only, while keys are rotated.
    previous: Option<HS256Key>,
    /// No token of a login lives longer than this.
    longest: Duration,
    entropy: Arc<dyn Entropy>,
    kept: VerifiedTokens,
}

/// The claims that RFC 7519 does not register.
#[derive(Serialize, Deserialize)]
struct Private {
    #[serde(rename = "type")]
    kind: TokenKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(rename = "gen", default, skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
}

/// The header as far as it matters. A repeated member is an error, as serde has it for every struct.
#[derive(Deserialize)]
struct JwtHeader<'a> {
    alg: &'a str,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

impl Tokens {
    /// Tokens of `user` under `key` (32 bytes or more). `longest` is the longest lifetime that is ever given to
    /// [`Tokens::issue`]; what so many access tokens say is kept.
    #[must_use]
    pub fn new(
        user: String,
        key: &[u8],
        previous: Option<&[u8]>,
        longest: Duration,
        most_kept: usize,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            kept: VerifiedTokens::new(most_kept, entropy.as_ref()),
            user,
            key: HS256Key::from_bytes(key),
            previous: previous.map(HS256Key::from_bytes),
            longest,
            entropy,
        }
    }

    /// A new login's family.
    pub fn new_family(&self) -> Id {
        Id(self.random())
    }

    /// Issues a token. Its `exp` is whole seconds, rounded down.
    ///
    /// # Errors
    /// None that a caller could cause: the claims are always serialisable, the key is always long enough.
    pub fn issue(
        &self,
        kind: TokenKind,
        family: Id,
        generation: u32,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<String, Invalid> {
        let claims = JWTClaims {
            issued_at: Some(library_time(now)),
            expires_at: Some(library_time(now + lifetime)),
            invalid_before: None,
            issuer: None,
            subject: Some(self.user.clone()),
            audiences: None,
            jwt_id: Some(hex(&self.random())),
            nonce: None,
            custom: Private {
                kind,
                sid: Some(hex(&family.0)),
                generation: Some(generation),
            },
        };
        self.key.authenticate(claims).map_err(|_| Invalid)
    }

    /// Checks spelling, algorithm, signature, type, subject and lifetime.
    ///
    /// # Errors
    /// [`Invalid`], for whatever reason.
    pub fn verify(
        &self,
        token: &str,
        kind: TokenKind,
        now: Timestamp,
    ) -> Result<Verified, Invalid> {
        if token.len() > MAX_LENGTH {
            return Err(Invalid);
        }
        // Only access tokens come again and again.
        let fingerprint = (kind == TokenKind::Access)
            .then(|| self.kept.fingerprint(token))
            .flatten();
        if let Some(claims) = fingerprint.and_then(|fingerprint| self.kept.get(fingerprint)) {
            return claims.accepted(kind, now);
        }
        let claims = self.read(token, now)?;
        let verified = claims.accepted(kind, now)?;
        if let Some(fingerprint) = fingerprint {
            self.kept.keep(fingerprint, claims);
        }
        Ok(verified)
    }

    /// What a token says, if it is one of ours.
    fn read(&self, token: &str, now: Timestamp) -> Result<Claims, Invalid> {
        require_canonical(token)?;
        let claims = self.authenticated(token, now)?;

        let subject = claims.subject.ok_or(Invalid)?;
        let expires = time(claims.expires_at.ok_or(Invalid)?);
        let issued = claims.issued_at.map(time);
        let id = claims.jwt_id.filter(|jti| !jti.is_empty()).ok_or(Invalid)?;
        let (id, jti) = (id_of(&id), prefix_of(&id));
        // For somebody else: there is no name by which this server is an audience (RFC 7519, section 4.1.3).
        if subject != self.user || claims.audiences.is_some() {
            return Err(Invalid);
        }
        let family = match claims.custom.sid {
            None => id,
            Some(sid) => {
                // A revoked login is remembered for as long as its tokens can live; one that lives longer would come
                // back to life.
                let lifetime = expires.saturating_since(issued.ok_or(Invalid)?);
                if lifetime > self.longest {
                    return Err(Invalid);
                }
                parse_family(&sid)?
            }
        };
        Ok(Claims {
            kind: claims.custom.kind,
            not_before: claims.invalid_before.map(time),
            token: Verified {
                id,
                jti,
                family,
                generation: claims.custom.generation,
                issued: issued.unwrap_or_default(),
                expires,
            },
        })
    }

    /// The claims, if either key signed them. The library compares the signatures in equal time.
    fn authenticated(&self, token: &str, now: Timestamp) -> Result<JWTClaims<Private>, Invalid> {
        let options = VerificationOptions {
            accept_future: true,
            time_tolerance: Some(coarsetime::Duration::from_secs(0)),
            max_token_length: Some(MAX_LENGTH),
            artificial_time: Some(library_time(now)),
            ..VerificationOptions::default()
        };
        let keys = [Some(&self.key), self.previous.as_ref()];
        keys.into_iter()
            .flatten()
            .find_map(|key| key.verify_token(token, Some(options.clone())).ok())
            .ok_or(Invalid)
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        bytes
    }
}

/// Three segments, each in its one spelling, under a header that asks for HS256 and nothing out of the ordinary.
fn require_canonical(token: &str) -> Result<(), Invalid> {
    let mut segments = token.split('.');
    let mut segment = || {
        let text = segments.next().ok_or(Invalid)?;
        // This engine refuses padding and non-zero trailing bits.
        BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Invalid)
    };
    let header = segment()?;
    segment()?;
    let signature = segment()?;
    if segments.next().is_some() || signature.len() != digest::SHA256_OUTPUT_LEN {
        return Err(Invalid);
    }
    // Serde would take an array for the struct, member by member.
    if header.trim_ascii_start().first() != Some(&b'{') {
        return Err(Invalid);
    }
    let header: JwtHeader<'_> = serde_json::from_slice(&header).map_err(|_| Invalid)?;
    if header.alg != "HS256" || header.crit.is_some() {
        return Err(Invalid);
    }
    Ok(())
}

/// A token's id: 128 bits of its `jti`'s SHA-256, so that a foreign `jti` of any length takes 16 bytes.
fn id_of(jti: &str) -> Id {
    let hash = digest::digest(&digest::SHA256, jti.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_ref()[..16]);
    Id(id)
}

fn prefix_of(jti: &str) -> JtiPrefix {
    let mut prefix = JtiPrefix::default();
    let bytes = jti.bytes().chain(std::iter::repeat(0));
    prefix
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, byte)| *to = byte);
    prefix
}

fn parse_family(sid: &str) -> Result<Id, Invalid> {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if sid.len() != 32 || !sid.bytes().all(is_hex) {
        return Err(Invalid);
    }
    u128::from_str_radix(sid, 16)
        .map(|bits| Id(bits.to_be_bytes()))
        .map_err(|_| Invalid)
}

fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

fn library_time(time: Timestamp) -> UnixTimeStamp {
    UnixTimeStamp::from_secs(time.as_secs())
}

fn time(library_time: UnixTimeStamp) -> Timestamp {
    Timestamp::from_secs(library_time.as_secs())
}

/// Ours are 300 bytes. A foreign one may say more, but not fill a request head.
const MAX_LENGTH: usize = 4096;

//! Signatures as minisign makes them, for any text: an Ed25519 signature over the text's BLAKE2b-512, and a second one over
//! that and the trusted comment.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Somebody with a key of his own.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: [u8; 8],
}

impl Signer {
    pub fn new(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        Self {
            pair,
            id: [seed; 8],
        }
    }

    /// The second line of `minisign.pub`.
    pub fn key_text(&self) -> String {
        STANDARD.encode([b"Ed", &self.id[..], self.pair.public_key().as_ref()].concat())
    }

    pub fn key(&self) -> minisign_verify::PublicKey {
        minisign_verify::PublicKey::from_base64(&self.key_text()).expect("a key")
    }

    pub fn sign(&self, text: &[u8]) -> String {
        self.signature(*b"ED", blake2b_simd::blake2b(text).as_bytes())
    }

    pub fn sign_without_hash(&self, text: &[u8]) -> String {
        self.signature(*b"Ed", text)
    }

    fn signature(&self, kind: [u8; 2], signed: &[u8]) -> String {
        let comment = "timestamp:1795000000\tfile:update.json";
        let signature = self.pair.sign(signed);
        let whole = self
            .pair
            .sign(&[signature.as_ref(), comment.as_bytes()].concat());
        format!(
            "untrusted comment: a test's\n{}\ntrusted comment: {comment}\n{}\n",
            STANDARD.encode([&kind[..], &self.id, signature.as_ref()].concat()),
            STANDARD.encode(whole)
        )
    }
}

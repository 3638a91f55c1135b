//! Access tokens whose signature and claims were found good a moment ago, so that the next request with the same one costs a
//! hash and a look, not the whole reading.
//!
//! Only what can never change of a token is kept: what it says, and that our key signed it. Whether it has expired, was
//! revoked, or was overtaken by a password change is asked at each request, kept or not. So nothing has to be taken out when
//! a login ends, and an entry that nobody needs any more is only lost memory, of which there is a bounded amount.

use std::collections::HashMap;

use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;
use siphasher::sip128::SipHasher24;

use super::claims::Claims;
use crate::entropy::Entropy;

/// Claims by the keyed hash of the whole token's text: another spelling of the same token is another token here.
pub(super) struct VerifiedTokens {
    most: usize,
    /// `SipHash` under a key that nobody else knows: nobody can search for a text with the hash of another. It has 128 bits, so
    /// that nobody hits one by chance. HMAC would do as well, but costs some 13,000 instructions more for a token of 300 bytes on a
    /// processor without instructions for SHA.
    hasher: SipHasher24,
    /// By what is a keyed hash already.
    claims: Mutex<HashMap<TokenFingerprint, Claims, FxBuildHasher>>,
}

/// A token's keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenFingerprint(u128);

impl VerifiedTokens {
    /// Room for so many tokens; none with 0.
    pub fn new(most: usize, entropy: &dyn Entropy) -> Self {
        let mut key = [0; 16];
        entropy.fill(&mut key);
        Self {
            most,
            hasher: SipHasher24::new_with_key(&key),
            claims: Mutex::default(),
        }
    }

    /// What stands for this text; `None` if nothing is ever kept.
    pub fn fingerprint(&self, token: &str) -> Option<TokenFingerprint> {
        (self.most > 0).then(|| TokenFingerprint(self.hasher.hash(token.as_bytes()).as_u128()))
    }

    pub fn get(&self, fingerprint: TokenFingerprint) -> Option<Claims> {
        self.claims.lock().get(&fingerprint).copied()
    }

    /// Keeps what a good token says. When there is no room, all that are kept go: whoever still comes is back at once.
    pub fn keep(&self, fingerprint: TokenFingerprint, claims: Claims) {
        let mut kept = self.claims.lock();
        if kept.len() >= self.most {
            kept.clear();
        }
        kept.insert(fingerprint, claims);
    }
}

#[cfg(test)]
mod tests;

//! Whether a manifest was signed with the key that the owner named (minisign).

use minisign_verify::{PublicKey, Signature};

/// Why a manifest is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("the manifest is not signed, and UPDATE_PUBLIC_KEY asks for it")]
    Missing,
    /// It is no signature of minisign's, or one of its old kind.
    #[error(
        "the manifest's signature is none of minisign's (1.0 or later hashes by itself; older ones want -H)"
    )]
    Form,
    /// Signed by somebody else, or not this text.
    #[error("the manifest's signature is not that of UPDATE_PUBLIC_KEY over this manifest")]
    Wrong,
}

/// Holds a signature, as minisign writes it into a file, against a manifest.
///
/// Only signatures over the text's hash are taken (`ED`): all that minisign has made since 2020, and what `-H` made before. The
/// old kind signs bytes as they are, and a key that is used for anything else as well could be made to sign a manifest.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    manifest: &[u8],
    signature: Option<&[u8]>,
    key: &PublicKey,
) -> Result<(), SignatureError> {
    let signature = signature.ok_or(SignatureError::Missing)?;
    let signature = std::str::from_utf8(signature).map_err(|_| SignatureError::Form)?;
    let signature = Signature::decode(signature).map_err(|_| SignatureError::Form)?;
    key.verify(manifest, &signature, false)
        .map_err(|error| match error {
            minisign_verify::Error::UnexpectedAlgorithm => SignatureError::Form,
            _ => SignatureError::Wrong,
        })
}

/// Two lines of base64 and two comments, of which one is the signer's own.
pub const MAX_SIGNATURE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::updates::tests::signer::Signer;

    /// Made by minisign itself, over the four bytes `test`: the example in its documentation.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const GOOD: &str = "untrusted comment: signature from minisign secret key\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
        trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
        wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==";

    #[test]
    fn minisigns_own_signature_holds_for_its_text_and_key_alone() {
        let key = PublicKey::from_base64(KEY).expect("a key");
        let check =
            |text: &[u8], signature: &str, key| verify(text, Some(signature.as_bytes()), key);
        assert_eq!(check(b"test", GOOD, &key), Ok(()));
        assert_eq!(check(b"Test", GOOD, &key), Err(SignatureError::Wrong));
        assert_eq!(
            check(b"test", &GOOD.replace("timestamp:1", "timestamp:2"), &key),
            Err(SignatureError::Wrong)
        );
        let stranger = Signer::new(2).key();
        assert_eq!(check(b"test", GOOD, &stranger), Err(SignatureError::Wrong));
        assert_eq!(verify(b"test", None, &key), Err(SignatureError::Missing));
        for bad in [
            "",
            "x",
            "<html>",
            &GOOD[..120],
            &GOOD.replace("RUQ", "R\u{e9}Q"),
        ] {
            assert_eq!(
                check(b"test", bad, &key),
                Err(SignatureError::Form),
                "{bad}"
            );
        }
        assert_eq!(
            verify(b"test", Some(b"\xff\xff"), &key),
            Err(SignatureError::Form)
        );
    }

    #[test]
    fn a_signature_of_the_old_kind_is_refused_though_it_fits() {
        let signer = Signer::new(1);
        assert_eq!(
            verify(
                b"text",
                Some(signer.sign(b"text").as_bytes()),
                &signer.key()
            ),
            Ok(())
        );
        let old = signer.sign_without_hash(b"text");
        assert_eq!(
            verify(b"text", Some(old.as_bytes()), &signer.key()),
            Err(SignatureError::Form)
        );
    }
}

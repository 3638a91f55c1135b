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
mod tests;

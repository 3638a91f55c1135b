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
    let check = |text: &[u8], signature: &str, key| verify(text, Some(signature.as_bytes()), key);
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

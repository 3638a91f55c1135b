//! Reads a certificate's subject, names and dates (RFC 5280, section 4.1).
//!
//! The TLS library does not read these in the server's own certificate. `der` reads the bytes, and a walk along the
//! few fields that people ask for is ours: the crate with the whole of X.509 weighs four times as much.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{AnyRef, GeneralizedTime, ObjectIdentifier, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use ring::digest::{SHA256, digest};

use super::TlsError;
use super::pem::chain;
use crate::clock::Timestamp;

/// A certificate in words and numbers. What stands in it is its maker's: text may hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of the whole, as `openssl x509 -fingerprint -sha256` shows it.
    pub fingerprint: String,
    /// SHA-256 of its public key, as `curl --pinnedpubkey` takes it.
    pub public_key_pin: String,
    /// The subject's attributes in their order: `CN=board, O=Example`.
    pub subject: String,
    /// Whether issuer and subject are the same.
    pub self_issued: bool,
    /// The host names and addresses that it is good for, in their order.
    pub names: Vec<String>,
    /// From when on.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
}

impl Facts {
    /// Of the first certificate in a PEM file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no certificate that makes sense.
    pub fn read(file: &Path) -> Result<Self, TlsError> {
        let chain = chain(file, false)?;
        let first = chain.first().map_or(&[][..], |der| der.as_ref());
        Self::of(first).map_err(|error| TlsError::Content {
            path: file.to_owned(),
            problem: format!("not an X.509 certificate: {error}"),
        })
    }

    /// Of a certificate in DER.
    pub(super) fn of(der: &[u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let facts = reader.sequence(|certificate| {
            let facts = certificate.sequence(|signed| Self::of_signed(signed, der))?;
            rest(certificate)?;
            Ok::<_, der::Error>(facts)
        })?;
        reader.finish()?;
        Ok(facts)
    }

    fn of_signed(signed: &mut SliceReader<'_>, whole: &[u8]) -> der::Result<Self> {
        // The version is left out of version 1.
        if Tag::peek(signed)? == context(0, true) {
            AnyRef::decode(signed)?;
        }
        let _serial = AnyRef::decode(signed)?;
        let _algorithm = AnyRef::decode(signed)?;
        let issuer = AnyRef::decode(signed)?;
        let (not_before, not_after) =
            signed.sequence(|times| Ok::<_, der::Error>((time(times)?, time(times)?)))?;
        let subject = AnyRef::decode(signed)?;
        let key = signed.tlv_bytes()?;
        let mut names = Vec::new();
        while !signed.is_finished() {
            let part = AnyRef::decode(signed)?;
            if part.tag() == context(3, true) {
                names = alternative_names(part)?;
            }
        }
        Ok(Self {
            fingerprint: fingerprint(whole),
            public_key_pin: public_key_pin(key),
            subject: distinguished_name(subject)?,
            self_issued: issuer == subject,
            names,
            not_before,
            not_after,
        })
    }
}

/// SHA-256 in pairs of hexadecimal digits.
pub(super) fn fingerprint(der: &[u8]) -> String {
    let hash = digest(&SHA256, der);
    let pairs: Vec<_> = hash.as_ref().iter().map(|b| format!("{b:02X}")).collect();
    pairs.join(":")
}

/// SHA-256 of a `SubjectPublicKeyInfo` (RFC 7469, section 2.4).
pub(super) fn public_key_pin(key: &[u8]) -> String {
    format!("sha256//{}", STANDARD.encode(digest(&SHA256, key)))
}

fn time(times: &mut SliceReader<'_>) -> der::Result<Timestamp> {
    let time = AnyRef::decode(times)?;
    let since_epoch = match time.tag() {
        Tag::UtcTime => time.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => time.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    Ok(Timestamp::from_secs(since_epoch.as_secs()))
}

/// A SEQUENCE of SETs of attributes, each a type and a value.
fn distinguished_name(name: AnyRef<'_>) -> der::Result<String> {
    let mut text = String::new();
    name.sequence(|sets| {
        while !sets.is_finished() {
            let set = AnyRef::decode(sets)?;
            set.tag().assert_eq(Tag::Set)?;
            let mut attributes = SliceReader::new(set.value())?;
            while !attributes.is_finished() {
                let (kind, value) = attributes.sequence(|attribute| {
                    let kind = <ObjectIdentifier>::decode(attribute)?;
                    Ok::<_, der::Error>((kind, AnyRef::decode(attribute)?))
                })?;
                let comma = if text.is_empty() { "" } else { ", " };
                let kind = kind.to_string();
                let known = ATTRIBUTES.iter().find(|(number, _)| *number == kind);
                let kind = known.map_or(kind.as_str(), |(_, short)| short);
                // Writing to a String cannot fail.
                let _ = write!(text, "{comma}{kind}={}", string(value));
            }
        }
        Ok::<_, der::Error>(())
    })?;
    Ok(text)
}

fn string(value: AnyRef<'_>) -> String {
    if value.tag() == Tag::BmpString {
        let units = value.value().chunks_exact(2);
        let units = units.map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        return char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
    }
    String::from_utf8_lossy(value.value()).into_owned()
}

/// The DNS names and addresses of the extension that lists them, out of all extensions.
fn alternative_names(extensions: AnyRef<'_>) -> der::Result<Vec<String>> {
    let mut names = Vec::new();
    SliceReader::new(extensions.value())?.sequence(|list| {
        while !list.is_finished() {
            let (kind, value) = list.sequence(|extension| {
                let kind = <ObjectIdentifier>::decode(extension)?;
                let mut value = AnyRef::decode(extension)?;
                if value.tag() == Tag::Boolean {
                    value = AnyRef::decode(extension)?;
                }
                Ok::<_, der::Error>((kind, value))
            })?;
            if kind == SUBJECT_ALT_NAME {
                SliceReader::new(value.value())?.sequence(|list| {
                    while !list.is_finished() {
                        names.extend(name(AnyRef::decode(list)?));
                    }
                    Ok::<_, der::Error>(())
                })?;
            }
        }
        Ok::<_, der::Error>(())
    })?;
    Ok(names)
}

fn name(name: AnyRef<'_>) -> Option<String> {
    let value = name.value();
    if name.tag() == context(2, false) {
        return Some(String::from_utf8_lossy(value).into_owned());
    }
    if name.tag() != context(7, false) {
        return None;
    }
    let address = <[u8; 4]>::try_from(value).map(IpAddr::from);
    let address = address.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

fn rest(reader: &mut SliceReader<'_>) -> der::Result<()> {
    while !reader.is_finished() {
        AnyRef::decode(reader)?;
    }
    Ok(())
}

const fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific {
        constructed,
        number: TagNumber(number),
    }
}

/// RFC 5280, section 4.2.1.6.
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// The attributes that subjects have, as RFC 4514 and OpenSSL abbreviate them. Any other is shown by its number.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

#[cfg(test)]
mod tests;

//! Reads a certificate's subject, names and dates (RFC 5280, section 4.1).
//!
//! The TLS library does not read these in the server's own certificate.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{Any, AnyRef};
use der::oid::AssociatedOid;
use der::{Decode, Encode, Tag, TagNumber, Tagged};
use ring::digest::{SHA256, digest};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::name::Name;
use x509_cert::time::Time;

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

    /// Of a certificate in DER. `Raw`: clients take much that RFC 5280 forbids, and that has an end, too.
    pub(super) fn of(der: &[u8]) -> der::Result<Self> {
        let certificate = CertificateInner::<Raw>::from_der(der)?;
        let signed = certificate.tbs_certificate();
        let validity = signed.validity();
        let time = |time: Time| Timestamp::from_secs(time.to_unix_duration().as_secs());
        Ok(Self {
            fingerprint: fingerprint(der),
            public_key_pin: public_key_pin(&signed.subject_public_key_info().to_der()?),
            subject: distinguished_name(signed.subject()),
            self_issued: signed.issuer() == signed.subject(),
            names: alternative_names(signed.extensions())?,
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
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

/// The attributes in their order, in words.
fn distinguished_name(name: &Name) -> String {
    let mut text = String::new();
    for attribute in name.iter() {
        let comma = if text.is_empty() { "" } else { ", " };
        let kind = attribute.oid.to_string();
        let known = ATTRIBUTES.iter().find(|(number, _)| *number == kind);
        let kind = known.map_or(kind.as_str(), |(_, short)| short);
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{kind}={}", string(&attribute.value));
    }
    text
}

fn string(value: &Any) -> String {
    if value.tag() == Tag::BmpString {
        let units = value.value().chunks_exact(2);
        let units = units.map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        return char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
    }
    String::from_utf8_lossy(value.value()).into_owned()
}

/// The DNS names and addresses of the extension that lists them. The library takes none but ASCII for a DNS name.
fn alternative_names(extensions: Option<&Extensions>) -> der::Result<Vec<String>> {
    let mut names = Vec::new();
    for extension in extensions.into_iter().flatten() {
        if extension.extn_id == SubjectAltName::OID {
            let list = Vec::<AnyRef<'_>>::from_der(extension.extn_value.as_bytes())?;
            names.extend(list.into_iter().filter_map(name));
        }
    }
    Ok(names)
}

fn name(name: AnyRef<'_>) -> Option<String> {
    let value = name.value();
    let Tag::ContextSpecific { number, .. } = name.tag() else {
        return None;
    };
    match number {
        TagNumber(2) => Some(String::from_utf8_lossy(value).into_owned()),
        TagNumber(7) => {
            let address = <[u8; 4]>::try_from(value).map(IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

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

//! A record as a frame's type and payload: the drawing's table of records, field by field.

use std::time::Duration;

use super::super::record::{MAX_NAME, PasswordOrigin, Record};
use crate::clock::Timestamp;
use crate::ids::{ClientKey, Id, Interface};

/// Forty bits of seconds.
const TIME_LEN: usize = 5;

/// 128 bits.
const ID_LEN: usize = 16;

const TOKEN_REVOKED: u8 = 1;
const REFRESH_USED: u8 = 2;
const FAMILY_REVOKED: u8 = 3;
pub(super) const PASSWORD: u8 = 4;
pub(super) const LOCK_OUT: u8 = 5;
pub(super) const LOCK_OUT_CLEARED: u8 = 6;
const MARK: u8 = 7;
const LIFETIME: u8 = 8;
const PROVEN: u8 = 9;
const SESSIONS_ENDED: u8 = 10;

/// Counts passwords.
const GENERATION_LEN: usize = 4;

/// An interface's name, as in the kernel's `IFNAMSIZ`.
const INTERFACE_LEN: usize = 16;

/// The record that a payload of this type holds; `None` if this version does not know that type or shape.
pub(super) fn decode(kind: u8, payload: &[u8]) -> Option<Record> {
    let mut rest = payload;
    let record = match kind {
        TOKEN_REVOKED => Record::TokenRevoked {
            id: take_id(&mut rest)?,
            expires: take_time(&mut rest)?,
        },
        REFRESH_USED => Record::RefreshUsed {
            id: take_id(&mut rest)?,
            used: take_time(&mut rest)?,
            expires: take_time(&mut rest)?,
        },
        FAMILY_REVOKED => Record::FamilyRevoked {
            family: take_id(&mut rest)?,
            expires: take_time(&mut rest)?,
        },
        PASSWORD => Record::Password {
            generation: u32::from_le_bytes(take(&mut rest)?),
            origin: match take(&mut rest)? {
                [0] => PasswordOrigin::Initial,
                [1] => PasswordOrigin::Changed,
                _ => return None,
            },
            at: take_time(&mut rest)?,
            spared: match take(&mut rest)? {
                [0] => None,
                [1] => Some((take_id(&mut rest)?, take_time(&mut rest)?)),
                _ => return None,
            },
            hash: String::from_utf8(std::mem::take(&mut rest).to_vec()).ok()?,
        },
        LOCK_OUT => Record::LockOut {
            until: take_time(&mut rest)?,
            client: take_client(std::mem::take(&mut rest))?,
        },
        LOCK_OUT_CLEARED => Record::LockOutCleared {
            client: take_client(std::mem::take(&mut rest))?,
        },
        MARK => Record::Mark {
            at: take_time(&mut rest)?,
        },
        LIFETIME => Record::Lifetime {
            longest: Duration::from_secs(take_time(&mut rest)?.as_secs()),
        },
        SESSIONS_ENDED => Record::SessionsEnded {
            generation: u32::from_le_bytes(take(&mut rest)?),
            before: take_time(&mut rest)?,
        },
        PROVEN => {
            let until = take_time(&mut rest)?;
            let [length] = take(&mut rest)?;
            let (client, account) = rest.split_at_checked(length.into())?;
            rest = &[];
            Record::Proven {
                client: take_client(client)?,
                until,
                account: take_name(account)?,
            }
        }
        _ => return None,
    };
    rest.is_empty().then_some(record)
}

/// Appends the payload of a record in whole seconds to `out`, and gives its type.
pub(super) fn encode(record: &Record, out: &mut Vec<u8>) -> u8 {
    match record {
        Record::TokenRevoked { id, expires } => {
            out.extend_from_slice(&id.0);
            put_time(out, *expires);
            TOKEN_REVOKED
        }
        Record::RefreshUsed { id, used, expires } => {
            out.extend_from_slice(&id.0);
            put_time(out, *used);
            put_time(out, *expires);
            REFRESH_USED
        }
        Record::FamilyRevoked { family, expires } => {
            out.extend_from_slice(&family.0);
            put_time(out, *expires);
            FAMILY_REVOKED
        }
        Record::Password {
            generation,
            origin,
            at,
            hash,
            spared,
        } => {
            out.extend_from_slice(&generation.to_le_bytes());
            out.push(match origin {
                PasswordOrigin::Initial => 0,
                PasswordOrigin::Changed => 1,
            });
            put_time(out, *at);
            out.push(u8::from(spared.is_some()));
            if let Some((id, expires)) = spared {
                out.extend_from_slice(&id.0);
                put_time(out, *expires);
            }
            out.extend_from_slice(hash.as_bytes());
            PASSWORD
        }
        Record::LockOut { client, until } => {
            put_time(out, *until);
            put_client(out, *client);
            LOCK_OUT
        }
        Record::LockOutCleared { client } => {
            put_client(out, *client);
            LOCK_OUT_CLEARED
        }
        Record::Proven {
            client,
            until,
            account,
        } => {
            put_time(out, *until);
            let length = out.len();
            out.push(0);
            put_client(out, *client);
            out[length] = u8::try_from(out.len() - length - 1).unwrap_or(u8::MAX);
            out.extend_from_slice(account.as_bytes());
            PROVEN
        }
        Record::Mark { at } => {
            put_time(out, *at);
            MARK
        }
        Record::Lifetime { longest } => {
            put_time(out, Timestamp::from_secs(longest.as_secs()));
            LIFETIME
        }
        Record::SessionsEnded { generation, before } => {
            out.extend_from_slice(&generation.to_le_bytes());
            put_time(out, *before);
            SESSIONS_ENDED
        }
    }
}

/// The bytes of the record's payload, without the work of making it.
pub(super) fn payload_len(record: &Record) -> usize {
    let client = |client: &ClientKey| match client {
        ClientKey::V4(address) => address.len(),
        ClientKey::V6(address, on) => address.len() + interface_len(on),
        ClientKey::Network(prefix, on) => prefix.len() + interface_len(on),
    };
    match record {
        Record::TokenRevoked { .. } | Record::FamilyRevoked { .. } => ID_LEN + TIME_LEN,
        Record::RefreshUsed { .. } => ID_LEN + 2 * TIME_LEN,
        Record::Password { hash, spared, .. } => {
            let spared = spared.map_or(0, |_| ID_LEN + TIME_LEN);
            6 + TIME_LEN + spared + hash.len()
        }
        Record::LockOut { client: whom, .. } => TIME_LEN + client(whom),
        Record::LockOutCleared { client: whom } => client(whom),
        Record::Proven {
            client: whom,
            account,
            ..
        } => TIME_LEN + 1 + client(whom) + account.len(),
        Record::Mark { .. } | Record::Lifetime { .. } => TIME_LEN,
        Record::SessionsEnded { .. } => GENERATION_LEN + TIME_LEN,
    }
}

/// Whether a payload of this type can be as long as this, as far as the type is known.
pub(in crate::journal) fn is_payload_len(kind: u8, length: u8) -> bool {
    match kind {
        // No version has this type.
        0 => false,
        TOKEN_REVOKED | FAMILY_REVOKED => length == 16 + 5,
        REFRESH_USED => length == 16 + 5 + 5,
        // bcrypt's hash, and perhaps a token that was spared.
        PASSWORD => length == 11 + 60 || length == 11 + 21 + 60,
        LOCK_OUT => length.checked_sub(5).is_some_and(is_client_len),
        LOCK_OUT_CLEARED => is_client_len(length),
        // A client and a name.
        PROVEN => length > 5 + 1 + 4 && usize::from(length) <= 5 + 1 + 32 + MAX_NAME,
        MARK | LIFETIME => length == 5,
        SESSIONS_ENDED => length == 4 + 5,
        _ => true,
    }
}

pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

fn take_id(rest: &mut &[u8]) -> Option<Id> {
    take(rest).map(Id)
}

fn take_time(rest: &mut &[u8]) -> Option<Timestamp> {
    let mut seconds = [0; 8];
    seconds[..TIME_LEN].copy_from_slice(&take::<TIME_LEN>(rest)?);
    Some(Timestamp::from_secs(u64::from_le_bytes(seconds)))
}

const fn is_client_len(length: u8) -> bool {
    matches!(length, 4 | 8 | 16 | 24 | 32)
}

/// The client that these bytes are.
fn take_client(bytes: &[u8]) -> Option<ClientKey> {
    let mut rest = bytes;
    let client = match bytes.len() {
        4 => ClientKey::V4(take(&mut rest)?),
        8 | 24 => ClientKey::Network(take(&mut rest)?, take_interface(rest)?),
        16 | 32 => ClientKey::V6(take(&mut rest)?, take_interface(rest)?),
        _ => return None,
    };
    Some(client)
}

/// The interface that these bytes are: none of them is none.
fn take_interface(bytes: &[u8]) -> Option<Interface> {
    if bytes.is_empty() {
        return Some(Interface::NONE);
    }
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (name, padding) = bytes.split_at(end);
    let is_padded = padding.iter().all(|byte| *byte == 0);
    let name = std::str::from_utf8(name).ok().filter(|_| is_padded)?;
    Interface::named(name)
}

/// An account's or key's name.
fn take_name(bytes: &[u8]) -> Option<String> {
    let is_name = !bytes.is_empty() && bytes.len() <= MAX_NAME;
    String::from_utf8(bytes.to_vec()).ok().filter(|_| is_name)
}

fn put_time(payload: &mut Vec<u8>, time: Timestamp) {
    // `in_whole_seconds` has capped it to what these bytes hold.
    payload.extend_from_slice(&time.as_secs().to_le_bytes()[..TIME_LEN]);
}

fn put_client(payload: &mut Vec<u8>, client: ClientKey) {
    match client {
        ClientKey::V4(address) => payload.extend_from_slice(&address),
        ClientKey::V6(address, on) => {
            payload.extend_from_slice(&address);
            put_interface(payload, &on);
        }
        ClientKey::Network(prefix, on) => {
            payload.extend_from_slice(&prefix);
            put_interface(payload, &on);
        }
    }
}

fn interface_len(interface: &Interface) -> usize {
    if *interface == Interface::NONE {
        0
    } else {
        INTERFACE_LEN
    }
}

fn put_interface(payload: &mut Vec<u8>, interface: &Interface) {
    let end = payload.len() + interface_len(interface);
    payload.extend_from_slice(interface.name().as_bytes());
    payload.resize(end, 0);
}

/// One record of each type and shape, for the tests of this floor.
#[cfg(test)]
pub(in crate::journal) fn samples() -> Vec<Record> {
    let soon = Timestamp::from_secs(1_900_000_000);
    let at = Timestamp::from_secs(1_795_000_000);
    let eth0 = Interface::named("eth0").unwrap();
    let hash = "$2b$12$KIXQ4Vb3nS2m0ptS1kqv5uJ1n0Jxq0m6a0m5p3YbQe0F3n5y9eWbS".to_owned();
    vec![
        Record::TokenRevoked {
            id: Id([1; 16]),
            expires: soon,
        },
        Record::RefreshUsed {
            id: Id([2; 16]),
            used: at,
            expires: soon,
        },
        Record::FamilyRevoked {
            family: Id([0xA7; 16]),
            expires: soon,
        },
        Record::Password {
            generation: 1,
            origin: PasswordOrigin::Initial,
            at,
            hash: hash.clone(),
            spared: None,
        },
        Record::Password {
            generation: u32::MAX,
            origin: PasswordOrigin::Changed,
            at,
            hash,
            spared: Some((Id([4; 16]), soon)),
        },
        Record::LockOut {
            client: ClientKey::V4([192, 0, 2, 1]),
            until: soon,
        },
        Record::LockOut {
            client: ClientKey::Network([0x20, 1, 0xd, 0xb8, 0, 1, 0, 2], Interface::NONE),
            until: soon,
        },
        Record::LockOut {
            client: ClientKey::V6([0x20; 16], Interface::NONE),
            until: soon,
        },
        Record::LockOut {
            client: ClientKey::V6([0xfe; 16], eth0),
            until: soon,
        },
        Record::LockOutCleared {
            client: ClientKey::V4([192, 0, 2, 1]),
        },
        Record::LockOutCleared {
            client: ClientKey::Network([0xfe; 8], eth0),
        },
        Record::Proven {
            client: ClientKey::V6([0x20; 16], Interface::NONE),
            until: soon,
            account: "admin".into(),
        },
        Record::Proven {
            client: ClientKey::V6([0xfe; 16], eth0),
            until: soon,
            account: "a".repeat(MAX_NAME),
        },
        Record::Mark { at },
        Record::Lifetime {
            longest: Duration::from_secs(604_800),
        },
        Record::SessionsEnded {
            generation: 1,
            before: at,
        },
    ]
}

//! What syslog, the kernel and journald say with one number: how severe a message is, and which part of the system it is of.

use serde_json::Value;

use crate::logs::Level;

/// The level of a priority (RFC 5424, section 6.2.1): its last three bits.
pub(super) fn level(priority: u64) -> Level {
    Level::from_severity((priority & 7) as u8)
}

/// The facility of a priority by its name, or, where it has none, by its number.
pub(super) fn facility(priority: u64) -> Value {
    let number = priority >> 3;
    usize::try_from(number)
        .ok()
        .and_then(|number| FACILITIES.get(number))
        .map_or_else(|| Value::from(number), |&name| Value::from(name))
}

/// As RFC 5424 numbers them and rsyslog names them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

#[cfg(test)]
mod tests;

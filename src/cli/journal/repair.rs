//! `postern journal repair`: what is whole is saved, what is lost is said, and the damaged file stays.

use std::io;
use std::path::Path;

use super::count;
use super::verify::{NOTHING_LEFT, damage};
use crate::cli::{Console, FAILURE, SUCCESS, USELESS};
use crate::entropy::SystemEntropy;
use crate::journal::OpenError;
use crate::journal::PasswordOrigin;
use crate::journal::repair::{Outcome, repair};
use crate::journal::survey::Survey;

pub(super) fn run(path: &Path, yes: bool, console: &mut Console<'_>) -> io::Result<u8> {
    let shown = path.display();
    let out = &mut *console.out;
    match repair(path, &SystemEntropy, yes) {
        Ok(Outcome::Whole(found)) => {
            let records = count(found.records, "record");
            writeln!(out, "{shown}: nothing to repair: {records}, all whole")?;
            if found.torn_bytes > 0 {
                writeln!(out, "Its torn tail is harmless and cut at the next start")?;
            }
            Ok(SUCCESS)
        }
        Ok(Outcome::Repaired { found, kept }) => {
            let records = count(found.records, "record");
            writeln!(out, "{shown}: was {}", damage(&found))?;
            writeln!(
                out,
                "Written anew with {records}. The damaged file is {}",
                kept.display()
            )?;
            writeln!(out, "{}\n{LOST_LOGOUTS}", password(&found))?;
            Ok(SUCCESS)
        }
        Ok(Outcome::SetAside { kept }) => {
            writeln!(
                out,
                "{shown}: nothing could be saved. The damaged file is {}; the next start is a first start",
                kept.display()
            )?;
            writeln!(out, "{LOST_LOGOUTS}")?;
            Ok(SUCCESS)
        }
        Ok(Outcome::WantsConsent { found: Some(found) }) => {
            writeln!(console.err, "postern: {shown}: {}", damage(&found))?;
            writeln!(
                console.err,
                "{} Nothing is changed. To repair it all the same: postern journal repair --yes",
                password(&found)
            )?;
            Ok(FAILURE)
        }
        Ok(Outcome::WantsConsent { found: None }) => {
            writeln!(console.err, "postern: {shown}: {NOTHING_LEFT}")?;
            Ok(FAILURE)
        }
        Err(error) => {
            writeln!(console.err, "postern: {error}")?;
            Ok(match error {
                OpenError::Storage { source, .. }
                    if matches!(
                        source.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::InvalidData
                    ) =>
                {
                    USELESS
                }
                OpenError::Unreadable { .. } => USELESS,
                _ => FAILURE,
            })
        }
    }
}

/// What the damage means for whoever logs in.
fn password(found: &Survey) -> String {
    match found.password {
        None => "The password is lost: at the next start the account has its first password again, from \
                 BASIC_AUTH_PASSWORD or initial-password."
            .to_owned(),
        Some((generation, PasswordOrigin::Initial, at)) => format!(
            "The password is the first one (number {generation}, of {at}). If it was changed since, that was lost."
        ),
        Some((generation, PasswordOrigin::Changed, at)) => format!(
            "The password is number {generation}, of {at}. If it was changed since, that was lost."
        ),
    }
}

const LOST_LOGOUTS: &str = "\
What was lost may have been logouts: such a login works again until it expires. To end every login, remove `secret-key` from the \
state folder, or give another SECRET_KEY, before the next start.";

//! `postern journal verify`: whole or not, where not, and what to do.

use std::fmt::Write;
use std::io;
use std::path::Path;

use super::{count, unreadable};
use crate::cli::{Console, FAILURE, SUCCESS, USELESS};
use crate::journal::replay::Unreadable;
use crate::journal::survey::{HeaderState, Survey, survey};

pub(super) fn run(path: &Path, bytes: &[u8], console: &mut Console<'_>) -> io::Result<u8> {
    let survey = match survey(bytes, &mut |_| ()) {
        Ok(survey) => survey,
        Err(Unreadable::Header) => {
            writeln!(console.err, "postern: {}: {NOTHING_LEFT}", path.display())?;
            return Ok(USELESS);
        }
        Err(reason) => return unreadable(path, &reason, console),
    };
    write!(console.out, "{}: {}", path.display(), verdict(&survey))?;
    Ok(if survey.damaged() { FAILURE } else { SUCCESS })
}

/// Lines of text: what is wrong, and what to do.
fn verdict(survey: &Survey) -> String {
    let whole = count(survey.records, "record");
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = if survey.damaged() {
        write!(text, "{}\n{}", damage(survey), places(survey))
    } else if survey.torn_bytes > 0 {
        writeln!(
            text,
            "{whole} whole, and ends in a torn tail of {} (harmless, cut at the next start; while the server runs it may \
             be a record that is being written)",
            count(survey.torn_bytes as u64, "byte"),
        )
    } else {
        writeln!(text, "whole: {whole}, {} bytes", survey.bytes)
    };
    if survey.unknown_records > 0 {
        let newer = count(survey.unknown_records, "record");
        let _ = writeln!(text, "  {newer} of a newer version, kept as they are");
    }
    if survey.password.is_none() {
        let _ = writeln!(
            text,
            "  no password is in it: started like this, the account has its first password again"
        );
    }
    if survey.damaged() {
        let _ = writeln!(text, "{}", remedy(survey.header));
    }
    text
}

/// The damage in one line.
pub(super) fn damage(survey: &Survey) -> String {
    format!(
        "damaged: {} whole, {} lost{}",
        count(survey.records, "record"),
        count(survey.damaged_bytes as u64, "byte"),
        match survey.header {
            HeaderState::Lost => ", both copies of the header among them",
            _ if survey.records == 0 => ", and every record",
            _ => "",
        }
    )
}

fn places(survey: &Survey) -> String {
    let mut text = String::new();
    match survey.header {
        HeaderState::Whole | HeaderState::Lost => {}
        HeaderState::Damaged => text.push_str("  header: one copy is damaged\n"),
    }
    for (at, len) in &survey.gaps {
        let _ = writeln!(text, "  at offset {at}: {}", count(*len as u64, "byte"));
    }
    let more = survey.gap_count - survey.gaps.len();
    if more > 0 {
        let _ = writeln!(text, "  and {}", count(more as u64, "more place"));
    }
    if survey.torn_bytes > 0 {
        let torn = count(survey.torn_bytes as u64, "byte");
        let _ = writeln!(text, "  and a torn tail of {torn}");
    }
    text
}

fn remedy(header: HeaderState) -> &'static str {
    match header {
        HeaderState::Lost => {
            "The server refuses to start from it, but what is whole can be saved: stop it, then: postern journal repair"
        }
        HeaderState::Whole | HeaderState::Damaged => {
            "The next start of the server writes it anew from what is whole; so does, while it is stopped: postern journal repair"
        }
    }
}

/// What is said of a file of which nothing can be checked.
pub(super) const NOTHING_LEFT: &str = "\
both copies of its header are damaged, and there are not two whole records that would tell what was in them: nothing can be \
saved. Put back a copy of the file; or `postern journal repair --yes` sets it aside, and the next start is a first one";

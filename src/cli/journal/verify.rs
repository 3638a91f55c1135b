//! `postern journal verify`: whole or not, where not, and what to do.

use std::fmt::Write;
use std::io;

use super::{FIRST_PASSWORD, FOREIGN, LOGINS_END, Target, count, unreadable};
use crate::cli::{Console, FAILURE, SUCCESS, USELESS};
use crate::journal::repair::has_header;
use crate::journal::replay::Unreadable;
use crate::journal::survey::{HeaderState, Survey, survey};

pub(super) fn run(target: &Target, bytes: &[u8], console: &mut Console<'_>) -> io::Result<u8> {
    let shown = target.path.display();
    let survey = match survey(bytes, &mut |_| ()) {
        Ok(survey) => survey,
        Err(Unreadable::Header) if target.named && !has_header(bytes) => {
            return unreadable(&target.path, &FOREIGN, console);
        }
        Err(Unreadable::Header) => {
            writeln!(
                console.err,
                "postern: {shown}: {}",
                nothing_left(None, target)
            )?;
            return Ok(USELESS);
        }
        Err(reason) => return unreadable(&target.path, &reason, console),
    };
    write!(console.out, "{shown}: {}", verdict(&survey, target))?;
    Ok(if survey.whole() { SUCCESS } else { FAILURE })
}

/// Lines of text: what is wrong, and what to do.
fn verdict(survey: &Survey, target: &Target) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = if !survey.whole() {
        write!(text, "{}\n{}", damage(survey), places(survey))
    } else if survey.torn_bytes > 0 {
        writeln!(
            text,
            "{} whole, and ends in a torn tail of {}: as far as can be told, it was never answered. It is cut at the next \
             start (while the server runs it may be a record that is being written)",
            count(survey.records, "record"),
            count(survey.torn_bytes as u64, "byte"),
        )
    } else {
        let whole = count(survey.records, "record");
        writeln!(text, "whole: {whole}, {} bytes", survey.bytes)
    };
    if survey.unknown_records > 0 {
        let newer = count(survey.unknown_records, "record");
        let _ = writeln!(text, "  {newer} of a newer version, kept as they are");
    }
    if survey.password.is_none() {
        let _ = writeln!(
            text,
            "  no password is in it: started like this, {FIRST_PASSWORD}\n{LOGINS_END}"
        );
    }
    if !survey.whole() {
        let _ = writeln!(text, "{}", remedy(survey, target));
    }
    text
}

/// What is wrong, in one line.
pub(super) fn damage(survey: &Survey) -> String {
    if survey.records == 0 {
        return "damaged: not one record in it is whole".to_owned();
    }
    let whole = count(survey.records, "record");
    if !survey.damaged() {
        return format!("cut short: {whole} whole, and no password among them");
    }
    format!(
        "damaged: {whole} whole, {} lost{}",
        count(survey.damaged_bytes as u64, "byte"),
        match survey.header {
            HeaderState::Lost => ", both copies of the header among them",
            _ => "",
        }
    )
}

fn places(survey: &Survey) -> String {
    let mut text = String::new();
    match survey.header {
        // Of one that was cut short not even that is certain.
        HeaderState::Damaged if survey.records == 0 => {}
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

fn remedy(survey: &Survey, target: &Target) -> String {
    let repair = target.command(if survey.password.is_some() {
        "repair"
    } else {
        "repair --yes"
    });
    match survey.header {
        _ if survey.records == 0 => format!(
            "Put back a copy of the file if there is one. The next start of the server is a first start, and keeps this file \
             beside; so does, while it is stopped: {repair}"
        ),
        _ if survey.password.is_none() => format!(
            "A first start that was cut short leaves such a file, and then there is nothing to do. Else put back a copy if \
             there is one. The next start of the server goes on with what is whole, and keeps a damaged file beside; so \
             does, while it is stopped: {repair}"
        ),
        HeaderState::Lost => {
            format!("The server does not start from it, but what is whole can be saved: {repair}")
        }
        HeaderState::Whole | HeaderState::Damaged => format!(
            "The next start of the server writes it anew from what is whole, and keeps this file beside; so does, while it is \
             stopped: {repair}"
        ),
    }
}

/// What is said of a file out of which no record can be saved.
pub(super) fn nothing_left(found: Option<&Survey>, target: &Target) -> String {
    let why = match found {
        Some(_) => "not one record in it is whole",
        None => {
            "both copies of its header are damaged, and there are not two whole records that would tell what was in them"
        }
    };
    format!(
        "{why}: nothing can be saved. Put back a copy of the file; or `{}` sets it aside, and the next start is a first one",
        target.command("repair --yes")
    )
}

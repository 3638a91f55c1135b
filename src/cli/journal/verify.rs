//! `postern journal verify`: says whether the journal is damaged, where, and what to do.

use crate::terminal::Terminal;
use std::fmt::Write;
use std::io;

use super::{
    FIRST_PASSWORD, JournalAction, JournalTarget, LOGINS_END, NO_JOURNAL, NO_RECORD, count,
    from_row, no_record,
};
use crate::cli::command::{CommandRow, FAILURE, Operand, SUCCESS, WorksOn};
use crate::journal::survey::{Survey, survey};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "journal verify",
    summary: "say whether the journal is damaged, and what to do then",
    details: "\
Reads FILE, or the journal in STATE_DIR, and changes nothing. The server may be running. What it writes at that very \
moment may look like a torn tail: the rest of a write that nobody was told is done.",
    flags: &[],
    operand: Operand::File("FILE"),
    statuses: &[
        (0, "whole, or only with a torn tail"),
        (1, "damaged, or without a password"),
        NO_JOURNAL,
    ],
    works_on: WorksOn::StateDir,
    run: |arguments, context| from_row(JournalAction::Verify, arguments, context),
};

pub(super) fn run(
    target: &JournalTarget,
    bytes: &[u8],
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let shown = target.path.display();
    let survey = match survey(bytes, &mut |_| ()) {
        Ok(survey) => survey,
        Err(reason) => return no_record(target, bytes, reason, terminal),
    };
    write!(terminal.out, "{shown}: {}", verdict(&survey, target))?;
    Ok(if survey.whole() { SUCCESS } else { FAILURE })
}

/// Lines of text: what is wrong, and what to do.
fn verdict(survey: &Survey, target: &JournalTarget) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = if !survey.whole() {
        write!(text, "{}\n{}", damage(survey), places(survey))
    } else if survey.torn_bytes > 0 {
        writeln!(
            text,
            "{} whole, then a torn tail of {}. As far as postern can tell it was never answered; the next start cuts \
             it. (While the server runs, it may be a record that is being written.)",
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
            "  it has no password: if the server starts with it, {FIRST_PASSWORD}\n{LOGINS_END}"
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
        return format!("damaged: {NO_RECORD}");
    }
    let whole = count(survey.records, "record");
    if !survey.damaged() {
        return format!("cut short: {whole} whole, and no password among them");
    }
    format!(
        "damaged: {whole} whole, {} lost",
        count(survey.damaged_bytes as u64, "byte")
    )
}

fn places(survey: &Survey) -> String {
    let mut text = String::new();
    // Without one whole record the header proves nothing.
    if survey.damaged_header && survey.records > 0 {
        text.push_str("  header: one copy is damaged\n");
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

fn remedy(survey: &Survey, target: &JournalTarget) -> String {
    let repair = target.command(if survey.password.is_some() {
        "repair"
    } else {
        "repair --yes"
    });
    if survey.records == 0 {
        format!(
            "Put back a copy of the file if you have one. Otherwise the next start of the server is a first start, \
             and keeps this file beside the new one. To do the same while it is stopped: {repair}"
        )
    } else if survey.password.is_none() {
        format!(
            "A first start that was cut short leaves such a file; then there is nothing to do. Otherwise put back a \
             copy if you have one. The next start of the server goes on with the whole records, and keeps a damaged \
             file beside the new one. To do the same while it is stopped: {repair}"
        )
    } else {
        format!(
            "The next start of the server writes it anew from the whole records, and keeps this file beside the new \
             one. To do the same while it is stopped: {repair}"
        )
    }
}

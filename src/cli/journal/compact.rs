//! `postern journal compact`: removes what nobody needs any more, while the server is stopped.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{JournalAction, JournalTarget, NO_JOURNAL, from_row, no_record};
use crate::auth::Durable;
use crate::cli::command::{CommandRow, FAILURE, Operand, SUCCESS, WorksOn};
use crate::clock::SystemTimeSource;
use crate::files;
use crate::journal::repair::lock;
use crate::journal::survey::survey;
use crate::journal::{FileStorage, Journal, OpenError};
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "journal compact",
    summary: "remove what nobody needs any more, while the server is stopped",
    details: "\
The server does this by itself when half of the journal is waste. You need not.",
    flags: &[],
    operand: Operand::None,
    statuses: &[
        (0, "compacted"),
        (
            1,
            "not done: the server is running, or the journal is damaged",
        ),
        NO_JOURNAL,
    ],
    works_on: WorksOn::StateDir,
    run: |arguments, context| from_row(JournalAction::Compact, arguments, context),
};

pub(super) fn run(
    target: &JournalTarget,
    bytes: &[u8],
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let path = target.path.as_path();
    let refusal = match survey(bytes, &mut |_| ()) {
        Err(reason) => return no_record(target, bytes, reason, terminal),
        Ok(survey) if !survey.whole() => {
            Some("it is not whole; `postern journal verify` says what to do".to_owned())
        }
        // Under another name the new file would not replace the old one.
        Ok(_) => None,
    };
    if let Some(refusal) = refusal {
        writeln!(terminal.err, "postern: {}: {refusal}", path.display())?;
        return Ok(FAILURE);
    }
    match compact(path) {
        Ok((before, Some(after))) => {
            writeln!(
                terminal.out,
                "compacted: {before} bytes before, {after} now"
            )?;
            Ok(SUCCESS)
        }
        Ok((_, None)) => {
            writeln!(
                terminal.err,
                "postern: {}: the new file could not be written, and the old one is unchanged; is there room for both?",
                path.display()
            )?;
            Ok(FAILURE)
        }
        Err(OpenError::Locked { path }) => {
            writeln!(
                terminal.err,
                "postern: a running postern holds {}. It compacts its journal itself",
                path.display()
            )?;
            Ok(FAILURE)
        }
        Err(error) => {
            writeln!(terminal.err, "postern: {error}")?;
            Ok(FAILURE)
        }
    }
}

/// The file's bytes before, and after if it could be done.
fn compact(path: &Path) -> Result<(u64, Option<u64>), OpenError> {
    let _lock = lock(path)?;
    let storage = FileStorage::unguarded(files::parent(path));
    let state = Arc::new(Durable::new());
    let time = Arc::new(SystemTimeSource::new());
    let (journal, replayed) = Journal::open(Box::new(storage), state, time)?;
    // A card without room for a second file leaves it as it is.
    let compacted = journal.compact().is_ok();
    Ok((replayed.bytes, compacted.then_some(journal.stats().bytes)))
}

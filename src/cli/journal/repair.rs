//! `postern journal repair`: saves the whole records, says what is lost, and keeps the damaged file.

use std::io;

use super::verify::damage;
use super::{
    FIRST_PASSWORD, FOREIGN, JournalAction, JournalTarget, LOGINS_END, NO_JOURNAL, count, from_row,
    nothing_left, unreadable,
};
use crate::cli::command::{CommandRow, FAILURE, FlagRow, Operand, SUCCESS, USELESS, WorksOn};
use crate::entropy::SystemEntropy;
use crate::journal::OpenError;
use crate::journal::PasswordOrigin;
use crate::journal::repair::{RepairOutcome, RepairPermission, repair};
use crate::journal::survey::Survey;
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "journal repair",
    summary: "save the whole records of a damaged journal, while the server is stopped",
    details: "\
Works on FILE, or on the journal in STATE_DIR. It keeps the damaged file beside it, as FILE.damaged.1 and so on up to \
8, and never overwrites one. It changes neither a whole journal nor a FILE that does not look like a journal.

If the password in it is lost, the account would have its first password again. postern does that only with --yes. \
Without it, it says so and changes nothing.",
    flags: &[FlagRow::new(
        "yes",
        "repair it even if the password is lost, or if nothing at all can be saved",
    )],
    operand: Operand::File("FILE"),
    statuses: &[
        (0, "repaired, or nothing to repair"),
        (1, "not done; the message says why, and nothing is changed"),
        NO_JOURNAL,
    ],
    works_on: WorksOn::StateDir,
    run: |arguments, context| {
        let yes = arguments.has("yes");
        from_row(JournalAction::Repair { yes }, arguments, context)
    },
};

pub(super) fn run(
    target: &JournalTarget,
    yes: bool,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let shown = target.path.display();
    let out = &mut *terminal.out;
    let leave = RepairPermission {
        consent: yes,
        own: !target.named,
    };
    match repair(&target.path, &SystemEntropy, leave) {
        Ok(RepairOutcome::Whole(found)) => {
            let records = count(found.records, "record");
            writeln!(out, "{shown}: nothing to repair: {records}, all whole")?;
            if found.torn_bytes > 0 {
                writeln!(
                    out,
                    "It ends in a torn tail. As far as postern can tell it was never answered; the next start cuts it"
                )?;
            }
            Ok(SUCCESS)
        }
        Ok(RepairOutcome::Repaired { found, kept }) => {
            let records = count(found.records, "record");
            writeln!(out, "{shown}: was {}", damage(&found))?;
            writeln!(
                out,
                "Written anew with {records}. The damaged file is {}",
                kept.display()
            )?;
            writeln!(out, "{}\n{}", password(&found), logins(&found))?;
            Ok(SUCCESS)
        }
        Ok(RepairOutcome::SetAside { kept }) => {
            writeln!(
                out,
                "{shown}: nothing could be saved. The damaged file is {}; the next start is a first start: \
                 {FIRST_PASSWORD}.\n{LOGINS_END}",
                kept.display()
            )?;
            Ok(SUCCESS)
        }
        Ok(RepairOutcome::WantsConsent { found: Some(found) }) if found.records > 0 => {
            writeln!(
                terminal.err,
                "postern: {shown}: {}\n{} Nothing is changed. If you have a copy of it, put that back. To repair it \
                 without one: {}",
                damage(&found),
                password(&found),
                target.command("repair --yes")
            )?;
            Ok(FAILURE)
        }
        Ok(RepairOutcome::WantsConsent { found }) => {
            let nothing = nothing_left(found.as_ref(), target);
            writeln!(terminal.err, "postern: {shown}: {nothing}")?;
            Ok(FAILURE)
        }
        Ok(RepairOutcome::Foreign) => unreadable(
            &target.path,
            &format!("{FOREIGN}; it is left alone"),
            terminal,
        ),
        Err(error) => {
            writeln!(terminal.err, "postern: {error}")?;
            Ok(match error {
                OpenError::Unreadable { .. } => USELESS,
                _ => FAILURE,
            })
        }
    }
}

/// What the damage means for whoever logs in.
fn password(found: &Survey) -> String {
    match found.password {
        None => format!("The password is lost: at the next start {FIRST_PASSWORD}."),
        Some((generation, PasswordOrigin::Initial, at)) => format!(
            "The password is the first one (number {generation}, of {at}). If it was changed since, that change is \
             lost."
        ),
        Some((generation, PasswordOrigin::Changed, at)) => format!(
            "The password is number {generation}, of {at}. If it was changed since, that change is lost."
        ),
    }
}

/// What it means for the logins.
fn logins(found: &Survey) -> &'static str {
    match found.password {
        None => LOGINS_END,
        Some(_) => LOST_LOGOUTS,
    }
}

const LOST_LOGOUTS: &str = "\
The lost records may have been logouts: such a login works again until it expires. To end every login, remove \
`secret-key` from the state folder before the next start. If you gave a SECRET_KEY, give another one instead.";

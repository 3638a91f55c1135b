//! `postern journal stat`: the journal in numbers.

use std::io;
use std::sync::Arc;

use serde_json::json;

use super::{JournalAction, JournalTarget, NO_JOURNAL, count, from_row, no_record, verify};
use crate::auth::Durable;
use crate::cli::command::{CommandRow, Operand, SUCCESS, WorksOn};
use crate::cli::flags::JSON;
use crate::clock::{Clock, SystemTimeSource};
use crate::journal::format::{FRAMES_START, VERSION, encode, parse_header};
use crate::journal::replay::Piece;
use crate::journal::survey::survey;
use crate::journal::{JournalState, Record};
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "journal stat",
    summary: "show what the journal holds, in numbers",
    details: "\
Reads FILE, or the journal in STATE_DIR. The server may be running. Shows the size, the records of each kind, how many \
of them still count, the newest time, and whether it is damaged.",
    flags: &[JSON],
    operand: Operand::File("FILE"),
    statuses: &[(0, "shown, damaged or not"), NO_JOURNAL],
    works_on: WorksOn::StateDir,
    run: |arguments, context| {
        let json = arguments.has("json");
        from_row(JournalAction::Stat { json }, arguments, context)
    },
};

pub(super) fn run(
    target: &JournalTarget,
    bytes: &[u8],
    json: bool,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let durable = Durable::new();
    let mut kinds = [0_u64; KINDS.len()];
    // A compaction keeps these too: all of a newer version, and one mark.
    let (mut unknown_bytes, mut mark_bytes) = (0, 0);
    let surveyed = survey(bytes, &mut |piece| {
        if let Piece::Frame { frame, .. } = piece {
            let record = frame.record();
            kinds[kind(record.as_ref())] += 1;
            match record {
                None => unknown_bytes += frame.len(),
                Some(Record::Mark { .. }) => mark_bytes = frame.len(),
                Some(_) => {}
            }
            if let Some(record) = record {
                durable.apply(&record);
            }
        }
    });
    let survey = match surveyed {
        Ok(survey) => survey,
        Err(reason) => return no_record(target, bytes, reason, terminal),
    };
    // As the server would judge it if it started now.
    let clock = Clock::new(Arc::new(SystemTimeSource::new()), survey.newest_mark);
    let (live, live_bytes) = still_counting(&durable, &clock);
    let live = live + survey.unknown_records + kinds[MARK].min(1);
    let waste = bytes
        .len()
        .saturating_sub(live_bytes + unknown_bytes + mark_bytes);
    let waste_percent = waste * 100 / bytes.len().max(1);
    let version = parse_header(bytes).map_or(VERSION, |(version, _)| version);
    let damage = if !survey.whole() {
        verify::damage(&survey)
    } else if survey.torn_bytes > 0 {
        format!(
            "none but a torn tail of {}",
            count(survey.torn_bytes as u64, "byte")
        )
    } else {
        "none".to_owned()
    };
    if json {
        let by_kind: serde_json::Map<_, _> = KINDS
            .iter()
            .zip(kinds)
            .map(|(name, number)| ((*name).to_owned(), number.into()))
            .collect();
        let answer = json!({
            "path": target.path.display().to_string(),
            "bytes": bytes.len(),
            "version": version,
            "records": survey.records,
            "records_by_kind": by_kind,
            "live": live,
            "expired": survey.records.saturating_sub(live),
            "newest_mark": survey.newest_mark.map(|mark| mark.to_string()),
            "waste_percent": waste_percent,
            "damaged": survey.damaged(),
            "damaged_bytes": survey.damaged_bytes,
            "torn_bytes": survey.torn_bytes,
            "damage": damage,
        });
        writeln!(terminal.out, "{answer}")?;
        return Ok(SUCCESS);
    }
    let row = |terminal: &mut Terminal<'_>, name: &str, value: &dyn std::fmt::Display| {
        writeln!(terminal.out, "  {name:<18} {value}")
    };
    writeln!(terminal.out, "{}", target.path.display())?;
    row(terminal, "bytes", &bytes.len())?;
    row(terminal, "version", &version)?;
    row(terminal, "records", &survey.records)?;
    for (name, number) in KINDS.iter().zip(kinds).filter(|(_, number)| *number > 0) {
        row(terminal, &format!("  {name}"), &number)?;
    }
    row(terminal, "still count", &live)?;
    row(
        terminal,
        "expired or passed",
        &survey.records.saturating_sub(live),
    )?;
    row(terminal, "waste", &format!("{waste_percent} %"))?;
    let mark = survey
        .newest_mark
        .map_or_else(|| "none".to_owned(), |mark| mark.to_string());
    row(terminal, "newest time", &mark)?;
    row(terminal, "damage", &damage)?;
    Ok(SUCCESS)
}

/// What else a compaction would keep: records, and their bytes with the header's.
fn still_counting(durable: &Durable, clock: &Clock) -> (u64, usize) {
    let (mut records, mut length, mut frame) = (0, FRAMES_START, Vec::new());
    // The salt makes no difference to the length.
    let salt = crate::journal::format::Salt::new([1; 4]);
    durable.live(clock.now(), &mut |record| {
        frame.clear();
        if encode(record, salt, &mut frame).is_ok() {
            records += 1;
            length += frame.len();
        }
    });
    (records, length)
}

/// Its place in [`KINDS`].
fn kind(record: Option<&Record>) -> usize {
    match record {
        Some(Record::TokenRevoked { .. }) => 0,
        Some(Record::RefreshUsed { .. }) => 1,
        Some(Record::FamilyRevoked { .. }) => 2,
        Some(Record::Password { .. }) => 3,
        Some(Record::LockOut { .. }) => 4,
        Some(Record::LockOutCleared { .. }) => 5,
        Some(Record::Mark { .. }) => MARK,
        Some(Record::Lifetime { .. }) => 7,
        Some(Record::Proven { .. }) => 8,
        Some(Record::SessionsEnded { .. }) => 9,
        None => 10,
    }
}

const MARK: usize = 6;

/// As `dump` calls them.
const KINDS: [&str; 11] = [
    "token_revoked",
    "refresh_used",
    "family_revoked",
    "password",
    "lock_out",
    "lock_out_cleared",
    "mark",
    "lifetime",
    "proven",
    "sessions_ended",
    "unknown",
];

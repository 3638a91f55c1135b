//! `postern journal dump`: the records as JSON lines, without secrets.

use crate::terminal::Terminal;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::{JournalAction, JournalTarget, NO_JOURNAL, from_row, no_record};
use crate::cli::command::{CommandRow, Operand, SUCCESS, WorksOn};
use crate::clock::Timestamp;
use crate::ids::Id;
use crate::journal::replay::Piece;
use crate::journal::survey::survey;
use crate::journal::{PasswordOrigin, Record};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "journal dump",
    summary: "print the journal's records, a JSON object a line, oldest first",
    details: "\
Reads FILE, or the journal in STATE_DIR. The server may be running. It prints no secrets: of a password only when it \
was set and what its hash costs. Damage has a line of its own.",
    flags: &[],
    operand: Operand::File("FILE"),
    statuses: &[(0, "printed, damaged or not"), NO_JOURNAL],
    works_on: WorksOn::StateDir,
    run: |arguments, context| from_row(JournalAction::Dump, arguments, context),
};

pub(super) fn run(
    target: &JournalTarget,
    bytes: &[u8],
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let mut out = BufWriter::new(&mut *terminal.out);
    let mut result = Ok(());
    let surveyed = survey(bytes, &mut |piece| {
        if result.is_ok() {
            result = print(&mut out, &line(piece));
        }
    });
    let survey = match surveyed {
        Ok(survey) => survey,
        Err(reason) => {
            drop(out);
            return no_record(target, bytes, reason, terminal);
        }
    };
    result?;
    if survey.damaged_header {
        print(&mut out, &DumpLine::Header)?;
    }
    out.flush()?;
    Ok(SUCCESS)
}

fn print(out: &mut dyn Write, line: &DumpLine) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// One line.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum DumpLine {
    TokenRevoked {
        offset: usize,
        id: String,
        expires: String,
    },
    RefreshUsed {
        offset: usize,
        id: String,
        used: String,
        expires: String,
    },
    FamilyRevoked {
        offset: usize,
        family: String,
        expires: String,
    },
    Password {
        offset: usize,
        generation: u32,
        origin: &'static str,
        at: String,
        /// bcrypt's; nothing else of the hash is shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        cost: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        spared: Option<Spared>,
    },
    LockOut {
        offset: usize,
        client: String,
        until: String,
    },
    LockOutCleared {
        offset: usize,
        client: String,
    },
    Proven {
        offset: usize,
        client: String,
        account: String,
        until: String,
    },
    Mark {
        offset: usize,
        at: String,
    },
    Lifetime {
        offset: usize,
        seconds: u64,
    },
    SessionsEnded {
        offset: usize,
        generation: u32,
        before: String,
    },
    /// Of a newer version.
    Unknown {
        offset: usize,
        bytes: usize,
    },
    Damage {
        offset: usize,
        bytes: usize,
    },
    TornTail {
        offset: usize,
        bytes: usize,
    },
    /// One copy of it is damaged, and the other tells what it was.
    #[serde(rename = "damaged_header")]
    Header,
}

#[derive(Serialize)]
struct Spared {
    id: String,
    expires: String,
}

fn line(piece: Piece<'_>) -> DumpLine {
    let (offset, frame) = match piece {
        Piece::Gap { at, len } => {
            return DumpLine::Damage {
                offset: at,
                bytes: len,
            };
        }
        Piece::Torn { at, len } => {
            return DumpLine::TornTail {
                offset: at,
                bytes: len,
            };
        }
        Piece::Frame { at, frame } => (at, frame),
    };
    let time = |time: Timestamp| time.to_string();
    match frame.record() {
        None => DumpLine::Unknown {
            offset,
            bytes: frame.len(),
        },
        Some(Record::TokenRevoked { id, expires }) => DumpLine::TokenRevoked {
            offset,
            id: hex(id),
            expires: time(expires),
        },
        Some(Record::RefreshUsed { id, used, expires }) => DumpLine::RefreshUsed {
            offset,
            id: hex(id),
            used: time(used),
            expires: time(expires),
        },
        Some(Record::FamilyRevoked { family, expires }) => DumpLine::FamilyRevoked {
            offset,
            family: hex(family),
            expires: time(expires),
        },
        Some(Record::Password {
            generation,
            origin,
            at,
            hash,
            spared,
        }) => DumpLine::Password {
            offset,
            generation,
            origin: match origin {
                PasswordOrigin::Initial => "initial",
                PasswordOrigin::Changed => "changed",
            },
            at: time(at),
            cost: cost(&hash),
            spared: spared.map(|(id, expires)| Spared {
                id: hex(id),
                expires: time(expires),
            }),
        },
        Some(Record::LockOut { client, until }) => DumpLine::LockOut {
            offset,
            client: client.to_string(),
            until: time(until),
        },
        Some(Record::LockOutCleared { client }) => DumpLine::LockOutCleared {
            offset,
            client: client.to_string(),
        },
        Some(Record::Proven {
            client,
            until,
            account,
        }) => DumpLine::Proven {
            offset,
            client: client.to_string(),
            account,
            until: time(until),
        },
        Some(Record::Mark { at }) => DumpLine::Mark {
            offset,
            at: time(at),
        },
        Some(Record::Lifetime { longest }) => DumpLine::Lifetime {
            offset,
            seconds: longest.as_secs(),
        },
        Some(Record::SessionsEnded { generation, before }) => DumpLine::SessionsEnded {
            offset,
            generation,
            before: time(before),
        },
    }
}

/// The cost that a bcrypt hash says it has: `$2b$12$…`.
fn cost(hash: &str) -> Option<u8> {
    hash.split('$').nth(2)?.parse().ok()
}

fn hex(id: Id) -> String {
    id.0.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

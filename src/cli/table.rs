//! The table of commands and flags. Parsing, `--help`, the man page and the completions read it.

use super::logs;

/// A command of the program.
#[derive(Debug)]
pub struct CommandRow {
    /// Which one it is.
    pub id: CommandId,
    /// What is typed.
    pub name: &'static str,
    /// What it does, on one line.
    pub summary: &'static str,
    /// What else there is to know, in paragraphs of plain text.
    pub details: &'static str,
    /// Its own flags, beside those that go with every command.
    pub flags: &'static [FlagRow],
    /// What an argument without a flag would be: its name, and why or where it is not to be given, if it is not.
    pub operand: Operand,
    /// Exit statuses and what they mean.
    pub statuses: &'static [(u8, &'static str)],
}

/// The commands, without their arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandId {
    /// Start the server.
    Serve,
    /// Read the configuration only.
    Check,
    /// Hash a password.
    HashPassword,
    /// Ask the running server how it is.
    Health,
    /// What the server says of itself and its board.
    Status,
    /// The known vulnerabilities that apply.
    Cve,
    /// The addresses with failed logins.
    Lockouts,
    /// One of them may try again.
    LockoutsClear,
    /// Another password.
    Passwd,
    /// Which certificate is shown.
    Cert,
    /// Another certificate.
    CertRenew,
    /// Show a board's log.
    Logs,
    /// What the audit log has of late.
    Audit,
    /// Whether the audit log's chain is whole.
    AuditVerify,
    /// The journal in numbers.
    JournalStat,
    /// Whether the journal is whole.
    JournalVerify,
    /// The journal's records.
    JournalDump,
    /// Leave out of the journal what nobody needs any more.
    JournalCompact,
    /// Save what is whole of a damaged journal.
    JournalRepair,
    /// What the program is made of.
    Sbom,
    /// Tell the version.
    Version,
    /// Explain a command.
    Help,
}

/// What a command makes of an argument without a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// It has none.
    None,
    /// It may be left out; the name is for the help.
    Optional(&'static str),
    /// It is a path, and may be left out; the name is for the help.
    Path(&'static str),
    /// It is an address, and must be given; the name is for the help.
    Address(&'static str),
    /// It is a board, and must be given; the name is for the help. What else stands there is never shown.
    Board(&'static str),
    /// It is refused with this reason, and never shown: it may be a secret.
    Refused(&'static str),
}

/// A flag.
#[derive(Debug)]
pub struct FlagRow {
    /// Which one it is.
    pub id: FlagId,
    /// Its name behind `--`.
    pub long: &'static str,
    /// Its letter behind `-`, if it has one.
    pub short: Option<char>,
    /// What its argument is called, if it takes one.
    pub argument: Option<&'static str>,
    /// What it does, on one line.
    pub help: &'static str,
}

/// The flags, without their arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagId {
    /// Which env file to read.
    EnvFile,
    /// bcrypt's cost.
    Cost,
    /// Which socket to ask.
    Socket,
    /// Answer in JSON.
    Json,
    /// The certificate is not looked at.
    SkipCertificate,
    /// How many.
    Lines,
    /// Go on although much is lost.
    Yes,
    /// One of the desk client's.
    Logs(logs::Flag),
    /// Whose rights to have.
    User,
    /// Explain.
    Help,
    /// Tell the version.
    Version,
    /// Print the man page, or a completion.
    Generate,
}

/// Flags that go with every command, before it or behind.
pub const COMMON_FLAGS: &[FlagRow] = &[
    FlagRow {
        id: FlagId::EnvFile,
        long: "env-file",
        short: None,
        argument: Some("FILE"),
        help: "read settings from FILE (default, if it exists: /etc/postern/postern.env)",
    },
    FlagRow {
        id: FlagId::Help,
        long: "help",
        short: Some('h'),
        argument: None,
        help: "explain the program, or the command it stands with",
    },
    FlagRow {
        id: FlagId::Version,
        long: "version",
        short: Some('V'),
        argument: None,
        help: "print the version",
    },
];

/// Flags that stand before a command, or alone; behind some command one of them has another meaning.
pub const PROGRAM_FLAGS: &[FlagRow] = &[
    FlagRow {
        id: FlagId::User,
        long: "user",
        short: None,
        argument: Some("NAME"),
        help: "before the command, as root: do it with NAME's rights alone",
    },
    FlagRow {
        id: FlagId::Generate,
        long: "generate",
        short: None,
        argument: Some("WHAT"),
        help: "print the man page (man), or the completion for a shell (complete-bash, complete-zsh, complete-fish)",
    },
];

/// All commands, in the order they are explained in.
pub const COMMANDS: &[CommandRow] = &[
    CommandRow {
        id: CommandId::Serve,
        name: "serve",
        summary: "start the server (what postern does without a command)",
        details: "\
Needs no configuration: key, certificate and password are generated at the first start and kept in STATE_DIR. Each \
setting is an environment variable, or a line KEY=value in the env file; real variables win.

SIGTERM and SIGINT stop it in good order; SIGHUP reads the certificate again.",
        flags: &[],
        operand: Operand::None,
        statuses: &[(0, "stopped in good order"), (1, "could not start"), WRONG_USAGE],
    },
    CommandRow {
        id: CommandId::Check,
        name: "check",
        summary: "read the configuration, and say what is wrong with it or what it comes to",
        details: "\
Starts nothing and changes nothing. Every problem is listed, by name, with what would be right. Secrets are not shown.

A certificate that has expired or cannot be used is a problem too. A start goes on without it: with the last good one, or \
the board's own. --skip-certificate leaves it out, and tells only what would keep postern from starting.",
        flags: &[FlagRow {
            id: FlagId::SkipCertificate,
            long: "skip-certificate",
            short: None,
            argument: None,
            help: "do not look at the certificate",
        }],
        operand: Operand::None,
        statuses: &[
            (0, "the configuration is good"),
            (1, "it has problems, or the certificate cannot be used"),
            WRONG_USAGE,
        ],
    },
    CommandRow {
        id: CommandId::HashPassword,
        name: "hash-password",
        summary: "read a password from standard input and print its bcrypt hash",
        details: "\
The password is one line, 8 characters or more and at most 72 bytes; at a terminal it is asked for and not shown. \
It is never taken from the command line, where `ps` and the shell's history would show it.",
        flags: &[FlagRow {
            id: FlagId::Cost,
            long: "cost",
            short: None,
            argument: Some("N"),
            help: "bcrypt's cost, 4 to 31; each step doubles the work (default: 12)",
        }],
        operand: NO_PASSWORD_HERE,
        statuses: &[(0, "the hash is printed"), (1, "the password is refused"), WRONG_USAGE],
    },
    CommandRow {
        id: CommandId::Health,
        name: "health",
        summary: "ask the running server how it is, over its Unix socket (for watchdogs)",
        details: "\
Finds the socket as the server does (LOCAL_SOCKET, STATE_DIR), waits 5 seconds at most and prints one line.",
        flags: &[SOCKET],
        operand: Operand::None,
        statuses: &[
            (0, "healthy"),
            (1, "degraded; the line says why"),
            (2, "no answer, or none that can be used"),
        ],
    },
    CommandRow {
        id: CommandId::Status,
        name: "status",
        summary: "tell what the running server says of itself and its board",
        details: "\
Over its Unix socket, so without a password; it is found as the server does (LOCAL_SOCKET, STATE_DIR). What the board does \
not have is left out. With --json the answer of GET /api/status as it is.",
        flags: &[JSON, SOCKET],
        operand: Operand::None,
        statuses: &[(0, "told, be it healthy or degraded"), REFUSED, NO_SERVER],
    },
    CommandRow {
        id: CommandId::Cve,
        name: "cve",
        summary: "list the known vulnerabilities that apply to this device, the most severe first",
        details: "\
Over the Unix socket. postern fetches no advisories: they are files that you put into STATE_DIR/advisories, or where \
ADVISORY_DIR says. OSV's will do, as in the all.zip that osv.dev has for each ecosystem, unpacked or not, and RustSec's \
advisory-db. They are held against the packages of the device (dpkg, apk, opkg) and the crates that postern is made of, \
within a minute of a change; of one more than two folders down within six hours.

The exit status is for cron. Where there are no advisories it is 1: a board that was forgotten should not pass for a good \
one. With --json the answer of GET /api/security/cve as it is.",
        flags: &[JSON, SOCKET],
        operand: Operand::None,
        statuses: &[
            (0, "everything was looked at, and nothing applies"),
            (1, "something applies, or nobody knows: there are no advisories, or not all could be read; refused"),
            NO_SERVER,
        ],
    },
    CommandRow {
        id: CommandId::Lockouts,
        name: "lockouts",
        summary: "list the addresses with failed logins",
        details: "\
Over the Unix socket. The limits count whole addresses, a link-local one with its interface (fe80::1%eth0), and strangers \
in an IPv6 /64 together as well: that account is listed, and cleared, as 2001:db8:1:2::/64.",
        flags: &[SOCKET],
        operand: Operand::None,
        statuses: &[(0, "listed"), REFUSED, NO_SERVER],
    },
    CommandRow {
        id: CommandId::LockoutsClear,
        name: "lockouts clear",
        summary: "let an address with failed logins try again",
        details: "\
Over the Unix socket. IP is as postern lockouts lists it.",
        flags: &[SOCKET],
        operand: Operand::Address("IP"),
        statuses: &[
            (0, "cleared"),
            (1, "refused, or there is nothing to clear"),
            NO_SERVER,
        ],
    },
    CommandRow {
        id: CommandId::Passwd,
        name: "passwd",
        summary: "set another password, when the old one is forgotten",
        details: "\
Over the Unix socket, or in STATE_DIR if the server is stopped; whoever may open that needs no old password. All logins \
end. The new one is one line of standard \
input, 8 characters or more and at most 72 bytes; at a terminal it is asked for twice and not shown.",
        flags: &[SOCKET],
        operand: NO_PASSWORD_HERE,
        statuses: &[(0, "it is set, and on the disk"), REFUSED, NO_SERVER],
    },
    CommandRow {
        id: CommandId::Cert,
        name: "cert",
        summary: "tell which certificate the board shows: fingerprint, names, expiry",
        details: "\
Of the file that TLS_CERT_FILE names, or of the certificate in STATE_DIR that postern made itself. The server may be \
running or not. Times are UTC.

One that has expired, is cut off, missing or not its key's is not served: postern goes on with the last good one, which it \
keeps in STATE_DIR, or with its own.",
        flags: &[JSON],
        operand: Operand::None,
        statuses: &[
            (0, "told, and it is good"),
            (1, "it has expired, or it and its key cannot be used; the message says why"),
            NO_CERTIFICATE,
        ],
    },
    CommandRow {
        id: CommandId::CertRenew,
        name: "cert renew",
        summary: "put a new certificate with a new key in the place of the one that postern made",
        details: "\
Its names are the host's name and addresses of now, its life is ten years. A running server shows it within 5 seconds; \
connections that are open go on. Whoever compares certificates refuses the board until told of the new one: `postern logs`, \
curl with --cacert or --pinnedpubkey, browsers.

For the user that postern runs as, and for root. A certificate of your own (TLS_CERT_FILE) is renewed where it came from.",
        flags: &[JSON],
        operand: Operand::None,
        statuses: &[(0, "the new one is in place, and shown"), REFUSED, NO_CERTIFICATE],
    },
    CommandRow {
        id: CommandId::Logs,
        name: "logs",
        summary: "show a board's log at your desk, and follow it",
        details: "\
BOARD is https://board:8443; a bare name or address means port 8443. Times are the board's, in UTC. What could drive a \
terminal is shown as an escape.

The password is asked for and not shown. Then the login is kept, for the next time not to ask; --sign-out ends it. \
Scripts set POSTERN_PASSWORD; then no login is kept, and it is logged out at the end.

At the first contact the certificate's fingerprint is shown. Answer yes if the board printed the same. From then on the \
board must have that certificate: another one is refused before anything is sent. Without a terminal an unknown board is \
refused; scripts give --fingerprint.

Kept are known_boards and logins/ in $XDG_STATE_HOME/postern-client, or else in ~/.local/state/postern-client.

With --json the lines are the board's own: logs and gaps, and a hello where the board has started again.",
        flags: logs::FLAGS,
        operand: Operand::Board("BOARD"),
        statuses: &[
            (0, "shown; with --follow: ended by Ctrl-C, or nobody reads on"),
            (1, "not shown, or no further; the message says why"),
            WRONG_USAGE,
            (130, "ended by Ctrl-C before there was anything to show"),
        ],
    },
    CommandRow {
        id: CommandId::Audit,
        name: "audit",
        summary: "show the audit log's last entries: who came in, tried to, and changed what",
        details: "\
Of FOLDER, or of STATE_DIR. The server may be running; it writes an entry within a second, a wrong password within ten. \
What repeats is folded: `and 12 more like it` counts those since the entry before. \
With --json the lines as they stand in the files. Times are the board's, in UTC.",
        flags: &[
            FlagRow {
                id: FlagId::Lines,
                long: "lines",
                short: Some('n'),
                argument: Some("N"),
                help: "so many of them, 100000 at most (default: 100)",
            },
            JSON,
        ],
        operand: Operand::Path("FOLDER"),
        statuses: &[(0, "shown"), NO_AUDIT_LOG],
    },
    CommandRow {
        id: CommandId::AuditVerify,
        name: "audit verify",
        summary: "say whether entries of the audit log were changed, moved or taken out",
        details: "\
Of FOLDER, or of STATE_DIR. The server may be running. Each line holds the hash of the line before, so that what was \
changed in between shows. It does not show when the last entries are gone, nor when somebody who may write there wrote \
all of it anew: against that, keep the hash that is printed somewhere else, and look for it in the log later on.",
        flags: &[JSON],
        operand: Operand::Path("FOLDER"),
        statuses: &[
            (0, "nothing is wrong that can be seen"),
            (1, "something is; each place is told"),
            NO_AUDIT_LOG,
        ],
    },
    CommandRow {
        id: CommandId::JournalStat,
        name: "journal stat",
        summary: "tell what the journal holds, in numbers",
        details: "\
Size, records of each kind, how many of them still count, the newest time in it, and whether it is damaged. Of FILE, or \
of the journal in STATE_DIR. The server may be running.",
        flags: &[JSON],
        operand: Operand::Path("FILE"),
        statuses: &[(0, "told, damaged or not"), NO_JOURNAL],
    },
    CommandRow {
        id: CommandId::JournalVerify,
        name: "journal verify",
        summary: "say whether the journal is damaged, and what to do then",
        details: "\
Changes nothing. Of FILE, or of the journal in STATE_DIR. The server may be running: what it is writing at that very \
moment may then look like a torn tail, which was, as far as can be told, never answered.",
        flags: &[],
        operand: Operand::Path("FILE"),
        statuses: &[
            (0, "whole, but for a torn tail at most"),
            (1, "damaged, or without a password"),
            NO_JOURNAL,
        ],
    },
    CommandRow {
        id: CommandId::JournalDump,
        name: "journal dump",
        summary: "print the journal's records, a JSON object a line, oldest first",
        details: "\
Without secrets: of a password only when it was set and what its hash costs. Damage is a line of its own. Of FILE, or of \
the journal in STATE_DIR. The server may be running.",
        flags: &[],
        operand: Operand::Path("FILE"),
        statuses: &[(0, "printed, damaged or not"), NO_JOURNAL],
    },
    CommandRow {
        id: CommandId::JournalCompact,
        name: "journal compact",
        summary: "leave out what nobody needs any more, while the server is stopped",
        details: "\
The server does that itself when half of the journal is waste; there is no need to.",
        flags: &[],
        operand: Operand::None,
        statuses: &[
            (0, "compacted"),
            (1, "not done: the server is running, or the journal is damaged"),
            NO_JOURNAL,
        ],
    },
    CommandRow {
        id: CommandId::JournalRepair,
        name: "journal repair",
        summary: "save what is whole of a damaged journal, while the server is stopped",
        details: "\
Keeps the damaged file beside it, as FILE.damaged.1 and so on up to 8, and never writes over one. Of FILE, or of the \
journal in STATE_DIR. One that is whole is left alone, and so is a FILE that does not look like a journal at all.

If the password in it is lost, the account would have its first password again. That is only done with --yes; without \
it, it is said and nothing is changed.",
        flags: &[FlagRow {
            id: FlagId::Yes,
            long: "yes",
            short: None,
            argument: None,
            help: "repair it even if the password is lost, or if nothing at all can be saved",
        }],
        operand: Operand::Path("FILE"),
        statuses: &[
            (0, "repaired, or nothing to repair"),
            (1, "not done: it says why, and nothing is changed"),
            NO_JOURNAL,
        ],
    },
    CommandRow {
        id: CommandId::Sbom,
        name: "sbom",
        summary: "list the crates that this program is made of, as CycloneDX JSON",
        details: "\
For whatever holds such a list against known vulnerabilities. Names, versions and SHA-256 are those of Cargo.lock when it \
was built. Rust's own library is not in it. Asks no server and reads no file.",
        flags: &[],
        operand: Operand::None,
        statuses: &[(0, "printed"), WRONG_USAGE],
    },
    CommandRow {
        id: CommandId::Version,
        name: "version",
        summary: "print the version",
        details: "The same as --version.",
        flags: &[],
        operand: Operand::None,
        statuses: &[(0, "printed"), WRONG_USAGE],
    },
    CommandRow {
        id: CommandId::Help,
        name: "help",
        summary: "explain the program or a command",
        details: "",
        flags: &[],
        operand: Operand::Optional("COMMAND"),
        statuses: &[],
    },
];

/// The commands that have to do with the journal.
pub fn journal_commands() -> impl Iterator<Item = &'static CommandRow> {
    let is_one = |command: &&CommandRow| command.name.split(' ').next() == Some(GROUP);
    COMMANDS.iter().filter(is_one)
}

/// The first word of the commands that have two.
pub const GROUP: &str = "journal";

/// The command of that name.
#[must_use]
pub fn command(name: &str) -> Option<&'static CommandRow> {
    COMMANDS.iter().find(|command| command.name == name)
}

impl CommandId {
    /// The command's row.
    #[must_use]
    pub fn row(self) -> &'static CommandRow {
        let row = COMMANDS.iter().find(|command| command.id == self);
        // A test holds the table to having a row for each.
        row.unwrap_or(&COMMANDS[0])
    }
}

const SOCKET: FlagRow = FlagRow {
    id: FlagId::Socket,
    long: "socket",
    short: None,
    argument: Some("PATH"),
    help: "ask at this socket and read no configuration",
};

const JSON: FlagRow = FlagRow {
    id: FlagId::Json,
    long: "json",
    short: None,
    argument: None,
    help: "answer with one JSON object",
};

const NO_PASSWORD_HERE: Operand = Operand::Refused(
    "the password is read from standard input, never from the command line, where `ps` and the shell's history would show it",
);

const REFUSED: (u8, &str) = (1, "refused; the message says why");

const NO_SERVER: (u8, &str) = (2, "no answer, or none that can be used; wrong usage");

const NO_CERTIFICATE: (u8, &str) = (
    2,
    "there is no certificate, or none that can be read; wrong usage",
);

const NO_JOURNAL: (u8, &str) = (
    2,
    "there is no journal, or none that can be read; wrong usage",
);

const NO_AUDIT_LOG: (u8, &str) = (
    2,
    "there is no audit log, or none that can be read; wrong usage",
);

const WRONG_USAGE: (u8, &str) = (2, "wrong usage");

#[cfg(test)]
mod tests;

//! `postern cert` shows the board's certificate. `postern cert renew` replaces the one that postern made by a new one.
//!
//! Both work on the files, whether the server runs or not. A running server looks at them every few seconds.

use crate::terminal::Terminal;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use super::certificate::{check_certificate, files, now, remedy};
use super::command::{CommandRow, FAILURE, Operand, REFUSED, SUCCESS, USELESS, WorksOn};
use super::flags::JSON;
use super::local;
use crate::clock::Timestamp;
use crate::config::{Config, ConfigError};
use crate::server::tls::{Facts, TlsError, renew};

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "cert",
    summary: "show the board's certificate: fingerprint, names, expiry",
    details: "\
Reads the file that TLS_CERT_FILE names, or the certificate in STATE_DIR that postern made itself. The server may be \
running or stopped. Times are UTC.

postern does not serve a certificate that is missing, cut off or expired, or does not match its key. It goes on with \
the last good one, which it keeps in STATE_DIR, or with its own.",
    flags: &[JSON],
    operand: Operand::None,
    statuses: &[
        (0, "shown, and it is good"),
        (1, "it has expired, or cannot be used with its key; the message says why"),
        NO_CERTIFICATE,
    ],
    works_on: WorksOn::StateDir,
    run: |arguments, mut context| {
        let json = arguments.has("json");
        Ok(run(CertAction::Show, json, context.load, &mut context.terminal)?)
    },
};

/// Its row in the table.
pub(in crate::cli) const RENEW_ROW: CommandRow = CommandRow {
    name: "cert renew",
    summary: "replace the certificate that postern made by a new one with a new key",
    details: "\
The new certificate has the host's present name and addresses, and lasts ten years. A running server shows it within 5 \
seconds; open connections go on. Clients that compare certificates refuse the board until you give them the new one: \
`postern logs`, curl with --cacert or --pinnedpubkey, browsers.

Only root and the user that postern runs as can do this. Renew a certificate of your own (TLS_CERT_FILE) where you got \
it.",
    flags: &[JSON],
    operand: Operand::None,
    statuses: &[(0, "the new one is in place, and shown"), REFUSED, NO_CERTIFICATE],
    works_on: WorksOn::StateDir,
    run: |arguments, mut context| {
        let json = arguments.has("json");
        Ok(run(CertAction::Renew, json, context.load, &mut context.terminal)?)
    },
};

const NO_CERTIFICATE: (u8, &str) = (
    2,
    "there is no certificate, or none that can be read; wrong usage",
);

/// What to do with the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CertAction {
    /// Show it.
    Show,
    /// Make a new one, and show that.
    Renew,
}

/// Shows the certificate that the configuration names, as JSON if need be, after the `action`.
fn run(
    action: CertAction,
    json: bool,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let config = match config().or_else(|error| error.beside(NEEDED)) {
        Ok(config) => config,
        Err(error) => {
            terminal.config_error(&error)?;
            return Ok(USELESS);
        }
    };
    let now = now(&config);
    if action == CertAction::Renew {
        let done = match &config.tls_files {
            Some(files) => Err(format!(
                "{}: this certificate is your own (TLS_CERT_FILE); postern did not make it. Renew it where you got \
                 it, then replace the old certificate and key; postern takes the new ones by itself",
                files.cert.display()
            )),
            None => renew(&config.state_dir, now).map_err(|error| error.to_string()),
        };
        if let Err(problem) = done {
            writeln!(terminal.err, "postern: {problem}")?;
            return Ok(FAILURE);
        }
    }
    let file = files(&config).cert;
    let facts = match Facts::read(&file) {
        Ok(facts) => facts,
        Err(error) => return unreadable(&config, &error, terminal),
    };
    // A user who may read the certificate, but not its key, still sees the certificate.
    let problem = check_certificate(&config)
        .err()
        .filter(|error| !denied(error));
    let shown = CertificateReport {
        facts: &facts,
        now,
        given: config.tls_files.is_some(),
        file: &file.display().to_string(),
        problem: problem.as_ref().map(ToString::to_string),
    };
    if json {
        writeln!(terminal.out, "{}", shown.json())?;
    } else {
        terminal.out.write_all(shown.table().as_bytes())?;
    }
    if facts.not_before + LONGEST < facts.not_after {
        writeln!(terminal.err, "warning: {}", shown.too_long())?;
    }
    if action == CertAction::Renew {
        writeln!(terminal.err, "{RENEWED}")?;
    }
    let Some(problem) = problem else {
        return Ok(SUCCESS);
    };
    let remedy = remedy(&config, &problem);
    writeln!(terminal.err, "postern: {problem}; {remedy}")?;
    Ok(FAILURE)
}

fn unreadable(config: &Config, error: &TlsError, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let (hint, status) = match error {
        _ if denied(error) => (
            "run this as root, or as the user that postern runs as",
            USELESS,
        ),
        TlsError::File { .. } if config.tls_files.is_none() => {
            ("the first start of postern makes it", USELESS)
        }
        _ => (remedy(config, error), FAILURE),
    };
    writeln!(terminal.err, "postern: {error}; {hint}")?;
    Ok(status)
}

fn denied(error: &TlsError) -> bool {
    matches!(error, TlsError::File { error, .. } if error.kind() == io::ErrorKind::PermissionDenied)
}

struct CertificateReport<'a> {
    facts: &'a Facts,
    now: Timestamp,
    /// Whether it is the integrator's.
    given: bool,
    file: &'a str,
    /// Why it cannot be used.
    problem: Option<String>,
}

impl CertificateReport<'_> {
    fn table(&self) -> String {
        let facts = self.facts;
        let origin = if self.given {
            "given by TLS_CERT_FILE"
        } else {
            "made by postern, signed by itself"
        };
        let lines = [
            ("fingerprint", format!("SHA-256 {}", facts.fingerprint)),
            ("key", facts.public_key_pin.clone()),
            ("subject", facts.subject.clone()),
            ("names", facts.names.join(", ")),
            (
                "valid from",
                format!("{}{}", utc(facts.not_before), self.begun()),
            ),
            (
                "valid until",
                format!("{}, {}", utc(facts.not_after), self.left()),
            ),
            ("origin", origin.to_owned()),
            ("file", self.file.to_owned()),
        ];
        let line = |(name, value): &(&str, String)| format!("{name:13}{}\n", local::shown(value));
        lines.iter().map(line).collect()
    }

    fn json(&self) -> Value {
        let facts = self.facts;
        json!({
            "fingerprint": facts.fingerprint,
            "public_key_pin": facts.public_key_pin,
            "subject": facts.subject,
            "names": facts.names,
            "not_before": whole_seconds(facts.not_before),
            "not_after": whole_seconds(facts.not_after),
            "days_left": self.days_left(),
            "expired": self.expired(),
            "days_in_all": self.days_in_all(),
            "usable": self.problem.is_none(),
            "problem": self.problem,
            "origin": if self.given { "given" } else { "generated" },
            "file": self.file,
        })
    }

    fn days_in_all(&self) -> u64 {
        let whole = self.facts.not_after.saturating_since(self.facts.not_before);
        whole.as_secs() / DAY
    }

    fn too_long(&self) -> String {
        let (days, most) = (self.days_in_all(), LONGEST.as_secs() / DAY);
        let remedy = if self.given {
            "Get one with a shorter life"
        } else {
            "A later version of postern will make shorter ones; until then give one of your own (TLS_CERT_FILE)"
        };
        format!(
            "this certificate is valid for {days} days. Apple's clients, Safari among them, refuse more than {most} \
             days, even if you tell them to trust it. {remedy}"
        )
    }

    fn expired(&self) -> bool {
        self.now > self.facts.not_after
    }

    fn days_left(&self) -> u64 {
        self.facts.not_after.saturating_since(self.now).as_secs() / DAY
    }

    fn left(&self) -> String {
        match self.days_left() {
            _ if self.expired() => "expired".to_owned(),
            0 => "in less than a day".to_owned(),
            1 => "in 1 day".to_owned(),
            days => format!("in {days} days"),
        }
    }

    fn begun(&self) -> &'static str {
        if self.now < self.facts.not_before {
            ", not yet"
        } else {
            ""
        }
    }
}

fn whole_seconds(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.split('.').next().unwrap_or_default())
}

fn utc(time: Timestamp) -> String {
    let text = whole_seconds(time).replace('T', " ");
    text.replace('Z', " UTC")
}

/// These settings say where the certificate is.
const NEEDED: &[&str] = &["STATE_DIR", "TLS_CERT_FILE", "TLS_KEY_FILE"];

const RENEWED: &str = "\
A running postern shows it within 5 seconds. Clients that keep the old one refuse this board until you give them the \
new one: `postern logs` (the board's line in known_boards), curl (--cacert, --pinnedpubkey), browsers.";

const DAY: u64 = 24 * 60 * 60;

/// Apple's systems accept no more, of private certificates either (HT210176). Others have no limit, or the
/// 398 days of public ones.
const LONGEST: Duration = Duration::from_secs(825 * DAY);

#[cfg(test)]
mod tests;

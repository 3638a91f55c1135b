//! `postern check`: reads the configuration and the certificate, and prints their problems or the settings in force.

use std::fmt::Display;
use std::io;

use super::command::{CommandRow, FlagRow, Operand, SUCCESS, WRONG_USAGE, WorksOn};
use super::config_check::{CheckDepth, checked};
use crate::config::{Config, ConfigError, LogSource};
use crate::logs::NO_SOURCES;
use crate::terminal::Terminal;

/// Its row in the table.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "check",
    summary: "read the configuration, and print its problems or the settings in force",
    details: "\
Starts nothing and changes nothing. It lists every problem by the setting's name, with what would be right. It shows \
no secrets.

A certificate that has expired or cannot be used is a problem too. A start goes on without it: with the last good one, \
or the board's own. --skip-certificate leaves it out, and lists only what would keep postern from starting.",
    flags: &[FlagRow::new("skip-certificate", "do not look at the certificate")],
    operand: Operand::None,
    statuses: &[
        (0, "the configuration is good"),
        (1, "it has problems, or the certificate cannot be used"),
        WRONG_USAGE,
    ],
    works_on: WorksOn::Configuration,
    run: |arguments, mut context| {
        let certificate = !arguments.has("skip-certificate");
        Ok(run((context.load)(), certificate, &mut context.terminal)?)
    },
};

fn run(
    config: Result<Config, ConfigError>,
    certificate: bool,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    match checked(config, CheckDepth::Everything { certificate }) {
        Err(error) => terminal.config_error(&error),
        Ok(config) => {
            writeln!(terminal.out, "configuration is good\n{}", summary(&config))?;
            terminal.warnings(&config.warnings)?;
            Ok(SUCCESS)
        }
    }
}

/// The settings in force, one a line, without any secret.
fn summary(config: &Config) -> String {
    let kept = |given: bool| if given { "given" } else { "generated and kept" };
    let certificate = config.tls_files.as_ref().map_or_else(
        || "self-signed, generated and kept".to_owned(),
        |files| files.cert.display().to_string(),
    );
    let socket = config.local_socket.as_ref();
    let unusable = |source: &&LogSource| matches!(source, LogSource::Unusable { .. });
    let usable = config.log_sources.iter().filter(|s| !unusable(s));
    let lines = [
        ("listens on", joined(config.listen.iter().map(|l| l.addr))),
        (
            "local socket",
            socket.map_or_else(|| "none".to_owned(), |path| path.display().to_string()),
        ),
        ("state", config.state_dir.display().to_string()),
        ("certificate", certificate),
        ("signing key", kept(config.secret_key.is_some()).to_owned()),
        ("user", config.username.clone()),
        ("first password", kept(config.password.is_some()).to_owned()),
        (
            "access tokens",
            humantime::format_duration(config.access_ttl).to_string(),
        ),
        (
            "lock-out",
            format!(
                "after {} wrong passwords in {} s",
                config.max_login_attempts,
                config.rate_limit_window.as_secs()
            ),
        ),
        (
            "requests",
            format!(
                "{} a second, {} at once, for each address",
                config.rate_limit_rps, config.rate_limit_burst
            ),
        ),
        ("trusted proxies", joined(&config.trusted_proxies)),
        ("allowed origins", joined(&config.cors_allowed_origins)),
        (
            "log sources",
            match joined(usable.map(source)) {
                none if config.log_sources.is_empty() => format!("{none}. {NO_SOURCES}"),
                sources => sources,
            },
        ),
        (
            "connections",
            format!(
                "{}, {} from one address, on {} workers",
                config.max_connections, config.max_connections_per_ip, config.workers
            ),
        ),
        (
            "remembers",
            format!(
                "{} revocations, {} clients' requests, {} clients' attempts, {} tickets, {} access tokens at most",
                config.max_revocations,
                config.max_tracked_clients,
                config.max_attempt_clients,
                config.max_tickets,
                config.max_cached_tokens
            ),
        ),
        (
            "log buffer",
            format!("{} KiB", config.log_buffer_bytes / 1024),
        ),
        #[cfg(feature = "advisories")]
        (
            "advisories",
            config.advisory_dir.as_ref().map_or_else(
                || "those in the state folder, if there are any".to_owned(),
                |place| place.display().to_string(),
            ) + &ignoring(&config.advisory_ignore),
        ),
    ];
    let lines: Vec<String> = lines
        .iter()
        .map(|(name, value)| format!("  {name:<16} {value}"))
        .collect();
    lines.join("\n")
}

#[cfg(feature = "advisories")]
fn ignoring(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(", without {}", names.join(", "))
}

fn source(source: &LogSource) -> String {
    let entry = source.to_string();
    match source.name() {
        name if name == entry => entry,
        name => {
            let place = entry.strip_prefix("file:").unwrap_or(&entry);
            format!("{name} ({place})")
        }
    }
}

fn joined<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(", ")
    }
}

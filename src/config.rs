//! The configuration: from environment variables and the env file to one value, all resolved, that the rest uses.
//!
//! Nothing here opens a socket or makes a folder: `postern check` and the server read the very same thing. All that is
//! wrong is reported at once, by name, with what would be right; secrets are never shown.

#[cfg(feature = "advisories")]
mod advisories;
mod env_file;
mod https;
mod key;
mod machine;
pub(crate) mod nearest;
mod problem;
mod resolve;
mod secret;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
#[cfg(feature = "updates")]
mod updates;
pub(crate) mod values;
pub mod variables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use log::LevelFilter;

#[cfg(feature = "advisories")]
pub use advisories::is_advisory;
pub use https::HttpsUrl;
pub use machine::Machine;
pub(crate) use machine::{KMSG, journalctl_places};
pub use problem::ConfigProblem;
pub(crate) use resolve::{MOST_ATTEMPT_CLIENTS, MOST_REVOCATIONS, ROOT_STATE_DIR};
pub use secret::{SecretBytes, SecretString};
#[cfg(feature = "updates")]
pub use updates::UpdateSettings;
pub use variables::{Preset, VARIABLES, Variable};

use env_file::EnvFile;
use settings::RawSettings;

/// All that can be set, with defaults filled in (see [`VARIABLES`]).
#[derive(Debug, Clone)]
pub struct Config {
    /// Where TLS is served (`LISTEN`); one or more. A port may be 0: any free one.
    pub listen: Vec<ListenAddress>,
    /// The administrator's Unix socket (`LOCAL_SOCKET`), if there is to be one; short enough for a socket's address.
    pub local_socket: Option<PathBuf>,
    /// The folder of all that is kept (`STATE_DIR`), absolute. It need not exist yet.
    pub state_dir: PathBuf,
    /// The key given to sign tokens with (`SECRET_KEY`), 32 bytes or more. `None`: generate one and keep it.
    pub secret_key: Option<SecretBytes>,
    /// The key before that (`SECRET_KEY_PREVIOUS`), for checking only.
    pub secret_key_previous: Option<SecretBytes>,
    /// The account's name (`BASIC_AUTH_USERNAME`), 1 to 64 bytes, no colon, no control characters.
    pub username: String,
    /// The first boot's password (`BASIC_AUTH_PASSWORD`), not yet held against the password rules.
    pub password: Option<SecretString>,
    /// How long an access token lives (`JWT_EXPIRE_DURATION`), whole seconds, 1 s to 365 days.
    pub access_ttl: Duration,
    /// Failures from one address that lock it out (`MAX_LOGIN_ATTEMPTS`), 1 to 1000.
    pub max_login_attempts: u32,
    /// How long a failure counts (`RATE_LIMIT_WINDOW_SECONDS`), 1 s to a day.
    pub rate_limit_window: Duration,
    /// Requests a second from one address, in the long run (`RATE_LIMIT_RPS`), 1 to 1,000,000.
    pub rate_limit_rps: u32,
    /// Requests at once from one address (`RATE_LIMIT_BURST`), 1 to 1,000,000.
    pub rate_limit_burst: u32,
    /// How long a ticket to the log stream is good (`WS_TOKEN_TTL_SECONDS`), 1 s to an hour.
    pub ws_ticket_ttl: Duration,
    /// How long a second use of a refresh token is a race and not theft (`REFRESH_REUSE_GRACE_SECONDS`), 0 to an hour.
    pub refresh_reuse_grace: Duration,
    /// bcrypt's cost (`BCRYPT_COST`), 4 to 31. `None`: measure it.
    pub bcrypt_cost: Option<u32>,
    /// The certificate given (`TLS_CERT_FILE`, `TLS_KEY_FILE`). `None`: generate one and keep it.
    pub tls_files: Option<TlsFiles>,
    /// Whose `X-Forwarded-For` is believed (`TRUSTED_PROXIES`).
    pub trusted_proxies: Vec<IpNet>,
    /// Whose pages may call the API (`CORS_ALLOWED_ORIGINS`): `scheme://host[:port]` in lower case, default ports left
    /// out.
    pub cors_allowed_origins: Vec<String>,
    /// What is streamed (`LOG_SOURCES`), each under a name of its own. Entries that mean nothing are among them.
    pub log_sources: Vec<LogSource>,
    /// How much postern says of itself (`LOG_LEVEL`).
    pub log_level: LevelFilter,
    /// Threads that serve connections (`WORKERS`), 1 to 64.
    pub workers: usize,
    /// Connections at once (`MAX_CONNECTIONS`), 1 to 65,535.
    pub max_connections: usize,
    /// Connections at once from one address (`MAX_CONNECTIONS_PER_IP`), 1 to 65,535.
    pub max_connections_per_ip: usize,
    /// Revocations remembered (`MAX_REVOCATIONS`), 100 to 1,000,000.
    pub max_revocations: usize,
    /// Addresses with a bucket of their own (`MAX_TRACKED_CLIENTS`), 16 to 262,144.
    pub max_tracked_clients: usize,
    /// Addresses whose failed attempts are counted (`MAX_ATTEMPT_CLIENTS`), 16 to 10,000.
    pub max_attempt_clients: usize,
    /// Unused tickets to the log stream (`MAX_TICKETS`), 16 to 10,000.
    pub max_tickets: usize,
    /// Access tokens whose reading is kept (`MAX_CACHED_TOKENS`), 0 to 65,536.
    pub max_cached_tokens: usize,
    /// Bytes of log entries kept in memory (`LOG_BUFFER_BYTES`), 16 KiB to 1 GiB.
    pub log_buffer_bytes: usize,
    /// Where news of a newer postern comes from.
    #[cfg(feature = "updates")]
    pub updates: UpdateSettings,
    /// Where advisories are put (`ADVISORY_DIR`), a folder or a zip file, absolute. `None`: the state folder's, if it
    /// is there.
    #[cfg(feature = "advisories")]
    pub advisory_dir: Option<PathBuf>,
    /// Vulnerabilities that somebody has looked into and found not to matter here (`ADVISORY_IGNORE`).
    #[cfg(feature = "advisories")]
    pub advisory_ignore: Vec<String>,
    /// Bytes of the audit log, all its files together (`AUDIT_LOG_BYTES`), 64 KiB to 64 MiB.
    pub audit_log_bytes: u64,
    /// What works but was hardly meant so; a line each, for people, without secrets.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the configuration out of real variables and an env file, on this machine.
    ///
    /// Without `env_file`, [`DEFAULT_ENV_FILE`] is read if it exists. Real variables win over the file's lines.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub fn load<K, V>(
        env: impl IntoIterator<Item = (K, V)>,
        env_file: Option<&Path>,
    ) -> Result<Self, ConfigError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self::load_on(&Machine::detect(), env, env_file)
    }

    /// The same, on a machine of the caller's making.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub fn load_on<K, V>(
        machine: &Machine,
        env: impl IntoIterator<Item = (K, V)>,
        env_file: Option<&Path>,
    ) -> Result<Self, ConfigError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let env: BTreeMap<OsString, OsString> = env
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let file = match env_file {
            None => EnvFile::read(&machine.env_file).unwrap_or_default(),
            Some(path) => EnvFile::read(path).unwrap_or_else(|| EnvFile {
                problems: vec![ConfigProblem::new(
                    path.display().to_string(),
                    "there is no such file; give --env-file a file that exists",
                )],
                ..EnvFile::default()
            }),
        };
        let mut settings = RawSettings::gather(&env, file);
        let mut config = resolve::resolve(&mut settings, machine, &env);
        if settings.problems.is_empty() {
            config.warnings = settings.warnings;
            Ok(config)
        } else {
            Err(ConfigError {
                problems: settings.problems,
                warnings: settings.warnings,
                rest: Box::new(config),
            })
        }
    }
}

/// An address to serve TLS on. `[::]` serves IPv4 as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// The address and the port; port 0 is any free one.
    pub addr: SocketAddr,
}

/// A certificate and its key, by file, both PEM. Whether they can be read is seen when they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A log to stream. Whether it is there and can be read is seen when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSource {
    /// A file that is followed, through rotation too.
    File {
        /// Its absolute path.
        path: PathBuf,
        /// What its entries are labelled with: 1 to 64 of `A-Z a-z 0-9 . _ -`.
        name: String,
        /// How its lines are read.
        format: LineFormat,
    },
    /// All files that a pattern fits, now and later.
    Files {
        /// An absolute path with `*`, `?` or `[…]` in it, a valid pattern.
        pattern: String,
        /// What the entries are labelled with; `None`: each file's by its own name.
        name: Option<String>,
        /// How the lines are read.
        format: LineFormat,
    },
    /// systemd's journal, read by `journalctl`.
    Journald,
    /// The kernel's messages, from `/dev/kmsg`.
    Kmsg,
    /// Syslog messages that are sent to a socket.
    Syslog {
        /// Where they are taken.
        at: SyslogAddress,
        /// What the entries are labelled with.
        name: String,
    },
    /// Standard input.
    Stdin,
    /// An entry of the list that means nothing: the others are streamed all the same.
    Unusable {
        /// As it was given, shortened.
        entry: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
}

/// How a file's line becomes an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// The line is the message.
    Raw,
    /// A JSON object's members become fields.
    Json,
    /// Squid's native access log.
    Squid,
    /// Whichever of the others fits the line.
    Auto,
}

/// Where syslog messages are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A Unix datagram socket of ours, by its absolute path.
    Path(PathBuf),
    /// A UDP port of this machine.
    Udp(SocketAddr),
}

impl LogSource {
    /// What the source's entries are labelled with, or what it is called where they have several names. No two sources
    /// share one.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File { name, .. } | Self::Syslog { name, .. } => name,
            Self::Files { name, pattern, .. } => name.as_deref().unwrap_or(pattern),
            Self::Journald => sources::JOURNALD,
            Self::Kmsg => sources::KMSG,
            Self::Stdin => sources::STDIN,
            Self::Unusable { entry, .. } => entry,
        }
    }
}

/// The entry of `LOG_SOURCES`, without its options.
impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "file:{}", path.display()),
            Self::Files { pattern, .. } => write!(f, "file:{pattern}"),
            Self::Syslog { at, .. } => match at {
                SyslogAddress::Path(path) => write!(f, "syslog:{}", path.display()),
                SyslogAddress::Udp(address) => write!(f, "syslog:udp:{address}"),
            },
            Self::Journald | Self::Kmsg | Self::Stdin | Self::Unusable { .. } => {
                f.write_str(self.name())
            }
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub struct ConfigError {
    /// All that is wrong; at least one.
    pub problems: Vec<ConfigProblem>,
    /// What is only odd, and may explain a problem: an unknown name in the env file, say.
    pub warnings: Vec<String>,
    /// What the rest comes to, with defaults where there is a problem: for those who look further, so that everything
    /// that is wrong can be told at once.
    pub rest: Box<Config>,
}

impl ConfigError {
    /// The configuration all the same, for who needs no more of it than these variables: if nothing is wrong but with
    /// others.
    ///
    /// # Errors
    /// Itself, if there is something wrong with one of these, or with the env file.
    pub fn beside(self, needed: &[&str]) -> Result<Config, Self> {
        let is_about_another = |problem: &ConfigProblem| {
            let name = problem.subject.split(' ').next().unwrap_or_default();
            variables::find(name).is_some_and(|variable| !needed.contains(&variable.name))
        };
        if self.problems.iter().all(is_about_another) {
            Ok(*self.rest)
        } else {
            Err(self)
        }
    }
}

/// The whole list, a line a problem.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("the configuration has a problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// The env file that is read if it exists and none is named.
pub const DEFAULT_ENV_FILE: &str = "/etc/postern/postern.env";

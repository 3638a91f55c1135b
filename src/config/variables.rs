//! The table of variables: every name, default and explanation that postern knows, once. Parsing, `--help` and the
//! documentation all read it.

/// A variable of the configuration.
#[derive(Debug)]
pub struct Variable {
    /// Its name in the environment and in the env file.
    pub name: &'static str,
    /// What holds when it is not given.
    pub default: Preset,
    /// One line for people: what it is for, and what may stand there.
    pub help: &'static str,
}

/// What holds when a variable is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// This very value.
    Value(&'static str),
    /// Something worked out on the spot, described in words.
    Described(&'static str),
}

impl Preset {
    /// The default as it is shown to people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Value(text) | Self::Described(text) => text,
        }
    }
}

/// Declares each variable as a constant of its own, so that a misspelt one does not compile, and all of them as a table.
/// One that stands behind `in "FEATURE"` is there if that cargo feature is.
macro_rules! variables {
    ($($name:ident $(in $feature:literal)?, $preset:ident $default:literal, $help:literal;)*) => {
        $(
            $(#[cfg(feature = $feature)])?
            #[doc = concat!("The variable `", stringify!($name), "`.")]
            pub const $name: Variable = Variable {
                name: stringify!($name),
                default: Preset::$preset($default),
                help: $help,
            };
        )*
        /// All variables, in the order they are explained in.
        pub const VARIABLES: &[Variable] = &[$($(#[cfg(feature = $feature)])? $name),*];

        /// The variables that this program does not know, each with the feature that it was built without.
        const LEFT_OUT: &[(&str, &str)] = &[$($(
            #[cfg(not(feature = $feature))]
            (stringify!($name), $feature),
        )?)*];
    };
}

variables! {
    LISTEN, Value "[::]:8443",
        "addresses to serve TLS on, IP:PORT, comma-separated; [::] serves IPv4 as well";
    LOCAL_SOCKET, Described "STATE_DIR/postern.sock",
        "Unix socket for the administrator of this machine, plain HTTP; empty: none";
    STATE_DIR, Described "/var/lib/postern for root, else ~/.local/state/postern",
        "folder of all that postern keeps: journal, passwords, generated key and certificate";
    SECRET_KEY, Described "generated once and kept",
        "key that signs the tokens, 32 bytes or more";
    SECRET_KEY_PREVIOUS, Described "none",
        "the key before SECRET_KEY, still accepted while tokens signed with it expire";
    BASIC_AUTH_USERNAME, Value "admin",
        "the account's name, up to 64 bytes, without a colon";
    BASIC_AUTH_PASSWORD, Described "generated, kept in STATE_DIR/initial-password",
        "the first password, 8 characters to 72 bytes; without effect once it was changed";
    JWT_EXPIRE_DURATION, Value "8h",
        "how long an access token lives, as 90s, 30m, 8h, 1h30m, 7d";
    MAX_LOGIN_ATTEMPTS, Value "5",
        "wrong passwords from one address before it is locked out";
    RATE_LIMIT_WINDOW_SECONDS, Value "300",
        "seconds in which wrong passwords are counted, and the longest lock-out";
    RATE_LIMIT_RPS, Value "20",
        "requests a second that one address may make, in the long run";
    RATE_LIMIT_BURST, Value "60",
        "requests that one address may make at once";
    WS_TOKEN_TTL_SECONDS, Value "120",
        "seconds for which a ticket to the log stream is good";
    REFRESH_REUSE_GRACE_SECONDS, Value "10",
        "seconds in which a second use of a refresh token is a race, not theft";
    BCRYPT_COST, Described "measured once, for about a quarter of a second a hash",
        "bcrypt's cost, 4 to 31";
    TLS_CERT_FILE, Described "self-signed, generated once",
        "certificate chain, PEM; only together with TLS_KEY_FILE";
    TLS_KEY_FILE, Described "generated once",
        "the certificate's private key, PEM; only together with TLS_CERT_FILE";
    TRUSTED_PROXIES, Described "none",
        "addresses or networks (CIDR) whose X-Forwarded-For is believed, comma-separated";
    CORS_ALLOWED_ORIGINS, Described "none",
        "origins whose pages may call the API, as https://host:port, comma-separated";
    LOG_SOURCES, Described "journald where it runs, else kmsg, else none",
        "logs to stream, comma-separated: file:/path?name=NAME&format=FORMAT, journald, kmsg, syslog:/path, syslog:udp:ADDRESS:PORT, stdin; empty: none";
    LOG_LEVEL, Value "info",
        "least level of postern's own messages: error, warn, info, debug or trace";
    WORKERS, Described "one a core, at most 4",
        "threads that serve connections, 1 to 64";
    MAX_CONNECTIONS, Described "64 to 1024, by memory",
        "connections at once, 1 to 65535";
    MAX_CONNECTIONS_PER_IP, Described "a quarter of MAX_CONNECTIONS",
        "connections at once from one address, 1 to 65535";
    MAX_REVOCATIONS, Value "1000000",
        "dead tokens and logins to remember, 100 to 1000000; 26 to 35 bytes of memory each";
    MAX_TRACKED_CLIENTS, Value "16384",
        "addresses with a request limit of their own, 16 to 262144; further ones share one; up to 50 bytes each";
    MAX_ATTEMPT_CLIENTS, Value "4096",
        "addresses whose wrong passwords are counted, 16 to 10000; when all are locked out, so are further ones";
    MAX_TICKETS, Value "1024",
        "unused tickets to the log stream, 16 to 10000, of which a login may hold 32; 150 bytes each";
    MAX_CACHED_TOKENS, Value "1024",
        "verified access tokens kept in memory, 0 to 65536; 230 bytes each";
    LOG_BUFFER_BYTES, Described "256 KiB to 4 MiB, by memory",
        "bytes of recent log entries that are kept in memory, from 16384";
    UPDATE_URL in "updates", Described "none: postern asks nobody",
        "https:// URL of news of a newer postern, asked every six hours: a manifest, or GitHub's latest release";
    UPDATE_PUBLIC_KEY in "updates", Described "none",
        "minisign public key that must have signed that manifest and STATE_DIR/update.json, one line";
    UPDATE_CA_FILE in "updates", Described "the system's bundle",
        "PEM file of the CAs to trust for UPDATE_URL";
    ADVISORY_DIR in "advisories", Described "STATE_DIR/advisories, if it is there",
        "folder or zip file of advisories that postern compares with this device: OSV's JSON, or RustSec's format";
    ADVISORY_IGNORE in "advisories", Described "none",
        "vulnerabilities that do not matter here, by any of their names, comma-separated";
    AUDIT_LOG_BYTES, Value "1048576",
        "bytes of the audit log in STATE_DIR, 65536 to 67108864; when full, postern deletes the oldest quarter";
}

/// The feature that this program would need to know the variable of that name.
#[must_use]
pub fn left_out(name: &str) -> Option<&'static str> {
    let row = LEFT_OUT.iter().find(|(known, _)| *known == name);
    row.map(|(_, feature)| *feature)
}

/// The variable of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

#[cfg(test)]
mod tests;

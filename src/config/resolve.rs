//! The rules: reads each variable, works out defaults, and checks what must fit together.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use log::LevelFilter;

use super::settings::RawSettings;
use super::variables::{
    AUDIT_LOG_BYTES, BASIC_AUTH_PASSWORD, BASIC_AUTH_USERNAME, BCRYPT_COST, CORS_ALLOWED_ORIGINS,
    JWT_EXPIRE_DURATION, LISTEN, LOCAL_SOCKET, LOG_BUFFER_BYTES, LOG_LEVEL, LOG_SOURCES,
    MAX_ATTEMPT_CLIENTS, MAX_CACHED_TOKENS, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_IP,
    MAX_LOGIN_ATTEMPTS, MAX_REVOCATIONS, MAX_TICKETS, MAX_TRACKED_CLIENTS, RATE_LIMIT_BURST,
    RATE_LIMIT_RPS, RATE_LIMIT_WINDOW_SECONDS, REFRESH_REUSE_GRACE_SECONDS, SECRET_KEY,
    SECRET_KEY_PREVIOUS, STATE_DIR, TLS_CERT_FILE, TLS_KEY_FILE, TRUSTED_PROXIES, Variable,
    WORKERS, WS_TOKEN_TTL_SECONDS,
};
use super::{Config, LogSource, Machine, SecretBytes, TlsFiles, key, sources, values};

/// Reads every variable. Where one is wrong, its problem is on `settings`' list and an arbitrary value in its place:
/// the result counts only if the list is empty.
pub(super) fn resolve(
    settings: &mut RawSettings,
    machine: &Machine,
    env: &BTreeMap<OsString, OsString>,
) -> Config {
    let state_dir = state_dir(settings, machine, env);
    let (max_connections, max_connections_per_ip) = connections(settings, machine);
    Config {
        listen: settings.read(&LISTEN, values::listen).unwrap_or_default(),
        local_socket: local_socket(settings, state_dir.as_deref()),
        state_dir: state_dir.unwrap_or_default(),
        secret_key: secret_key(settings, &SECRET_KEY),
        secret_key_previous: previous_key(settings),
        username: settings
            .read(&BASIC_AUTH_USERNAME, values::username)
            .unwrap_or_default(),
        password: settings.secret(&BASIC_AUTH_PASSWORD),
        access_ttl: settings
            .read(&JWT_EXPIRE_DURATION, values::duration)
            .unwrap_or_default(),
        max_login_attempts: number(settings, &MAX_LOGIN_ATTEMPTS, &ATTEMPTS).unwrap_or_default(),
        rate_limit_window: seconds(settings, &RATE_LIMIT_WINDOW_SECONDS, &WINDOW),
        rate_limit_rps: number(settings, &RATE_LIMIT_RPS, &RPS).unwrap_or_default(),
        rate_limit_burst: number(settings, &RATE_LIMIT_BURST, &BURST).unwrap_or_default(),
        ws_ticket_ttl: seconds(settings, &WS_TOKEN_TTL_SECONDS, &TICKET_TTL),
        refresh_reuse_grace: seconds(settings, &REFRESH_REUSE_GRACE_SECONDS, &REUSE_GRACE),
        bcrypt_cost: bcrypt_cost(settings),
        tls_files: tls_files(settings),
        trusted_proxies: trusted_proxies(settings),
        cors_allowed_origins: settings
            .read(&CORS_ALLOWED_ORIGINS, values::origins)
            .unwrap_or_default(),
        log_sources: log_sources(settings, machine),
        log_level: settings
            .read(&LOG_LEVEL, values::level)
            .unwrap_or(LevelFilter::Info),
        workers: number(settings, &WORKERS, &THREADS).unwrap_or_else(|| machine.workers()),
        max_connections,
        max_connections_per_ip,
        max_revocations: number(settings, &MAX_REVOCATIONS, &REVOCATIONS).unwrap_or_default(),
        max_tracked_clients: number(settings, &MAX_TRACKED_CLIENTS, &TRACKED_CLIENTS)
            .unwrap_or_default(),
        max_attempt_clients: number(settings, &MAX_ATTEMPT_CLIENTS, &ATTEMPT_CLIENTS)
            .unwrap_or_default(),
        max_tickets: number(settings, &MAX_TICKETS, &TICKETS).unwrap_or_default(),
        max_cached_tokens: number(settings, &MAX_CACHED_TOKENS, &CACHED_TOKENS).unwrap_or_default(),
        log_buffer_bytes: number(settings, &LOG_BUFFER_BYTES, &BUFFER_BYTES)
            .unwrap_or_else(|| machine.log_buffer_bytes()),
        #[cfg(feature = "updates")]
        updates: super::UpdateSettings::read(settings),
        #[cfg(feature = "advisories")]
        advisory_dir: super::advisories::dir(settings),
        #[cfg(feature = "advisories")]
        advisory_ignore: super::advisories::ignored(settings),
        audit_log_bytes: number(settings, &AUDIT_LOG_BYTES, &AUDIT_BYTES).unwrap_or_default(),
        warnings: Vec::new(),
    }
}

/// Given; or the board's own log, if it has one that can be read.
fn log_sources(settings: &mut RawSettings, machine: &Machine) -> Vec<LogSource> {
    let given = settings.is_given(&LOG_SOURCES);
    let Some(sources) = settings.read(&LOG_SOURCES, sources::parse) else {
        let of_the_board = if given { None } else { machine.log.clone() };
        return of_the_board.into_iter().collect();
    };
    for problem in sources::problems(&sources) {
        settings.warn(&LOG_SOURCES, problem);
    }
    sources
}

fn number<T: TryFrom<u64>>(
    settings: &mut RawSettings,
    variable: &Variable,
    range: &RangeInclusive<u64>,
) -> Option<T> {
    settings.read(variable, |value| values::number(value, range))
}

fn seconds(
    settings: &mut RawSettings,
    variable: &Variable,
    range: &RangeInclusive<u64>,
) -> std::time::Duration {
    settings
        .read(variable, |value| values::seconds(value, range))
        .unwrap_or_default()
}

/// Where root's postern keeps its state, and the packages' service.
pub const ROOT_STATE_DIR: &str = "/var/lib/postern";

/// Given; or systemd's; or root's; or the user's (XDG Base Directory Specification, which has relative paths ignored).
fn state_dir(
    settings: &mut RawSettings,
    machine: &Machine,
    env: &BTreeMap<OsString, OsString>,
) -> Option<PathBuf> {
    if settings.is_given(&STATE_DIR) {
        return settings.read(&STATE_DIR, values::path);
    }
    let absolute = |name: &str| {
        let value = env.get(OsStr::new(name))?;
        // systemd separates several folders by colons; the first is ours.
        let first = match name {
            "STATE_DIRECTORY" => value.as_bytes().split(|b| *b == b':').next()?,
            _ => value.as_bytes(),
        };
        let path = Path::new(OsStr::from_bytes(first));
        path.is_absolute().then(|| path.to_owned())
    };
    let found = absolute("STATE_DIRECTORY")
        .or_else(|| machine.root.then(|| PathBuf::from(ROOT_STATE_DIR)))
        .or_else(|| absolute("XDG_STATE_HOME").map(|state| state.join("postern")))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state/postern")));
    if found.is_none() {
        settings.problem(
            &STATE_DIR,
            "is not given, and there is no HOME to put a folder in; write STATE_DIR=/path/to/a/folder",
        );
    }
    found
}

fn local_socket(settings: &mut RawSettings, state_dir: Option<&Path>) -> Option<PathBuf> {
    let socket = if settings.is_given(&LOCAL_SOCKET) {
        settings.read(&LOCAL_SOCKET, |value| match value {
            "" => Ok(None),
            value => values::path(value).map(Some),
        })?
    } else {
        state_dir.map(|folder| folder.join("postern.sock"))
    };
    let length = socket.as_ref().map_or(0, |path| path.as_os_str().len());
    if length > values::MAX_SOCKET_PATH {
        settings.problem(
            &LOCAL_SOCKET,
            format!("the path has {length} bytes, and a socket's path at most {}; name a shorter one, such as \
            /run/postern.sock", values::MAX_SOCKET_PATH),
        );
        return None;
    }
    socket
}

fn secret_key(settings: &mut RawSettings, variable: &Variable) -> Option<SecretBytes> {
    let given = settings.secret(variable)?;
    if let Err(message) = key::check(given.expose()) {
        settings.problem(variable, message);
    }
    Some(SecretBytes::new(given.expose().as_bytes().to_vec()))
}

fn previous_key(settings: &mut RawSettings) -> Option<SecretBytes> {
    let previous = secret_key(settings, &SECRET_KEY_PREVIOUS)?;
    // Both were given by the same hand: nothing can be learnt from the time this comparison takes.
    let current = settings.secret(&SECRET_KEY);
    if current.is_some_and(|key| key.expose().as_bytes() == previous.expose()) {
        settings.warn(
            &SECRET_KEY_PREVIOUS,
            "is the same as SECRET_KEY; give the key before it, or leave this out",
        );
    }
    Some(previous)
}

fn bcrypt_cost(settings: &mut RawSettings) -> Option<u32> {
    let cost = number(settings, &BCRYPT_COST, &COST)?;
    if cost < LOWEST_SOUND_COST {
        settings.warn(
            &BCRYPT_COST,
            "is under 10: whoever gets the password's hash can guess the password quickly",
        );
    } else if cost > HIGHEST_SWIFT_COST {
        settings.warn(
            &BCRYPT_COST,
            "is over 15: each check of a password takes a small board seconds or more",
        );
    }
    Some(cost)
}

fn tls_files(settings: &mut RawSettings) -> Option<TlsFiles> {
    let cert = settings.read(&TLS_CERT_FILE, values::path);
    let key = settings.read(&TLS_KEY_FILE, values::path);
    let given = |variable| settings.is_given(variable);
    match (given(&TLS_CERT_FILE), given(&TLS_KEY_FILE)) {
        (true, false) => settings.problem(
            &TLS_KEY_FILE,
            "is missing; TLS_CERT_FILE needs its private key",
        ),
        (false, true) => settings.problem(
            &TLS_CERT_FILE,
            "is missing; TLS_KEY_FILE needs its certificate",
        ),
        _ => {}
    }
    Some(TlsFiles {
        cert: cert?,
        key: key?,
    })
}

fn trusted_proxies(settings: &mut RawSettings) -> Vec<IpNet> {
    let networks = settings
        .read(&TRUSTED_PROXIES, values::networks)
        .unwrap_or_default();
    if networks.iter().any(|network| network.prefix_len() == 0) {
        settings.warn(
            &TRUSTED_PROXIES,
            "trusts everybody, so anybody can evade both limits with one header; name the proxy's own address",
        );
    }
    networks
}

/// How many connections in all, and how many from one address: by default a quarter, so that a few hostile ones leave
/// room.
fn connections(settings: &mut RawSettings, machine: &Machine) -> (usize, usize) {
    let all = number(settings, &MAX_CONNECTIONS, &CONNECTIONS)
        .unwrap_or_else(|| machine.max_connections());
    let one = number(settings, &MAX_CONNECTIONS_PER_IP, &CONNECTIONS)
        .unwrap_or_else(|| (all / 4).max(BROWSER_CONNECTIONS).min(all));
    if one > all {
        settings.warn(
            &MAX_CONNECTIONS_PER_IP,
            "is greater than MAX_CONNECTIONS and has no effect",
        );
    }
    (all, one)
}

/// More wrong passwords than this are a guesser's.
const ATTEMPTS: RangeInclusive<u64> = 1..=1000;

/// Up to a day: an owner who mistypes is not locked out for longer.
const WINDOW: RangeInclusive<u64> = 1..=86_400;

/// More than any board answers: as good as no limit.
const RPS: RangeInclusive<u64> = 1..=1_000_000;

/// More than any board answers: as good as no limit.
const BURST: RangeInclusive<u64> = 1..=1_000_000;

/// A ticket stands in a URL; it should not outlive the hour.
const TICKET_TTL: RangeInclusive<u64> = 1..=3600;

/// 0: every second use is theft. Beyond an hour no retry is a race.
const REUSE_GRACE: RangeInclusive<u64> = 0..=3600;

/// What bcrypt itself allows.
const COST: RangeInclusive<u64> = 4..=31;

/// OWASP's minimum for bcrypt.
const LOWEST_SOUND_COST: u32 = 10;

/// On a Raspberry Pi 3 cost 15 takes some ten seconds.
const HIGHEST_SWIFT_COST: u32 = 15;

/// More threads than any of the boards has cores.
const THREADS: RangeInclusive<u64> = 1..=64;

/// As many as there are ports.
const CONNECTIONS: RangeInclusive<u64> = 1..=65_535;

/// A browser opens six to one host; a terminal beside it gets two.
const BROWSER_CONNECTIONS: usize = 8;

/// Fewer would be full after some hours of one client that refreshes its login.
const REVOCATIONS: RangeInclusive<u64> = 100..=MOST_REVOCATIONS;

/// As many as one journal holds with as much waste beside them: it is compacted only when half of it is waste.
pub(crate) const MOST_REVOCATIONS: u64 = 1_000_000;

/// Fewer would have a household share one limit. The most are 13 MB.
const TRACKED_CLIENTS: RangeInclusive<u64> = 16..=262_144;

/// Fewer would let a handful of guessers keep everybody else from a password check.
const ATTEMPT_CLIENTS: RangeInclusive<u64> = 16..=MOST_ATTEMPT_CLIENTS;

/// The lock-outs of so many addresses fit into the journal beside all revocations.
pub(crate) const MOST_ATTEMPT_CLIENTS: u64 = 10_000;

/// All are looked through whenever one is issued or used.
const TICKETS: RangeInclusive<u64> = 16..=10_000;
const CACHED_TOKENS: RangeInclusive<u64> = 0..=65_536;

/// From some hundred short lines to as much memory as the larger boards have.
const BUFFER_BYTES: RangeInclusive<u64> = 16_384..=1 << 30;

/// From some 250 entries to as many as anybody reads; each of the four files stays readable backwards in one go.
const AUDIT_BYTES: RangeInclusive<u64> = 65_536..=1 << 26;

//! Variable by variable: what is taken, what is refused, and what the refusal says.

use super::{KEY, good, load};
use crate::config::{Config, LogSource};

/// Shows the one field a variable sets.
type Show = fn(&Config) -> String;

#[expect(clippy::too_many_lines, reason = "one table")]
#[test]
fn good_values_are_taken() {
    let cases: &[(&str, &str, Show, &str)] = &[
        (
            "LISTEN",
            "0.0.0.0:1, [::1]:2,",
            |c| join(c.listen.iter().map(|l| l.addr)),
            "0.0.0.0:1 [::1]:2",
        ),
        (
            "LISTEN",
            "127.0.0.1:0,127.0.0.1:0",
            |c| c.listen.len().to_string(),
            "2",
        ),
        (
            "LISTEN",
            "0.0.0.0:1,[::1]:1",
            |c| c.listen.len().to_string(),
            "2",
        ),
        (
            "LOCAL_SOCKET",
            "",
            |c| format!("{:?}", c.local_socket),
            "None",
        ),
        (
            "LOCAL_SOCKET",
            "/run/p.sock",
            |c| format!("{:?}", c.local_socket),
            "Some(\"/run/p.sock\")",
        ),
        (
            "STATE_DIR",
            "/srv/p",
            |c| c.state_dir.display().to_string(),
            "/srv/p",
        ),
        (
            "STATE_DIR",
            "/srv/p",
            |c| format!("{:?}", c.local_socket),
            "Some(\"/srv/p/postern.sock\")",
        ),
        (
            "SECRET_KEY",
            KEY,
            |c| c.secret_key.as_ref().unwrap().expose().len().to_string(),
            "32",
        ),
        (
            "SECRET_KEY_PREVIOUS",
            KEY,
            |c| c.secret_key_previous.is_some().to_string(),
            "true",
        ),
        (
            "BASIC_AUTH_USERNAME",
            "jörg the 2nd",
            |c| c.username.clone(),
            "jörg the 2nd",
        ),
        (
            "BASIC_AUTH_PASSWORD",
            " a $b ",
            |c| c.password.as_ref().unwrap().expose().to_owned(),
            " a $b ",
        ),
        (
            "JWT_EXPIRE_DURATION",
            "90s",
            |c| c.access_ttl.as_secs().to_string(),
            "90",
        ),
        (
            "JWT_EXPIRE_DURATION",
            "1h30m",
            |c| c.access_ttl.as_secs().to_string(),
            "5400",
        ),
        (
            "JWT_EXPIRE_DURATION",
            "365d",
            |c| c.access_ttl.as_secs().to_string(),
            "31536000",
        ),
        (
            "MAX_LOGIN_ATTEMPTS",
            "1000",
            |c| c.max_login_attempts.to_string(),
            "1000",
        ),
        (
            "RATE_LIMIT_WINDOW_SECONDS",
            "1",
            |c| c.rate_limit_window.as_secs().to_string(),
            "1",
        ),
        (
            "RATE_LIMIT_RPS",
            "1000000",
            |c| c.rate_limit_rps.to_string(),
            "1000000",
        ),
        (
            "RATE_LIMIT_BURST",
            "1",
            |c| c.rate_limit_burst.to_string(),
            "1",
        ),
        (
            "WS_TOKEN_TTL_SECONDS",
            "3600",
            |c| c.ws_ticket_ttl.as_secs().to_string(),
            "3600",
        ),
        (
            "REFRESH_REUSE_GRACE_SECONDS",
            "0",
            |c| c.refresh_reuse_grace.as_secs().to_string(),
            "0",
        ),
        (
            "BCRYPT_COST",
            "12",
            |c| format!("{:?}", c.bcrypt_cost),
            "Some(12)",
        ),
        (
            "TRUSTED_PROXIES",
            "10.1.2.3/8,::1",
            |c| join(&c.trusted_proxies),
            "10.0.0.0/8 ::1/128",
        ),
        (
            "TRUSTED_PROXIES",
            "::ffff:10.0.0.1/104,192.168.0.1",
            |c| join(&c.trusted_proxies),
            "10.0.0.0/8 192.168.0.1/32",
        ),
        (
            "CORS_ALLOWED_ORIGINS",
            "HTTPS://Panel.Example:8443,http://[::1]",
            |c| join(&c.cors_allowed_origins),
            "https://panel.example:8443 http://[::1]",
        ),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://a:443,http://b:80,http://[::1]:81",
            |c| join(&c.cors_allowed_origins),
            "https://a http://b http://[::1]:81",
        ),
        (
            "LOG_SOURCES",
            "file:/a.log,stdin",
            |c| join(c.log_sources.iter().map(LogSource::name)),
            "a stdin",
        ),
        ("LOG_LEVEL", "Warn", |c| c.log_level.to_string(), "WARN"),
        ("WORKERS", "64", |c| c.workers.to_string(), "64"),
        (
            "MAX_REVOCATIONS",
            "100",
            |c| c.max_revocations.to_string(),
            "100",
        ),
        (
            "MAX_TRACKED_CLIENTS",
            "262144",
            |c| c.max_tracked_clients.to_string(),
            "262144",
        ),
        (
            "MAX_ATTEMPT_CLIENTS",
            "10000",
            |c| c.max_attempt_clients.to_string(),
            "10000",
        ),
        ("MAX_TICKETS", "16", |c| c.max_tickets.to_string(), "16"),
        (
            "MAX_CACHED_TOKENS",
            "0",
            |c| c.max_cached_tokens.to_string(),
            "0",
        ),
        (
            "MAX_CONNECTIONS",
            "10",
            |c| format!("{} {}", c.max_connections, c.max_connections_per_ip),
            "10 8",
        ),
        (
            "MAX_CONNECTIONS",
            "2",
            |c| format!("{} {}", c.max_connections, c.max_connections_per_ip),
            "2 2",
        ),
        (
            "MAX_CONNECTIONS_PER_IP",
            "7",
            |c| c.max_connections_per_ip.to_string(),
            "7",
        ),
        (
            "LOG_BUFFER_BYTES",
            "16384",
            |c| c.log_buffer_bytes.to_string(),
            "16384",
        ),
        (
            "UPDATE_URL",
            "https://example.org/u.json?token=x",
            |c| c.updates.url.as_ref().unwrap().as_str().to_owned(),
            "https://example.org/u.json?token=x",
        ),
        (
            "UPDATE_PUBLIC_KEY",
            "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
            |c| c.updates.public_key.is_some().to_string(),
            "true",
        ),
        (
            "ADVISORY_DIR",
            "/srv/osv.zip",
            |c| format!("{:?}", c.advisory_dir),
            "Some(\"/srv/osv.zip\")",
        ),
        (
            "ADVISORY_IGNORE",
            "RUSTSEC-2023-0071, CVE-2024-1",
            |c| c.advisory_ignore.join(" "),
            "RUSTSEC-2023-0071 CVE-2024-1",
        ),
        (
            "AUDIT_LOG_BYTES",
            "65536",
            |c| c.audit_log_bytes.to_string(),
            "65536",
        ),
    ];
    for (name, value, show, expected) in cases {
        let config = good(&[(name, value)]);
        assert_eq!(show(&config), *expected, "{name}={value}");
        assert_eq!(config.warnings, [""; 0], "{name}={value}");
    }
}

#[test]
fn a_bad_value_is_named_with_what_would_be_right() {
    let long = format!("/{}", "x".repeat(107));
    let cases: &[(&str, &str, &str)] = &[
        ("LISTEN", ":8443", "has no address; write IP:PORT"),
        ("LISTEN", "8443", "has no address; write IP:PORT"),
        ("LISTEN", "0.0.0.0", "has no port; write IP:PORT"),
        ("LISTEN", "[::1]", "has no port; write IP:PORT"),
        ("LISTEN", "localhost:8443", "write IP:PORT"),
        ("LISTEN", "0.0.0.0:99999", "write IP:PORT"),
        ("LISTEN", " , ", "empty"),
        ("LISTEN", "[::]:1,0.0.0.0:1", "overlap"),
        ("LISTEN", "0.0.0.0:1,127.0.0.1:1", "overlap"),
        ("LISTEN", "[::1]:1,[::1]:1", "twice"),
        ("LOCAL_SOCKET", &long, "at most 107"),
        ("SECRET_KEY", "short", "32 bytes"),
        (
            "SECRET_KEY_PREVIOUS",
            "change-me-change-me-change-me-now",
            "example",
        ),
        ("BASIC_AUTH_USERNAME", "admin:hunter22", "colon"),
        ("BASIC_AUTH_USERNAME", "a\nb", "control character"),
        ("BASIC_AUTH_USERNAME", &long, "64 bytes"),
        (
            "JWT_EXPIRE_DURATION",
            "3600",
            "has no unit; write it as 90s",
        ),
        ("JWT_EXPIRE_DURATION", "0s", "from 1s to 365d"),
        ("JWT_EXPIRE_DURATION", "500ms", "whole seconds"),
        ("JWT_EXPIRE_DURATION", "366d", "from 1s to 365d"),
        ("JWT_EXPIRE_DURATION", "99999999999999999999d", "90s, 30m"),
        ("JWT_EXPIRE_DURATION", "-8h", "90s, 30m"),
        ("JWT_EXPIRE_DURATION", "soon", "90s, 30m"),
        ("MAX_LOGIN_ATTEMPTS", "0", "from 1 to 1000"),
        ("MAX_LOGIN_ATTEMPTS", "1001", "from 1 to 1000"),
        ("MAX_LOGIN_ATTEMPTS", "+5", "from 1 to 1000"),
        ("MAX_LOGIN_ATTEMPTS", "five", "from 1 to 1000"),
        ("RATE_LIMIT_WINDOW_SECONDS", "86401", "from 1 to 86400"),
        ("RATE_LIMIT_RPS", "0.5", "from 1 to 1000000"),
        ("RATE_LIMIT_BURST", "1000001", "from 1 to 1000000"),
        ("WS_TOKEN_TTL_SECONDS", "0", "from 1 to 3600"),
        ("REFRESH_REUSE_GRACE_SECONDS", "3601", "from 0 to 3600"),
        ("BCRYPT_COST", "3", "from 4 to 31"),
        ("BCRYPT_COST", "32", "from 4 to 31"),
        ("TLS_CERT_FILE", "/c.pem", "TLS_KEY_FILE"),
        ("TLS_KEY_FILE", "/k.pem", "TLS_CERT_FILE"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "10.0.0.0/8"),
        ("TRUSTED_PROXIES", "proxy.lan", "192.168.1.1"),
        ("CORS_ALLOWED_ORIGINS", "*", "every page"),
        ("CORS_ALLOWED_ORIGINS", "https://*.example", "every page"),
        ("CORS_ALLOWED_ORIGINS", "panel.example", "scheme://host"),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://panel.example/",
            "scheme://host",
        ),
        ("CORS_ALLOWED_ORIGINS", "https://a@b", "scheme://host"),
        ("CORS_ALLOWED_ORIGINS", "https://a:0", "scheme://host"),
        ("CORS_ALLOWED_ORIGINS", "https://[::1", "scheme://host"),
        ("CORS_ALLOWED_ORIGINS", "null", "scheme://host"),
        ("LOG_SOURCES", "jurnald", "is not a log source"),
        ("LOG_LEVEL", "loud", "error, warn, info, debug or trace"),
        ("WORKERS", "65", "from 1 to 64"),
        ("MAX_CONNECTIONS", "65536", "from 1 to 65535"),
        ("MAX_CONNECTIONS_PER_IP", "0", "from 1 to 65535"),
        ("MAX_REVOCATIONS", "99", "from 100 to 1000000"),
        ("MAX_REVOCATIONS", "1000001", "from 100 to 1000000"),
        ("MAX_TRACKED_CLIENTS", "15", "from 16 to 262144"),
        ("MAX_TRACKED_CLIENTS", "262145", "from 16 to 262144"),
        ("MAX_ATTEMPT_CLIENTS", "15", "from 16 to 10000"),
        ("MAX_ATTEMPT_CLIENTS", "10001", "from 16 to 10000"),
        ("MAX_TICKETS", "15", "from 16 to 10000"),
        ("MAX_TICKETS", "10001", "from 16 to 10000"),
        ("MAX_CACHED_TOKENS", "65537", "from 0 to 65536"),
        ("LOG_BUFFER_BYTES", "1M", "from 16384 to 1073741824"),
        (
            "UPDATE_URL",
            "http://example.org/u.json",
            "https://host/path",
        ),
        ("UPDATE_URL", "https://a:b@example.org/", "user name"),
        (
            "UPDATE_PUBLIC_KEY",
            "RWQf6LRC",
            "second line of minisign.pub",
        ),
        ("UPDATE_CA_FILE", "/a\0b", "NUL"),
        ("ADVISORY_DIR", "/a\0b", "NUL"),
        ("ADVISORY_IGNORE", "CVE 2024", "not the name of a"),
        ("AUDIT_LOG_BYTES", "0", "from 65536 to 67108864"),
        ("AUDIT_LOG_BYTES", "67108865", "from 65536 to 67108864"),
    ];
    for (name, value, right) in cases {
        let error = load(&[(name, value)]).expect_err(name).to_string();
        assert!(error.contains(name), "{name}={value}: {error}");
        assert!(error.contains(right), "{name}={value}: {error}");
    }
}

fn join<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(" ")
}

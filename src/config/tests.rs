//! The promises of the configuration as a whole, variable by variable.

use super::*;

const KEY: &str = "f1c9b7e25a0d4386e98b1a7c5d20f463";

fn machine() -> Machine {
    Machine {
        cores: 2,
        memory: 512 << 20,
        root: false,
        env_file: PathBuf::from("/nonexistent/postern.env"),
    }
}

fn load(env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let home = [("HOME", "/home/u")].iter().chain(env);
    Config::load_on(&machine(), home.copied(), None)
}

fn good(env: &[(&str, &str)]) -> Config {
    load(env).unwrap_or_else(|error| panic!("{env:?}: {error}"))
}

fn with_file(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postern.env");
    std::fs::write(&path, text).unwrap();
    let home = [("HOME", "/home/u")].iter().chain(env);
    Config::load_on(&machine(), home.copied(), Some(&path))
}

#[test]
fn without_any_variable_the_documented_defaults_hold() {
    let config = good(&[]);
    assert_eq!(config.listen[0].addr.to_string(), "[::]:8443");
    assert_eq!(config.state_dir, Path::new("/home/u/.local/state/postern"));
    assert_eq!(
        config.local_socket.as_deref(),
        Some(Path::new("/home/u/.local/state/postern/postern.sock"))
    );
    assert_eq!(config.username, "admin");
    assert!(config.password.is_none() && config.secret_key.is_none());
    assert!(config.secret_key_previous.is_none() && config.tls_files.is_none());
    assert_eq!(config.access_ttl, Duration::from_secs(8 * 3600));
    assert_eq!(config.max_login_attempts, 5);
    assert_eq!(config.rate_limit_window, Duration::from_secs(300));
    assert_eq!((config.rate_limit_rps, config.rate_limit_burst), (20, 60));
    assert_eq!(config.ws_ticket_ttl, Duration::from_secs(120));
    assert_eq!(config.refresh_reuse_grace, Duration::from_secs(10));
    assert_eq!(config.bcrypt_cost, None);
    assert!(config.trusted_proxies.is_empty() && config.cors_allowed_origins.is_empty());
    assert!(config.log_sources.is_empty());
    assert_eq!(config.log_level, LevelFilter::Info);
    assert_eq!(config.workers, 2);
    assert_eq!(config.max_connections, 1024);
    assert_eq!(config.max_connections_per_ip, 512);
    assert_eq!(config.log_buffer_bytes, 2 << 20);
    assert_eq!(config.warnings, [""; 0]);
}

/// Shows the one field a variable sets.
type Show = fn(&Config) -> String;

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
            "100000",
            |c| c.rate_limit_rps.to_string(),
            "100000",
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
        ("RATE_LIMIT_RPS", "0.5", "from 1 to 100000"),
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
        (
            "LOG_SOURCES",
            "journald",
            "not supported by this version yet",
        ),
        ("LOG_LEVEL", "loud", "error, warn, info, debug or trace"),
        ("WORKERS", "65", "from 1 to 64"),
        ("MAX_CONNECTIONS", "65536", "from 1 to 65535"),
        ("MAX_CONNECTIONS_PER_IP", "0", "from 1 to 65535"),
        ("LOG_BUFFER_BYTES", "1M", "from 16384 to 1073741824"),
    ];
    for (name, value, right) in cases {
        let error = load(&[(name, value)]).expect_err(name).to_string();
        assert!(error.contains(name), "{name}={value}: {error}");
        assert!(error.contains(right), "{name}={value}: {error}");
    }
}

#[test]
fn a_state_folder_too_deep_for_the_socket_is_told_with_the_way_out() {
    let long = format!("/{}", "x".repeat(107));
    let error = load(&[("STATE_DIR", &long)]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("LOCAL_SOCKET: the path has 121 bytes")
    );
    good(&[("STATE_DIR", &long), ("LOCAL_SOCKET", "")]);
}

#[test]
fn all_problems_are_reported_at_once() {
    let bad = [
        ("LISTEN", "x"),
        ("SECRET_KEY", "x"),
        ("JWT_EXPIRE_DURATION", "x"),
        ("WORKERS", "x"),
        ("TLS_CERT_FILE", "/x"),
    ];
    let error = load(&bad).unwrap_err();
    assert_eq!(error.problems.len(), bad.len());
    let text = error.to_string();
    assert!(
        text.starts_with("the configuration has 5 problems:\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 6, "a line a problem: {text}");
}

#[test]
fn every_variable_refuses_some_value_or_keeps_it_secret() {
    for variable in VARIABLES {
        let nonsense = [(variable.name, "\0\u{7f}*")];
        let kept = load(&nonsense).is_ok_and(|config| config.password.is_some());
        assert_eq!(
            kept,
            variable.name == "BASIC_AUTH_PASSWORD",
            "{} is not read",
            variable.name
        );
    }
}

#[test]
fn secrets_are_in_no_message_and_no_debug() {
    let secret = "hunter22-hunter22";
    for (name, value) in [
        ("SECRET_KEY", secret.to_owned()),
        ("SECRET_KEY", secret.repeat(3)),
        (
            "SECRET_KEY_PREVIOUS",
            format!("change-me-{}", secret.repeat(2)),
        ),
        ("BASIC_AUTH_USERNAME", format!("admin:{secret}")),
    ] {
        let error = load(&[(name, &value)]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter22"), "{name}");
    }
    let key = format!("{KEY}-hunter22");
    let config = good(&[
        ("SECRET_KEY", &key),
        ("SECRET_KEY_PREVIOUS", &key),
        ("BASIC_AUTH_PASSWORD", secret),
    ]);
    assert!(!format!("{config:?}").contains("hunter22"));
}

#[test]
fn real_variables_win_over_the_file() {
    let file = "export WORKERS=3\nBASIC_AUTH_PASSWORD='a $1 # b'\nMAX_LOGIN_ATTEMPTS=7\n";
    let config = with_file(file, &[("WORKERS", "4"), ("MAX_LOGIN_ATTEMPTS", "")]).unwrap();
    assert_eq!(config.workers, 4);
    assert_eq!(config.password.unwrap().expose(), "a $1 # b");
    assert_eq!(config.max_login_attempts, 7, "an empty variable is none");
}

#[test]
fn a_problem_in_the_file_is_named_by_its_line() {
    let error = with_file("\nWORKERS=many\nno such line\n", &[]).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("WORKERS (/") && text.contains("postern.env, line 2)"),
        "{text}"
    );
    assert!(
        text.contains("postern.env, line 3: there is no `=`"),
        "{text}"
    );
    let error = with_file("WORKERS=2\n", &[("WORKERS", "many")]).unwrap_err();
    assert!(
        error.to_string().contains("  WORKERS: "),
        "the file is not to blame"
    );
}

#[test]
fn an_unknown_name_in_the_file_is_a_warning() {
    let config = with_file("WORKER=2\n", &[]).unwrap();
    assert!(config.warnings[0].contains("did you mean WORKERS?"));
    let error = with_file("WORKER=2\nLISTEN=x\n", &[]).unwrap_err();
    assert_eq!(error.warnings.len(), 1);
}

#[test]
fn the_default_file_is_optional_and_a_named_one_is_not() {
    let none = Path::new("/nonexistent/named.env");
    let error = Config::load_on(&machine(), [("HOME", "/h")], Some(none)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("/nonexistent/named.env") && text.contains("--env-file"),
        "{text}"
    );

    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine();
    machine.env_file = folder.path().join("postern.env");
    std::fs::write(&machine.env_file, "WORKERS=3\n").unwrap();
    let config = Config::load_on(&machine, [("HOME", "/h")], None).unwrap();
    assert_eq!(config.workers, 3);
}

#[test]
fn the_state_folder_is_found_in_the_documented_order() {
    let all = [
        ("STATE_DIR", "/given"),
        ("STATE_DIRECTORY", "/systemd:/other"),
        ("XDG_STATE_HOME", "/xdg"),
        ("HOME", "/home/u"),
    ];
    for (root, skip, expected) in [
        (false, 0, "/given"),
        (true, 1, "/systemd"),
        (true, 2, "/var/lib/postern"),
        (false, 2, "/xdg/postern"),
        (false, 3, "/home/u/.local/state/postern"),
    ] {
        let machine = Machine { root, ..machine() };
        let config = Config::load_on(&machine, all[skip..].iter().copied(), None).unwrap();
        assert_eq!(config.state_dir, Path::new(expected));
    }
    let relative = [("XDG_STATE_HOME", "xdg"), ("HOME", "home")];
    let error = Config::load_on(&machine(), relative, None).unwrap_err();
    assert!(error.to_string().contains("STATE_DIR=/path"));
    assert_eq!(error.problems.len(), 1);
}

#[test]
fn odd_values_are_warned_of() {
    for (name, value, word) in [
        ("BCRYPT_COST", "9", "under 10"),
        ("BCRYPT_COST", "16", "over 15"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "everybody"),
        ("TRUSTED_PROXIES", "::/0", "everybody"),
        ("MAX_CONNECTIONS_PER_IP", "65535", "no effect"),
    ] {
        let config = good(&[(name, value)]);
        assert_eq!(config.warnings.len(), 1, "{name}");
        assert!(config.warnings[0].contains(word) && config.warnings[0].contains(name));
    }
    let config = good(&[("SECRET_KEY", KEY), ("SECRET_KEY_PREVIOUS", KEY)]);
    assert!(config.warnings[0].contains("same as SECRET_KEY"));
}

#[test]
fn a_value_that_is_no_text_is_a_problem() {
    use std::os::unix::ffi::OsStringExt;
    let bad = OsString::from_vec(b"\xff".to_vec());
    let env = [
        ("HOME".into(), "/h".into()),
        (OsString::from("WORKERS"), bad),
    ];
    let error = Config::load_on(&machine(), env, None).unwrap_err();
    assert_eq!(error.problems[0].to_string(), "WORKERS: is not UTF-8");
}

#[test]
fn a_wrong_value_is_shown_on_one_line_and_not_without_end() {
    let value = format!("a\nb\u{1b}[31m{}", "x".repeat(10_000));
    let text = load(&[("LOG_LEVEL", &value)]).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 2);
    assert!(text.len() < 300 && !text.contains('\u{1b}'), "{text}");
}

fn join<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(" ")
}

//! The promises of the configuration as a whole.

use super::*;

mod each_variable;

const KEY: &str = "f1c9b7e25a0d4386e98b1a7c5d20f463";

fn machine() -> Machine {
    Machine {
        cores: 2,
        memory: 512 << 20,
        root: false,
        env_file: PathBuf::from("/nonexistent/postern.env"),
        log: None,
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
    assert_eq!(config.max_connections_per_ip, 256);
    assert_eq!(config.max_revocations, 1_000_000);
    assert_eq!(config.max_tracked_clients, 16_384);
    assert_eq!(config.max_attempt_clients, 4096);
    assert_eq!(config.max_tickets, 1024);
    assert_eq!(config.max_cached_tokens, 1024);
    assert_eq!(config.log_buffer_bytes, 2 << 20);
    assert_eq!(
        (config.advisory_dir, config.advisory_ignore),
        (None, vec![])
    );
    assert_eq!(config.warnings, [""; 0]);
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

#[test]
fn a_misspelt_variable_in_the_environment_is_told_without_its_value() {
    for (given, meant) in [
        ("LISTN", "LISTEN"),
        ("LSITEN", "LISTEN"),
        ("listen", "LISTEN"),
        ("WORKER", "WORKERS"),
        ("LOG_SOURCE", "LOG_SOURCES"),
        ("STATEDIR", "STATE_DIR"),
        ("SECRET_KYE", "SECRET_KEY"),
        ("BASIC_AUTH_PASWORD", "BASIC_AUTH_PASSWORD"),
        ("TLS_CERTFILE", "TLS_CERT_FILE"),
    ] {
        let warnings = good(&[(given, "hunter22")]).warnings.join("\n");
        for part in [given, &format!("did you mean {meant}?")] {
            assert!(warnings.contains(part), "{given}: {warnings}");
        }
        assert!(!warnings.contains("hunter22"), "{warnings}");
        let error = load(&[(given, "x"), ("MAX_TICKETS", "x")]).unwrap_err();
        assert!(error.warnings.join("\n").contains(given), "{given}");
    }
    // The right one is there too.
    assert_eq!(good(&[("WORKER", "4"), ("WORKERS", "4")]).warnings, [""; 0]);
    // What is no name is not written to a terminal.
    assert_eq!(good(&[("LISTE\u{1b}", "x")]).warnings, [""; 0]);
}

#[test]
fn ordinary_environments_raise_no_warning() {
    let environments = [
        // A shell at a desk, over ssh, under sudo.
        "SHELL PWD OLDPWD LOGNAME USER USERNAME HOME LANG LANGUAGE LC_ALL LC_TIME TERM COLORTERM PATH SHLVL EDITOR PAGER LESS \
         LS_COLORS MAIL HOSTNAME HOSTTYPE OSTYPE DISPLAY WAYLAND_DISPLAY XAUTHORITY XDG_RUNTIME_DIR XDG_STATE_HOME \
         XDG_SESSION_ID XDG_DATA_DIRS DBUS_SESSION_BUS_ADDRESS SSH_CLIENT SSH_CONNECTION SSH_TTY SSH_AUTH_SOCK SUDO_USER \
         SUDO_UID SUDO_COMMAND TMPDIR TZ NO_COLOR _",
        // systemd, with sockets and a watchdog; OpenRC; a container.
        "INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID MAINPID MANAGERPID NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID LISTEN_FDS \
         LISTEN_PID LISTEN_FDNAMES STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY RUNTIME_DIRECTORY CONFIGURATION_DIRECTORY \
         CREDENTIALS_DIRECTORY MEMORY_PRESSURE_WATCH RC_SVCNAME RC_RUNLEVEL SVCNAME container container_uuid \
         KUBERNETES_SERVICE_HOST KUBERNETES_PORT PORT HOST",
        // Other programs' settings beside ours.
        "LISTENER LISTENERS LISTEN_ADDR LISTEN_PORT LOG_DIR LOG_FILE LOG_PATH LOG_FORMAT SOURCE_DATE_EPOCH SSL_CERT_FILE \
         SSL_CERT_DIR SSL_KEY_FILE SECRET_KEY_BASE STATE CACHE_DIR DATA_DIR STATSD_DIR WORKER_ID WEB_CONCURRENCY MAX_WORKERS \
         MAX_THREADS MAX_CONNS RATE_LIMIT TRUSTED_PROXY_IPS CORS_ORIGIN UPDATE UPDATES RUST_LOG RUST_BACKTRACE \
         POSTERN_PASSWORD http_proxy HTTPS_PROXY no_proxy CURL_CA_BUNDLE REQUESTS_CA_BUNDLE",
        // CI.
        "CI GITHUB_ACTIONS GITHUB_TOKEN GITHUB_WORKSPACE RUNNER_OS RUNNER_TEMP CARGO_HOME CARGO_TARGET_DIR RUSTUP_HOME \
         CARGO_MANIFEST_DIR NODE_ENV PYTHONPATH JAVA_HOME GOPATH DEBIAN_FRONTEND",
    ];
    for names in environments {
        let env: Vec<_> = names.split_whitespace().map(|name| (name, "/x")).collect();
        assert_eq!(good(&env).warnings, [""; 0]);
    }
}

//! The promises of the program as a whole: what goes where, and with which exit status.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::Machine;

/// Status, standard output and standard error of what `command` does with `input`.
pub(super) fn with_terminal(
    mut input: &[u8],
    command: impl FnOnce(&mut Terminal<'_>) -> u8,
) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = command(&mut Terminal {
        input: &mut input,
        input_is_terminal: false,
        out: &mut out,
        err: &mut err,
    });
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(out), text(err))
}

fn postern(words: &str, env: &[(&str, &str)]) -> (u8, String, String) {
    with_terminal(b"pa$$word\n", |terminal| {
        // Whatever settings this machine has in /etc are not the test's.
        let machine = Machine {
            env_file: PathBuf::from("/nonexistent/postern.env"),
            ..Machine::detect()
        };
        let load = |file: Option<&Path>| Config::load_on(&machine, env.iter().copied(), file);
        let serve = |config: Config| match config.workers {
            1 => Ok(()),
            _ => Err(Box::from("the port is taken")),
        };
        let words = words.split_whitespace();
        run(words, terminal, RootRights::Keep, load, serve)
    })
}

const HOME: (&str, &str) = ("HOME", "/home/u");

#[test]
fn serving_ends_with_0_or_says_why_it_could_not() {
    for words in ["", "serve"] {
        let (status, out, err) = postern(words, &[HOME, ("WORKERS", "1"), ("BCRYPT_COST", "4")]);
        assert_eq!((status, out.as_str()), (0, ""));
        assert!(err.starts_with("warning: BCRYPT_COST"), "{err}");
        let (status, _, err) = postern(words, &[HOME, ("WORKERS", "2")]);
        assert_eq!((status, err.as_str()), (1, "postern: the port is taken\n"));
    }
}

#[test]
fn a_bad_configuration_is_1_with_every_problem_on_standard_error() {
    let env = [
        HOME,
        ("WORKERS", "0"),
        ("LISTEN", "x"),
        ("SECRET_KEY", "hunter22"),
    ];
    for words in ["serve", "check"] {
        let (status, out, err) = postern(words, &env);
        assert_eq!((status, out.as_str()), (1, ""), "{words}");
        for name in ["WORKERS", "LISTEN", "SECRET_KEY"] {
            assert!(err.contains(&format!("\n  {name}: ")), "{words}: {err}");
        }
        assert!(!err.contains("hunter22"));
    }
}

#[test]
fn check_tells_what_the_configuration_comes_to_without_secrets() {
    let (status, out, err) = postern(
        "check",
        &[
            HOME,
            ("SECRET_KEY", "hunter22-f1c9b7e25a0d4386e98b1a7c"),
            ("BASIC_AUTH_PASSWORD", "hunter22"),
            ("BCRYPT_COST", "5"),
            ("LOG_SOURCES", "file:/var/log/a.log,stdin"),
        ],
    );
    assert_eq!(status, 0, "{err}");
    assert!(out.starts_with("configuration is good\n"), "{out}");
    for part in [
        "[::]:8443",
        "postern.sock",
        "a (/var/log/a.log), stdin",
        "8h",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(err.starts_with("warning: BCRYPT_COST"), "{err}");
    assert!(!out.contains("hunter22") && !err.contains("hunter22"));
}

#[test]
fn check_says_that_no_log_is_followed() {
    for (sources, followed) in [("", false), ("stdin", true)] {
        let (status, out, _) = postern("check", &[HOME, ("LOG_SOURCES", sources)]);
        assert_eq!(
            (status, out.contains("No log is followed")),
            (0, !followed),
            "{out}"
        );
    }
}

#[test]
fn check_refuses_the_places_that_a_start_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("photos")).unwrap();
    std::fs::write(path("photos/.one"), "").unwrap();
    std::fs::write(path("photos/two"), "").unwrap();
    std::fs::write(path("notes"), "kept").unwrap();
    let (photos, notes, new) = (path("photos"), path("notes"), path("new"));
    for (state, socket, wrong) in [
        (&new, path("sock"), None),
        (&photos, path("sock"), Some("STATE_DIR: ")),
        (&notes, path("sock"), Some("STATE_DIR: ")),
        (&new, notes.clone(), Some("LOCAL_SOCKET: ")),
        (&new, photos.clone(), Some("LOCAL_SOCKET: ")),
        // A start goes on without it.
        (&new, notes.clone() + "/sock", None),
    ] {
        let env = [("STATE_DIR", state.as_str()), ("LOCAL_SOCKET", &socket)];
        for words in ["check", "check --skip-certificate"] {
            let (status, _, err) = postern(words, &env);
            assert_eq!(status, u8::from(wrong.is_some()), "{err}");
            assert!(err.contains(wrong.unwrap_or_default()), "{err}");
            assert!(!err.contains("put it back"), "{err}");
        }
    }
    assert!(!folder.path().join("new").exists());
    // Each problem is listed, and a folder that is not known is not looked at.
    std::fs::create_dir(&new).unwrap();
    std::fs::write(path("new/tls-cert.pem"), "junk").unwrap();
    let env = [("STATE_DIR", new.as_str()), ("LOCAL_SOCKET", &notes)];
    let (_, _, err) = postern("check", &env);
    assert!(
        err.contains("STATE_DIR: ") && err.contains("LOCAL_SOCKET: "),
        "{err}"
    );
    let (_, _, err) = postern("check", &[("LOCAL_SOCKET", notes.as_str())]);
    assert!(err.matches("STATE_DIR: ").count() <= 1, "{err}");
    assert_eq!(std::fs::read_to_string(notes).unwrap(), "kept");
    std::fs::remove_file(path("new/tls-cert.pem")).unwrap();
    // A server that runs is in nobody's way.
    let socket = std::os::unix::net::UnixListener::bind(path("sock")).unwrap();
    let env = [("STATE_DIR", path("new")), ("LOCAL_SOCKET", path("sock"))];
    let env = [0, 1].map(|at| (env[at].0, env[at].1.as_str()));
    assert_eq!(postern("check", &env).0, 0);
    drop(socket);
}

#[test]
fn check_looks_whether_certificate_and_key_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["one", "two"] {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        std::fs::write(path(name), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(path(&format!("{name}-key")), key.serialize_pem()).unwrap();
    }
    for (cert, key, wrong) in [
        ("one", "one-key", None),
        ("one", "two-key", Some("TLS_KEY_FILE")),
        ("one", "none", Some("TLS_KEY_FILE")),
        ("one", "one", Some("TLS_KEY_FILE")),
        ("two-key", "one-key", Some("TLS_CERT_FILE")),
        ("", "one-key", Some("TLS_CERT_FILE")),
    ] {
        let (cert, key) = (path(cert), path(key));
        let env = [HOME, ("TLS_CERT_FILE", &cert), ("TLS_KEY_FILE", &key)];
        let (status, _, err) = postern("check", &env);
        assert_eq!(status, u8::from(wrong.is_some()), "{err}");
        assert!(err.contains(wrong.unwrap_or_default()), "{err}");
    }
}

#[test]
fn cert_shows_a_certificate_of_ones_own_and_does_not_renew_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let made = rcgen::generate_simple_self_signed(["board.example".to_owned()]).unwrap();
    std::fs::write(path("cert"), made.cert.pem()).unwrap();
    std::fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    let (cert, key, state) = (path("cert"), path("key"), path("state"));
    let env = [
        ("STATE_DIR", state.as_str()),
        ("TLS_CERT_FILE", &cert),
        ("TLS_KEY_FILE", &key),
    ];
    let (status, out, err) = postern("cert", &env);
    assert_eq!(status, 0, "{err}");
    assert!(
        err.starts_with("warning: this certificate is valid for"),
        "{err}"
    );
    for part in ["board.example", "given by TLS_CERT_FILE", &cert] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (status, out, err) = postern("cert renew", &env);
    assert_eq!((status, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("this certificate is your own"), "{err}");
    assert_eq!(std::fs::read_to_string(&cert).unwrap(), made.cert.pem());
    assert!(!Path::new(&state).exists());
}

/// A pair in `folder`, good until so many seconds since 1970; its names, for the settings.
fn pair_until(folder: &Path, until: i64) -> [String; 2] {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["board".to_owned()]).unwrap();
    params.not_after = time::OffsetDateTime::from_unix_timestamp(until).unwrap();
    params.not_before = params.not_after - time::Duration::days(800);
    let paths = ["cert", "key"].map(|name| folder.join(name).display().to_string());
    std::fs::write(&paths[0], params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&paths[1], key.serialize_pem()).unwrap();
    paths
}

#[test]
fn a_certificate_that_cannot_be_used_is_1_for_cert_and_check_and_does_not_keep_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let [cert, key] = pair_until(folder.path(), 1_000_000_000);
    let run = |words, expected: u8, part: &str| {
        let env = [
            ("STATE_DIR", state.as_str()),
            ("TLS_CERT_FILE", &cert),
            ("TLS_KEY_FILE", &key),
            ("WORKERS", "1"),
        ];
        let (status, out, err) = postern(words, &env);
        assert_eq!(status, expected, "{words}: {err}");
        assert!(err.contains(part), "{words}: {err}");
        out
    };
    let expired = format!("{cert}: the certificate expired on 2001-09-09");
    run("cert", 1, &expired);
    run("check", 1, &format!("TLS_CERT_FILE: {expired}"));
    let told: serde_json::Value = serde_json::from_str(&run("cert --json", 1, "")).unwrap();
    assert_eq!(
        (&told["usable"], &told["expired"]),
        (&false.into(), &true.into())
    );
    assert!(told["problem"].as_str().unwrap().contains("expired"));
    run("check --skip-certificate", 0, "");
    run("serve", 0, "");

    // In date, as seen from this release on; then cut off, without its key, and gone.
    pair_until(folder.path(), 4_000_000_000);
    let told: serde_json::Value = serde_json::from_str(&run("cert --json", 0, "")).unwrap();
    assert_eq!(
        (&told["usable"], &told["problem"]),
        (&true.into(), &().into())
    );
    run("check", 0, "");
    let whole = std::fs::read(&key).unwrap();
    std::fs::write(&key, &whole[..9]).unwrap();
    run("cert", 1, "there is no PEM private key in it");
    run("check", 1, "TLS_KEY_FILE: ");
    std::fs::write(&cert, "").unwrap();
    run("cert", 1, "there is no PEM certificate in it");
    std::fs::remove_file(&cert).unwrap();
    run("cert", 1, "serves the last good pair");
    run("check", 1, "TLS_CERT_FILE: ");
    run("serve", 0, "");
}

#[test]
fn an_own_certificate_that_has_expired_is_1_too_and_renewing_is_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = pair_until(folder.path(), 1_000_000_000);
    std::fs::rename(cert, folder.path().join("tls-cert.pem")).unwrap();
    std::fs::rename(key, folder.path().join("tls-key.pem")).unwrap();
    let state = folder.path().display().to_string();
    for words in ["cert", "check"] {
        let (status, _, err) = postern(words, &[("STATE_DIR", &state)]);
        assert_eq!(status, 1, "{words}: {err}");
        assert!(err.contains("postern cert renew makes a new one"), "{err}");
    }
    let (status, _, err) = postern("cert renew", &[("STATE_DIR", &state)]);
    // Too long a life for some, which is said as long as it is so.
    assert!(
        err.contains("is valid for 5") && err.contains("refuse more than 825"),
        "{err}"
    );
    assert_eq!(status, 0, "{err}");
    let (status, _, err) = postern("check", &[("STATE_DIR", &state)]);
    assert_eq!(status, 0, "{err}");
}

#[test]
fn cert_where_there_is_none_says_who_makes_it() {
    let env = [("STATE_DIR", "/nonexistent/state"), ("WORKERS", "0")];
    for (words, expected) in [("cert", 2), ("cert renew", 1)] {
        let (status, out, err) = postern(words, &env);
        assert_eq!((status, out.as_str()), (expected, ""), "{words}: {err}");
        assert!(err.contains("first start of postern makes"), "{err}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let env = [
        HOME,
        ("WORKERS", "0"),
        ("BASIC_AUTH_PASSWORD", "short"),
        ("TLS_CERT_FILE", "/nonexistent/cert.pem"),
        ("TLS_KEY_FILE", "/nonexistent/key.pem"),
    ];
    for words in ["serve", "check"] {
        let (status, _, err) = postern(words, &env);
        assert_eq!(status, 1);
        for name in ["WORKERS", "BASIC_AUTH_PASSWORD", "TLS_CERT_FILE"] {
            assert!(err.contains(&format!("\n  {name}: ")), "{words}: {err}");
        }
    }
}

#[test]
fn check_holds_the_first_password_against_the_rules() {
    let (status, _, err) = postern("check", &[HOME, ("BASIC_AUTH_PASSWORD", "password1")]);
    assert_eq!(status, 1);
    assert!(
        err.contains("BASIC_AUTH_PASSWORD") && !err.contains("password1"),
        "{err}"
    );
}

#[test]
fn wrong_usage_is_2_and_points_to_the_help() {
    for words in [
        "chek",
        "--nonsense",
        "check twice",
        "hash-password hunter22",
    ] {
        let (status, out, err) = postern(words, &[HOME]);
        assert_eq!((status, out.as_str()), (2, ""), "{words}");
        assert!(err.ends_with("Try: postern --help\n"), "{err}");
    }
}

#[test]
fn what_a_command_itself_does_not_understand_is_wrong_usage_too() {
    for (words, message) in [
        ("lockouts clear board", "\"board\" is not an IP address"),
        (
            "--generate html",
            "--generate takes one of: man, complete-bash, complete-zsh, complete-fish",
        ),
        (
            "logs board --color red",
            "--color takes auto, always or never",
        ),
    ] {
        let (status, out, err) = postern(words, &[HOME]);
        assert_eq!((status, out.as_str()), (2, ""), "{words}");
        assert_eq!(err, format!("postern: {message}\nTry: postern --help\n"));
    }
}

#[test]
fn help_and_version_need_no_configuration() {
    for (words, begin) in [
        ("--version", "postern 0."),
        ("--help", "postern 0."),
        ("help", "postern 0."),
        ("help check", "postern check: "),
        ("help journal", "postern journal: "),
        ("journal --help", "postern journal: "),
        ("health --help", "postern health: "),
    ] {
        let (status, out, err) = postern(words, &[("WORKERS", "many")]);
        assert_eq!((status, err.as_str()), (0, ""), "{words}");
        assert!(out.starts_with(begin), "{words}: {out}");
    }
}

#[test]
fn hash_password_reads_standard_input() {
    let (status, out, err) = postern("hash-password --cost 4", &[]);
    assert_eq!(status, 0, "{err}");
    assert!(bcrypt::verify("pa$$word", out.trim_end()).unwrap());
    assert!(err.starts_with("warning: --cost 4"), "{err}");
}

#[test]
fn health_without_a_socket_or_a_good_configuration_is_2() {
    let (status, _, err) = postern("health", &[HOME, ("LOCAL_SOCKET", "")]);
    assert_eq!(status, 2);
    assert!(err.contains("LOCAL_SOCKET"), "{err}");
    let long = format!("/{}", "s".repeat(200));
    let (status, _, err) = postern("health", &[HOME, ("LOCAL_SOCKET", &long)]);
    assert_eq!(status, 2);
    assert!(err.contains("\n  LOCAL_SOCKET: "), "{err}");
    let (status, _, err) = postern("health", &[HOME, ("LOCAL_SOCKET", "/nonexistent/s")]);
    assert_eq!(status, 2);
    assert!(err.starts_with("no answer: /nonexistent/s: "), "{err}");
}

#[test]
fn a_variable_that_a_command_does_not_need_does_not_keep_it_from_its_work() {
    for (name, value) in [("WORKERS", "0"), ("SECRET_KEY", "short"), ("LISTEN", "x")] {
        let env = [("STATE_DIR", "/nonexistent/state"), (name, value)];
        let (status, _, err) = postern("health", &env);
        assert!(status == 2 && err.contains("/nonexistent/state/"), "{err}");
        let (status, _, err) = postern("journal verify", &env);
        assert!(status == 2 && err.contains("/nonexistent/state/"), "{err}");
        assert!(err.contains("never started with this STATE_DIR"), "{err}");
    }
    // STATE_DIR may be in it.
    for words in ["journal verify", "health"] {
        let words = format!("{words} --env-file /nonexistent/env");
        let (status, _, err) = postern(&words, &[HOME]);
        assert!(status == 2 && err.contains("no such file"), "{err}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut err = Vec::new();
    let mut terminal = Terminal {
        input: &mut io::empty(),
        input_is_terminal: false,
        out: &mut Gone,
        err: &mut err,
    };
    let load = |_: Option<&Path>| unreachable!();
    let rights = RootRights::Keep;
    assert_eq!(run(["--help"], &mut terminal, rights, load, |_| Ok(())), 0);
    assert!(err.is_empty());
}

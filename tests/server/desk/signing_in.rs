//! Whom the desk trusts, with what it signs in, and what it keeps of that.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use super::fake::{Fake, answer, nothing, tokens};
use super::{Place, fingerprint, relay::Relay};
use crate::device::{Device, PASSWORD, Tokens};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

/// The refresh token that is kept.
fn token(place: &Place, device: &Device) -> String {
    let text = fs::read_to_string(place.login(device.address())).expect("a login");
    text.lines().nth(1).expect("a token").to_owned()
}

#[test]
fn the_first_contact_shows_the_certificate_then_asks_and_keeps_both_after_the_login() {
    let device = Device::start();
    device.log("hello from the board");
    let place = Place::with_terminal();
    let seen = place.logs(device.address(), &[]);
    assert_eq!(seen.status, 0, "{}", seen.err);
    assert!(
        seen.out.contains("  app  hello from the board\n"),
        "{}",
        seen.out
    );
    let shown = seen
        .err
        .find(&fingerprint(&device))
        .expect("the fingerprint");
    let asked = seen.err.find("Password of admin").expect("the question");
    assert!(shown < asked, "{}", seen.err);
    assert!(seen.err.contains("--sign-out"), "{}", seen.err);
    let kept = [place.kept("known_boards"), place.login(device.address())];
    assert!(kept.iter().all(|path| mode(path) == 0o600));
    assert_eq!(
        (mode(&place.kept("")), mode(&place.kept("logins"))),
        (0o700, 0o700)
    );
    let known = fs::read_to_string(&kept[0]).expect("read");
    assert_eq!(
        known,
        format!("{} {}\n", device.address(), fingerprint(&device))
    );

    // From then on nothing is asked and nothing is said.
    let place = Place {
        typed: None,
        ..place
    };
    let seen = place.logs(device.address(), &[]);
    assert_eq!((seen.status, seen.err.as_str()), (0, ""));
    assert!(seen.out.contains("hello from the board"));
}

#[test]
fn a_first_contact_that_comes_to_nothing_leaves_nothing() {
    let device = Device::start();
    for typed in ["", "yes\n", "yes\na wrong password\n"] {
        let place = Place {
            typed: Some(typed),
            ..Place::new()
        };
        let seen = place.logs(device.address(), &[]);
        assert_eq!((seen.status, seen.out.as_str()), (1, ""));
        assert!(seen.err.contains("first contact"), "{}", seen.err);
        assert!(!seen.err.contains("a wrong password"));
        assert!(!place.kept("").exists(), "{typed:?}");
    }
}

#[test]
fn a_board_that_nobody_vouches_for_gets_no_password_and_no_token() {
    for typed in [
        None,
        Some(""),
        Some("no\n"),
        Some("y\n"),
        Some("correct horse battery\n"),
    ] {
        // At a terminal it is looked at; without one not even that.
        let fake = Fake::start(typed.map(|_| nothing()).into_iter().collect());
        let place = Place {
            typed,
            ..Place::with_variable()
        };
        // A login that is kept of another certificate does not make it known either.
        fs::create_dir_all(place.kept("logins")).expect("a folder");
        let login = format!("{}\nrefresh.1\n", fake.fingerprint);
        fs::write(place.login(fake.address), login).expect("written");
        let seen = place.logs(fake.address, &[]);
        assert_eq!((seen.status, seen.out.as_str()), (1, ""), "{typed:?}");
        let said = if typed.is_some() {
            "is not trusted"
        } else {
            "--fingerprint"
        };
        assert!(seen.err.contains(said), "{}", seen.err);
        assert!(!seen.err.contains(PASSWORD), "{}", seen.err);
        assert!(!place.kept("known_boards").exists());
        let requests = fake.requests();
        assert!(requests.iter().all(String::is_empty), "{requests:?}");
    }
}

#[test]
fn another_certificate_gets_not_a_byte_and_both_are_shown() {
    let other = Fake::start(vec![]).fingerprint;
    for given in [false, true] {
        let fake = Fake::start(vec![nothing()]);
        let place = Place::with_variable();
        place.trust(fake.address, if given { &fake.fingerprint } else { &other });
        let words: &[&str] = if given {
            &["--fingerprint", &other]
        } else {
            &[]
        };
        let seen = place.logs(fake.address, words);
        assert_eq!((seen.status, seen.out.as_str()), (1, ""));
        let file = format!("line 1 of {}", place.kept("known_boards").display());
        let source = if given { "--fingerprint" } else { &file };
        for part in [&other, &fake.fingerprint, source, "Nothing was sent"] {
            assert!(seen.err.contains(part), "{part}: {}", seen.err);
        }
        assert_eq!(fake.requests(), [""], "bytes of HTTP");
    }
}

#[test]
fn whoever_shows_the_boards_certificate_without_its_key_gets_not_a_byte() {
    let device = Device::start();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let impostor = Fake::impostor(&device.state("tls-cert.pem"), version, vec![nothing()]);
        let place = Place::with_variable();
        place.trust(impostor.address, &fingerprint(&device));
        let seen = place.logs(impostor.address, &[]);
        assert_eq!(seen.status, 1);
        assert!(seen.err.contains("handshake failed"), "{}", seen.err);
        assert_eq!(impostor.requests(), [""]);
    }
}

#[test]
fn a_certificate_given_up_front_takes_the_place_of_the_one_known() {
    let device = Device::start();
    let place = Place::with_variable();
    let other = Fake::start(vec![]).fingerprint;
    place.trust(device.address(), &other);
    assert_eq!(place.logs(device.address(), &[]).status, 1);
    let right = fingerprint(&device).replace(':', "").to_lowercase();
    let seen = place.logs(device.address(), &["--fingerprint", &right]);
    assert_eq!((seen.status, seen.err.as_str()), (0, ""));
    assert_eq!(place.logs(device.address(), &[]).status, 0);
}

#[test]
fn a_line_of_known_boards_that_makes_no_sense_is_no_first_contact() {
    let fake = Fake::start(vec![]);
    let place = Place::with_variable();
    place.trust(fake.address, "AA:BB");
    let seen = place.logs(fake.address, &[]);
    assert_eq!(seen.status, 1);
    assert!(seen.err.contains("line 1 holds no"), "{}", seen.err);
}

#[test]
fn the_saved_login_changes_with_each_use_and_many_at_once_are_no_theft() {
    let device = Device::start();
    let place = Place::with_terminal();
    assert_eq!(place.logs(device.address(), &[]).status, 0);
    let first = token(&place, &device);
    let place = Place {
        typed: None,
        ..place
    };
    let words = ["-n", "1"];
    thread::scope(|scope| {
        let many: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| place.logs(device.address(), &words)))
            .collect();
        for one in many {
            let seen = one.join().expect("no panic");
            assert_eq!((seen.status, seen.err.as_str()), (0, ""));
        }
    });
    let last = token(&place, &device);
    assert_ne!(first, last);
    // The last one is good: none of them was taken for a thief.
    device.advance(60);
    assert_eq!(device.refresh(&last).status, 200);
}

#[test]
fn a_saved_login_that_is_over_is_removed_and_the_password_asked_for() {
    let device = Device::start();
    let place = Place::with_terminal();
    assert_eq!(place.logs(device.address(), &[]).status, 0);
    device.refresh(&token(&place, &device));
    let scripted = Place {
        typed: None,
        ..place
    };
    let seen = scripted.logs(device.address(), &[]);
    assert_eq!(seen.status, 1);
    for part in [
        "the saved login has ended",
        "no terminal",
        "POSTERN_PASSWORD",
    ] {
        assert!(seen.err.contains(part), "{}", seen.err);
    }
    assert!(!scripted.login(device.address()).exists());
    let place = Place {
        typed: Some("correct horse battery\n"),
        ..scripted
    };
    let seen = place.logs(device.address(), &[]);
    assert_eq!(seen.status, 0, "{}", seen.err);
    assert!(place.login(device.address()).exists());
}

#[test]
fn a_saved_login_is_sent_only_to_the_certificate_that_it_came_from() {
    let device = Device::start();
    let place = Place::with_terminal();
    let relay = Relay::to(device.address());
    assert_eq!(place.logs(relay.address, &[]).status, 0);
    // The user believes in a new certificate, and signs in as he is asked to: the old token stays where it is.
    let fake = Fake::start(vec![nothing(), answer(401, "", r#"{"detail":"wrong"}"#)]);
    relay.lead_to(fake.address);
    fs::remove_file(place.kept("known_boards")).expect("removed");
    let seen = place.logs(relay.address, &[]);
    assert_eq!(seen.status, 1);
    assert!(seen.err.contains("first contact"), "{}", seen.err);
    let requests = fake.requests();
    assert!(
        requests[1].starts_with("POST /api/auth/login "),
        "{requests:?}"
    );
    assert!(!requests[1].contains("refresh_token"));
}

#[test]
fn a_password_from_the_variable_keeps_no_login_and_logs_out_at_the_end() {
    let log = r#"{"status":"success","data":[]}"#;
    let scripts = || vec![tokens(), answer(200, "", log), answer(200, "", "{}")];
    for typed in [None, Some("correct horse battery\n")] {
        let fake = Fake::start(scripts());
        let place = Place {
            variable: typed.is_none().then_some(PASSWORD),
            typed,
            ..Place::new()
        };
        place.trust(fake.address, &fake.fingerprint);
        let words: &[&str] = if typed.is_some() { &["--no-save"] } else { &[] };
        let seen = place.logs(fake.address, words);
        assert_eq!(seen.status, 0, "{}", seen.err);
        assert!(!place.login(fake.address).exists());
        let requests = fake.requests();
        assert!(requests[0].contains(PASSWORD));
        assert!(requests[1].contains("\r\nAuthorization: Bearer access.1\r\n"));
        assert!(
            requests[2].starts_with("POST /api/logout "),
            "{}",
            requests[2]
        );
        assert!(requests[2].contains("\r\nAuthorization: Bearer access.1\r\n"));
        assert!(!seen.err.contains("access.1"));
    }
}

/// A desk that keeps this login.
fn keeping(device: &Device, address: SocketAddr, login: &Tokens) -> Place {
    let place = Place::new();
    let file = place.login(address);
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    let text = format!("{}\n{}\n", fingerprint(device), login.refresh);
    fs::write(file, text).expect("written");
    place
}

#[test]
fn signing_out_ends_the_login_at_the_board_and_here() {
    let device = Device::start();
    let (login, other) = (device.login(), device.login());
    let place = keeping(&device, device.address(), &login);
    let seen = place.logs(device.address(), &["--sign-out"]);
    assert_eq!((seen.status, seen.out.as_str()), (0, ""), "{}", seen.err);
    assert!(!place.login(device.address()).exists());
    assert!(!device.accepts(&login.access));
    assert!(
        device.accepts(&other.access),
        "another login is another matter"
    );
    let seen = place.logs(device.address(), &["--sign-out"]);
    assert_eq!(seen.status, 0);
    assert!(seen.err.contains("no login of admin"), "{}", seen.err);
}

#[test]
fn a_board_that_cannot_be_reached_is_not_signed_out_of() {
    let device = Device::start();
    let login = device.login();
    let relay = Relay::to(Fake::start(vec![]).address);
    let place = keeping(&device, relay.address, &login);
    assert_eq!(place.logs(relay.address, &["--sign-out"]).status, 1);
    assert!(place.login(relay.address).exists());
    relay.lead_to(device.address());
    assert_eq!(place.logs(relay.address, &["--sign-out"]).status, 0);
    assert!(!device.accepts(&login.access));
}

#[test]
fn a_lock_out_is_told_with_its_seconds() {
    let device = Device::with(&[("MAX_LOGIN_ATTEMPTS", "1")]);
    let place = Place {
        variable: Some("a wrong password"),
        ..Place::with_variable()
    };
    let seen = place.logs(device.address(), &[]);
    assert!(seen.err.contains("password is wrong"), "{}", seen.err);
    let place = Place::with_variable();
    let seen = place.logs(device.address(), &[]);
    assert_eq!(seen.status, 1);
    assert!(seen.err.contains("try again in 300 s"), "{}", seen.err);
    // A board that says it only in a header field is understood, too, whatever else has the same digits in it.
    let fake = Fake::start(vec![answer(
        429,
        "Retry-After: 77\r\n",
        r#"{"detail":"not now, 1977\u001b[2J"}"#,
    )]);
    place.trust(fake.address, &fake.fingerprint);
    let seen = place.logs(fake.address, &[]);
    assert!(
        seen.err
            .contains("not now, 1977\\u{1b}[2J; try again in 77 s"),
        "{}",
        seen.err
    );
    assert_eq!(seen.err.matches("try again").count(), 1, "{}", seen.err);
}

#[test]
fn a_folder_that_cannot_be_written_costs_the_keeping_and_not_the_log() {
    let device = Device::start();
    device.log("all the same");
    let place = Place::with_terminal();
    fs::create_dir_all(place.kept("logins")).expect("made");
    fs::create_dir(place.login(device.address())).expect("a folder in its place");
    let seen = place.logs(device.address(), &[]);
    assert_eq!(seen.status, 0, "{}", seen.err);
    assert!(seen.out.contains("all the same"));
    assert!(
        seen.err.contains("warning: this login cannot be kept"),
        "{}",
        seen.err
    );
}

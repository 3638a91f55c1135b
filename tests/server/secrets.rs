//! No password, token, ticket or key in any line: neither on standard error at its most talkative, nor on the stream,
//! nor in an answer to a request that had it in the wrong place, nor in a file where it has no business.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::client::{Response, request_text};
use crate::device::{Tokens, USER, basic, bearer};
use crate::forge::{KEY, OTHER_KEY, claims, token};
use crate::program::Program;

const NEW: &str = "newly-chosen-Zq81";
const TYPED_AS_USER: &str = "typed-as-the-user-Wk27";
const GUESS: &str = "guessed-wrongly-Pv93";
const IN_BAD_JSON: &str = "in-broken-json-Rn54";
const MISPLACED: &str = "misplaced-Tb66";

/// A program under way, and every secret that it has seen.
struct Run {
    program: Program,
    secrets: Vec<String>,
    answers: Vec<Response>,
}

impl Run {
    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let text = request_text(method, path, headers, body);
        self.program_answers(&text, method)
    }

    fn program_answers(&mut self, text: &str, method: &str) -> u16 {
        let mut client = self.program.connect();
        client.send(text);
        let answer = client.response_to(method);
        let status = answer.status;
        if status >= 400 {
            self.answers.push(answer);
        }
        status
    }

    fn with(&mut self, method: &str, path: &str, authorization: &str) -> u16 {
        self.send(method, path, &[("Authorization", authorization)], "")
    }

    /// Keeps a pair among the secrets: the tokens, and the part of each that makes it one.
    fn keep(&mut self, response: &Response) -> Tokens {
        let pair = Tokens::of(response);
        for token in [&pair.access, &pair.refresh] {
            let signature = token.rsplit('.').next().expect("a signature");
            self.secrets.extend([token.clone(), signature.to_owned()]);
        }
        pair
    }

    fn login(&mut self, password: &str) -> Tokens {
        let response = self.program.login(USER, password);
        self.keep(&response)
    }

    fn ticket(&mut self, authorization: &str) -> String {
        let answer = self
            .program
            .request("GET", "/api/ws-token", Some(authorization), None);
        let ticket = answer.json()["token"]
            .as_str()
            .expect("a ticket")
            .to_owned();
        self.secrets.push(ticket.clone());
        ticket
    }
}

fn start() -> (Run, String) {
    let program = Program::start(&[
        ("LOG_LEVEL", "trace"),
        ("SECRET_KEY", KEY),
        ("SECRET_KEY_PREVIOUS", OTHER_KEY),
        ("REFRESH_REUSE_GRACE_SECONDS", "0"),
        ("TRUSTED_PROXIES", "127.0.0.1/32"),
        ("MAX_LOGIN_ATTEMPTS", "8"),
    ]);
    let first = program
        .banner
        .lines()
        .find_map(|line| line.trim().strip_prefix("password"));
    let first = first.expect("a generated password").trim().to_owned();
    let plain = [
        &first,
        NEW,
        TYPED_AS_USER,
        GUESS,
        IN_BAD_JSON,
        MISPLACED,
        KEY,
        OTHER_KEY,
    ];
    let mut secrets: Vec<String> = plain.iter().map(|&secret| secret.to_owned()).collect();
    for (user, password) in [
        (USER, first.as_str()),
        (USER, NEW),
        (USER, GUESS),
        (TYPED_AS_USER, "x"),
    ] {
        secrets.push(BASE64_STANDARD.encode(format!("{user}:{password}")));
    }
    let run = Run {
        program,
        secrets,
        answers: Vec::new(),
    };
    (run, first)
}

/// Everything that a login can go through, rightly and wrongly.
fn live_through_it(run: &mut Run, first: &str) {
    let one = run.login(first);
    assert_eq!(run.with("GET", "/api/status", &basic(USER, first)), 200);
    assert_eq!(run.with("GET", "/api/status", &basic(USER, GUESS)), 401);
    assert_eq!(run.program.login(TYPED_AS_USER, "x").status, 401);
    assert_eq!(run.program.login(USER, GUESS).status, 401);

    let two = run.program.refresh(&one.refresh);
    let two = run.keep(&two);
    assert_eq!(run.program.refresh(&one.refresh).status, 401);
    assert_eq!(run.with("GET", "/api/status", &two.bearer()), 401);

    let three = run.login(first);
    assert_eq!(run.with("POST", "/api/logout", &three.bearer()), 200);
    let four = run.login(first);
    let body = json!({"current_password": GUESS, "new_password": NEW}).to_string();
    let headers = [("Authorization", &*four.bearer())];
    assert_eq!(
        run.send("POST", "/api/change-password", &headers, &body),
        400
    );
    for weak in ["short", first, USER] {
        let body = json!({"current_password": first, "new_password": weak}).to_string();
        assert_eq!(
            run.send("POST", "/api/change-password", &headers, &body),
            400
        );
    }
    let body = json!({"current_password": first, "new_password": NEW}).to_string();
    assert_eq!(
        run.send("POST", "/api/change-password", &headers, &body),
        200
    );
    assert_eq!(run.with("GET", "/api/status", &basic(USER, first)), 401);
    let forged = token(OTHER_KEY, &claims("access", 1));
    run.secrets.push(forged.clone());
    assert_eq!(run.with("GET", "/api/status", &bearer(&forged)), 401);
}

fn open_streams_badly(run: &mut Run, me: &str) {
    let ticket = run.ticket(me);
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let path = format!("/api/ws/logs?token={ticket}");
    assert_eq!(run.send("GET", &path, &[], ""), 426);
    assert_eq!(run.send("GET", &path, &upgrade, ""), 101);
    assert_eq!(run.send("GET", &path, &upgrade, ""), 401);
    let ticket = run.ticket(me);
    let subprotocol = format!("postern.logs, postern.token.{ticket}");
    let foreign = [
        &upgrade[..],
        &[
            ("Sec-WebSocket-Protocol", &subprotocol),
            ("Origin", "https://evil.example"),
        ],
    ];
    assert_eq!(run.send("GET", "/api/ws/logs", &foreign.concat(), ""), 403);
    let path = format!("/api/ws/logs?token={MISPLACED}");
    assert_eq!(run.send("GET", &path, &upgrade, ""), 401);
}

/// Secrets where no secret belongs.
fn misplace(run: &mut Run, pair: &Tokens) {
    let access = &pair.access;
    for body in [
        format!("{{\"username\":\"admin\",\"password\":\"{IN_BAD_JSON}\""),
        format!("{{\"username\":\"admin\",\"password\":{IN_BAD_JSON}}}"),
        format!("\"{IN_BAD_JSON}\""),
        format!("{{\"{IN_BAD_JSON}\":1}}"),
        format!("{{\"username\":\"admin\",\"password\":[\"{IN_BAD_JSON}\"]}}"),
        format!("username=admin&password={IN_BAD_JSON}"),
        format!("{{\"refresh_token\":{{\"x\":\"{access}\"}}}}"),
    ] {
        for path in ["/api/auth/login", "/api/auth/refresh"] {
            assert_eq!(run.send("POST", path, &[], &body), 400, "{body}");
        }
    }
    for path in [
        format!("/api/status?token={access}"),
        format!("/api/{access}"),
        format!("/api/{MISPLACED}"),
        format!("/{MISPLACED}/api"),
    ] {
        assert_eq!(run.send("GET", &path, &[], ""), 401, "{path}");
    }
    let me = pair.bearer();
    for path in [
        format!("/api/{MISPLACED}"),
        format!("/api/logs?level={MISPLACED}"),
        format!("/api/logs?limit={MISPLACED}"),
        format!("/api/logs?follow={MISPLACED}"),
        format!("/api/security/rate-limits/{MISPLACED}"),
    ] {
        let status = run.with("DELETE", &path, &me);
        assert!([400, 404, 405].contains(&status), "{path}: {status}");
        assert!(run.with("GET", &path, &me) >= 400, "{path}");
    }
    for authorization in [
        format!("Bearer {MISPLACED}"),
        format!("Basic {MISPLACED}"),
        format!("Basic {}", BASE64_STANDARD.encode(MISPLACED)),
        format!("{MISPLACED} x"),
        format!("Bearer {access} {access}"),
    ] {
        assert_eq!(run.with("GET", "/api/status", &authorization), 401);
    }
    let cookie = [
        ("Cookie", MISPLACED),
        ("X-Forwarded-For", MISPLACED),
        ("Origin", MISPLACED),
    ];
    run.send("POST", "/api/auth/login", &cookie, "{}");
    for text in [
        format!("GET /api/status HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer {access}\r\n\r\n"),
        format!("GET /api/status HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {access}\n\r\n"),
        format!("GET /{access} HTTP/7.1\r\nHost: a\r\n\r\n"),
        format!("{MISPLACED} / HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {MISPLACED}@a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {MISPLACED}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nExpect: {MISPLACED}\r\n\r\n"),
        format!("{MISPLACED}\r\n\r\n"),
    ] {
        assert!(run.program_answers(&text, "GET") >= 400, "{text}");
    }
}

fn own_entries(program: &Program, me: &str) -> Value {
    let answer = program.request(
        "GET",
        "/api/logs?limit=10000&source=postern",
        Some(me),
        None,
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].clone()
}

#[test]
fn no_secret_is_ever_in_a_log_line_or_an_error() {
    let (mut run, first) = start();
    assert!(!run.program.stderr().is_empty(), "it says something at all");
    live_through_it(&mut run, &first);
    let pair = run.login(NEW);
    let me = pair.bearer();
    open_streams_badly(&mut run, &me);
    misplace(&mut run, &pair);
    for _ in 0..6 {
        run.with("GET", "/api/status", &basic(USER, GUESS));
    }
    assert_eq!(run.program.login(USER, NEW).status, 429);

    let entries = own_entries(&run.program, &me).to_string();
    // What is promised to be there is there, ...
    for event in [
        "login failed",
        "locked out",
        "refresh token reused",
        "logged out",
        "password changed",
    ] {
        assert!(entries.contains(event), "{event}");
        assert!(run.program.stderr().contains(event), "{event}");
    }
    run.program.kill_and_restart();
    let entries = entries + &own_entries(&run.program, &me).to_string();
    assert!(run.program.terminate());

    // ... and nothing else.
    let stderr = run.program.stderr();
    for secret in &run.secrets {
        assert!(!stderr.contains(secret), "on standard error: {secret}");
        assert!(!entries.contains(secret), "on the stream: {secret}");
        for answer in &run.answers {
            assert!(
                !answer.text().contains(secret),
                "in an answer: {}",
                answer.text()
            );
            assert!(
                !format!("{:?}", answer.headers).contains(secret),
                "in an answer's head"
            );
        }
    }
    // Nor in a file, now that the first password is good for nothing.
    let files = fs::read_dir(run.program.state("")).expect("the state folder");
    for file in files
        .map(|file| file.expect("an entry").path())
        .filter(|path| path.is_file())
    {
        let bytes = fs::read(&file).expect("a file");
        for secret in &run.secrets {
            let found = crate::client::find(&bytes, secret.as_bytes());
            assert_eq!(found, None, "in {}: {secret}", file.display());
        }
    }
}

//! What bad input gets: a clear JSON error, and an unharmed server.

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::json;

use crate::client::tcp;
use crate::device::{Device, USER, basic};

/// Sends bytes on a connection of their own; asserts the status, that the connection is closed after it, and that the
/// server still serves.
fn refused(device: &Device, bytes: impl AsRef<[u8]>, status: u16) -> String {
    let mut client = device.connect();
    let response = client.raw(&bytes);
    let shown =
        String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(200)]).into_owned();
    assert_eq!(response.status, status, "{shown}: {}", response.text());
    assert_eq!(response.header("connection"), Some("close"), "{shown}");
    assert!(client.is_closed(), "{shown}");
    response.detail()
}

#[test]
fn malformed_heads_are_refused_in_words() {
    let device = Device::start();
    for (bytes, status) in [
        (&b"GET /health HTTP/1.1\r\n\r\n"[..], 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /health HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"GET /health\r\n", 400),
        (b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\x0c;a\r\n{}\r\n0\r\n\r\n", 400),
        (b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nno colon\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /health HTTP/9.9\r\nHost: a\r\n\r\n", 505),
    ] {
        refused(&device, bytes, status);
    }
    assert_eq!(device.get("/health", None).status, 200);
}

#[test]
fn a_head_over_8_kib_is_431() {
    let device = Device::start();
    let head = format!(
        "GET /health HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(9000)
    );
    refused(&device, head, 431);
    // A token of a megabyte is a head of a megabyte.
    let token = format!(
        "GET /api/status HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    refused(&device, token, 431);
}

#[test]
fn a_body_over_64_kib_is_413_without_being_read() {
    let device = Device::start();
    refused(
        &device,
        "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n",
        413,
    );
    let chunked = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n{}",
        "x".repeat(1000)
    );
    refused(&device, chunked, 413);
    // All of it sent at once: the answer still arrives, not a reset.
    let whole = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n{}",
        "x".repeat(300_000)
    );
    refused(&device, whole, 413);
}

#[test]
fn a_body_of_somebody_unknown_over_4_kib_is_413() {
    let device = Device::start();
    let runs = device.server().api().auth.bcrypt_runs();
    let post = |path: &str, credential: &str, length: usize| {
        let mut client = device.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\n{credential}Content-Length: {length}\r\n\r\n"
        );
        let answer = client.raw(format!("{head}{}", " ".repeat(length)));
        (answer.status, answer.text().contains("larger than 4 KiB"))
    };
    // A password that bcrypt would have to check makes nobody known.
    let unchecked = format!("Authorization: {}\r\n", basic(USER, "not this one"));
    for (path, credential) in [
        ("/api/auth/login", ""),
        ("/api/auth/refresh", ""),
        ("/api/change-password", unchecked.as_str()),
    ] {
        assert_eq!(post(path, credential, 4097), (413, true), "{path}");
        assert_ne!(post(path, credential, 4096).0, 413, "{path}");
    }
    assert_eq!(device.server().api().auth.bcrypt_runs() - runs, 1);
    let known = format!("Authorization: {}\r\n", device.login().bearer());
    assert_eq!(post("/api/change-password", &known, 65_536).0, 400);
}

#[test]
fn the_body_of_a_refused_request_is_passed_over_and_the_next_one_is_found() {
    let device = Device::start();
    let mut client = device.connect();
    let body = "x".repeat(65_536);
    for path in ["/api/change-password", "/api/logout", "/api/nowhere"] {
        let answer = client.ask("POST", path, &[], &body);
        assert_eq!(answer.status, 401, "{path}");
    }
    assert_eq!(client.request("GET", "/health", None, None).status, 200);
}

#[test]
fn a_client_hello_over_16_kib_ends_the_connection() {
    let device = Device::start();
    // One of 60 KB, in records of 1 KiB.
    let hello = [&[1, 0, 0xea, 0x60][..], &vec![3; 60_000]].concat();
    let mut socket = tcp(device.address());
    let mut sent = 0;
    for part in hello.chunks(1024) {
        let length = u16::try_from(part.len()).expect("a record").to_be_bytes();
        let record = [&[22, 3, 1][..], &length, part].concat();
        // Each is taken before the next is sent, or the connection is over.
        if socket.write_all(&record).is_err() {
            break;
        }
        sent += record.len();
        let turned = device.get("/health", None).status;
        assert_eq!(turned, 200);
    }
    assert!(sent < 20 * 1024, "{sent} bytes were taken");
}

#[test]
fn a_client_that_waits_for_100_continue_is_told() {
    let device = Device::start();
    let mut client = device.connect();
    client.send("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response_to("POST").status, 100);
    client.send("{}");
    assert_eq!(client.response_to("POST").status, 400);
}

#[test]
fn malformed_bodies_are_400_and_say_where() {
    let device = Device::start();
    let mut client = device.connect();
    let mut login = |body: &str| {
        let request = format!(
            "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let response = client.raw(request);
        assert_eq!(response.status, 400, "{body:.100}: {}", response.text());
        response.detail()
    };
    assert!(login("{\"username\": }").contains("line 1, column 14"));
    assert!(login("").contains("body"));
    assert!(login("[1]").contains("object"));
    assert!(login("{\"password\":\"x\"}").contains("'username'"));
    assert!(login("{\"username\":\"admin\"}").contains("'password'"));
    assert!(login("{\"username\":\"admin\",\"password\":5}").contains("'password'"));
    assert!(login("{\"username\":null,\"password\":\"x\"}").contains("'username'"));
    login(&"[".repeat(4_000));
    login(&format!("{}1{}", "{\"a\":".repeat(600), "}".repeat(600)));
    login("\u{0}\u{1}");
    // What is given twice is understood by nobody, however deep and however spelt.
    for twice in [
        r#"{"username":"admin","username":"other","password":"x"}"#,
        r#"{"username":"admin","password":"x","p\u0061ssword":"x"}"#,
        r#"{"username":"admin","password":"x","more":[{"a":1,"a":1}]}"#,
    ] {
        assert!(login(twice).contains("twice"), "{twice}");
    }
    login("{\"username\":\"\\ud800\",\"password\":\"x\"}");
}

#[test]
fn a_malformed_credential_is_401_and_no_attempt() {
    let device = Device::start();
    for (authorization, told) in [
        ("Basic", "no colon"),
        ("Basic !!!", "not base64"),
        ("Basic bm9jb2xvbg==", "no colon"),
        ("Basic /w==", "not UTF-8"),
        ("Basic YWRtaW46cORzcw==", "not UTF-8"),
        ("Bearer", "invalid, expired or revoked"),
        ("Bearer a.b.c", "invalid, expired or revoked"),
        ("Bearer ..", "invalid, expired or revoked"),
        ("Digest username=\"admin\"", "neither Basic nor Bearer"),
        ("", "neither Basic nor Bearer"),
    ] {
        for _ in 0..3 {
            let response = device.get("/api/status", Some(authorization));
            assert_eq!(response.status, 401, "{authorization}");
            let detail = response.detail();
            assert!(detail.contains(told), "{authorization}: {detail}");
            let schemes = response.header("www-authenticate").expect("schemes");
            assert!(
                schemes.contains("Basic ") && schemes.contains("Bearer "),
                "{schemes}"
            );
            assert_eq!(
                schemes.contains("invalid_token"),
                authorization.starts_with("Bearer")
            );
        }
    }
    assert_eq!(
        device
            .get("/api/status", Some(&basic(USER, crate::device::PASSWORD)))
            .status,
        200
    );
}

#[test]
fn an_unknown_query_parameter_is_400_and_the_nearest_known_one_named() {
    let device = Device::start();
    let token = device.login().bearer();
    for (path, told) in [
        ("/api/logs?limt=5", "did you mean 'limit'?"),
        ("/api/logs?limit=5&sorce=app", "did you mean 'source'?"),
        ("/api/logs?LEVEL=warn", "did you mean 'level'?"),
        ("/api/logs?field.=x", "known here: limit, "),
        ("/api/logs?follow=true&token=x", "known here: limit, "),
        ("/api/ws/logs?limit=5", "known here: token, "),
        ("/api/audit-log?befor=5", "did you mean 'before'?"),
        ("/api/security/cve?limits=5", "did you mean 'limit'?"),
        ("/api/status?a", "takes no query"),
        ("/api/status?=x", "takes no query"),
        ("/api/ws-token?x=y", "takes no query"),
        ("/api/openapi.json?%6c%69mit=1", "takes no"),
    ] {
        let refused = device.get(path, Some(&token));
        assert_eq!(refused.status, 400, "{path}");
        let detail = refused.detail();
        assert!(detail.contains(told), "{path}: {detail}");
        // Whoever may not ask learns nothing of what could be asked.
        assert_eq!(device.get(path, None).status, 401, "{path}");
    }
    // A credential that slipped into the wrong place is not repeated.
    let secret = format!("/api/logs?{}=1", &token["Bearer ".len()..]);
    let detail = device.get(&secret, Some(&token)).detail();
    assert!(!detail.contains("eyJ"), "{detail}");
    assert_eq!(device.get("/api/health?x", None).status, 400);
    assert_eq!(
        device
            .request("POST", "/api/logout?x", Some(&token), None)
            .status,
        400
    );
    for fine in ["/health?x", "/readyz?x=y", "/?utm_source=x"] {
        assert_eq!(device.get(fine, None).status, 200, "{fine}");
    }
    for fine in [
        "/api/logs?",
        "/api/logs?&",
        "/api/logs?%6cimit=1",
        "/api/status?",
        "/metrics?x=y",
    ] {
        assert_eq!(device.get(fine, Some(&token)).status, 200, "{fine}");
    }
}

#[test]
fn no_spelling_of_a_path_is_a_way_around_authentication() {
    let device = Device::start();
    let token = device.login().bearer();
    for path in [
        "/api/%2e%2e/health",
        "/api/../health",
        "/api/./health",
        "//api/health",
        "//api/status",
        "/api//status",
        "/api/health/",
        "/api/health/../status",
        "/health/../api/status",
        "/%61pi/status",
        "/API/status",
        "/api/status/",
        "/api/status%00",
        "/api%2fstatus",
        "/x/..%2fapi/status",
        "/%2561pi/status",
        "/\\api\\status",
        "/api;x=y/status",
        "/api",
        "/api/",
        "/api/nothing",
    ] {
        let anonymous = device.get(path, None);
        assert!(
            [400, 401, 404].contains(&anonymous.status),
            "{path}: {}",
            anonymous.status
        );
        assert_eq!(anonymous.json()["status"], "error", "{path}");
        let known = device.get(path, Some(&token)).status;
        assert!(known == 404 || known == 400, "{path}: {known}");
    }
    for path in [
        "/api",
        "/api/nothing",
        "/api/health/",
        "/api/%2e%2e/health",
        "//api/x",
    ] {
        assert_eq!(device.get(path, None).status, 401, "{path}");
    }
    assert_eq!(device.get("/nothing", None).status, 404);
}

#[test]
fn a_wrong_method_is_405_for_those_who_may_know() {
    let device = Device::start();
    let token = device.login().bearer();
    let response = device.get("/api/logout", Some(&token));
    assert_eq!(response.status, 405);
    assert_eq!(response.header("allow"), Some("POST, OPTIONS"));
    assert_eq!(device.get("/api/logout", None).status, 401);
    let open = device.request("POST", "/health", None, None);
    assert_eq!(open.status, 405);
    assert_eq!(open.header("allow"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(
        device
            .request("BREW", "/api/status", Some(&token), None)
            .status,
        405
    );
    assert_eq!(
        device.request("GET", "/api/auth/login", None, None).status,
        405
    );
}

#[test]
fn options_asks_a_path_or_the_server_as_a_whole() {
    let device = Device::start();
    let mut client = device.connect();
    for target in ["*", "https://localhost"] {
        let response = client.request("OPTIONS", target, None, None);
        assert_eq!(response.status, 204, "{target}");
        assert_eq!(
            response.header("allow"),
            Some("GET, HEAD, POST, DELETE, OPTIONS")
        );
    }
    assert_eq!(
        client.request("OPTIONS", "/api/status", None, None).status,
        401
    );
    let foreign = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "GET"),
    ];
    assert_eq!(client.ask("OPTIONS", "*", &foreign, "").status, 403);
    refused(&device, "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refused(
        &device,
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        501,
    );
}

#[test]
fn head_answers_like_get_without_the_body() {
    let device = Device::start();
    let mut client = device.connect();
    let get = client.request("GET", "/health", None, None);
    let head = client.request("HEAD", "/health", None, None);
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(
        client.request("HEAD", "/api/status", None, None).status,
        401
    );
    assert_eq!(client.request("GET", "/health", None, None).status, 200);
}

/// All that strangers may hold together is held, and nobody holds more than whoever refreshes.
#[test]
fn a_refresh_on_a_connection_that_is_shed_at_once_is_written_all_the_same() {
    let mut device = Device::with(&[("MAX_CONNECTIONS", "64"), ("MAX_CONNECTIONS_PER_IP", "64")]);
    let tokens = device.login();
    let padded = |path: &str, length: usize| {
        let padding = "x".repeat(7000);
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nX: {padding}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    // 512 KiB are for 64 places.
    let holders: Vec<_> = (0..47)
        .map(|_| {
            let mut client = device.connect();
            client.send(padded("/api/auth/login", 4096) + &"x".repeat(4000));
            client
        })
        .collect();
    // Until the workers have read it. Nothing tells; if it were too short, the connection below would not be shed.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut client = device.connect();
    let body = json!({"refresh_token": tokens.refresh}).to_string();
    let refresh = padded("/api/auth/refresh", body.len()) + &body;
    client.send(refresh + "GET /health HTTP/1.1\r\nX: " + &"x".repeat(7000));
    assert!(client.is_closed(), "it was not shed");
    drop(holders);
    device.restart();
    assert_eq!(device.refresh(&tokens.refresh).status, 401);
}

#[test]
fn requests_may_be_pipelined_and_split_anywhere() {
    let device = Device::start();
    let mut client = device.connect();
    let one = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(one.repeat(20));
    for _ in 0..20 {
        assert_eq!(client.response_to("GET").status, 200);
    }
    for byte in one.as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(client.response_to("GET").status, 200);
    let body = "{\"username\":\"admin\",\"password\":\"wrong\"}";
    client.send(format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    ));
    client.send(body);
    client.send("\r\n0\r\n\r\n");
    assert_eq!(client.response_to("POST").status, 401);
    // Zeros before a chunk's size are no size.
    client.send(format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:015x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    ));
    assert_eq!(client.response_to("POST").status, 401);
    assert_eq!(client.request("GET", "/health", None, None).status, 200);
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let device = Device::start();
    let mut client = device.connect();
    let response = client.raw("GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(response.status, 200);
    assert!(client.is_closed());
}

#[test]
fn plain_http_on_the_tls_port_is_told_so() {
    let device = Device::start();
    let mut socket = tcp(device.address());
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("this port speaks HTTPS"), "{answer}");
}

#[test]
fn a_client_that_vanishes_anywhere_leaves_nothing_behind() {
    let device = Device::start();
    let login = "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{\"username\":\"admin\",";
    for cut in [1, 10, 30, 60, login.len()] {
        let mut client = device.connect();
        client.send(&login[..cut]);
        client
            .stream
            .sock
            .shutdown(Shutdown::Both)
            .expect("shut down");
    }
    // Before and inside the handshake.
    drop(tcp(device.address()));
    let mut socket = tcp(device.address());
    socket.write_all(&[22, 3, 1, 2, 0, 1]).expect("sent");
    drop(socket);
    let mut socket = tcp(device.address());
    socket
        .write_all(&[22, 255, 255, 255, 255, 255, 255])
        .expect("sent");
    drop(socket);
    device.wait_for_connections(0);
    assert_eq!(device.get("/health", None).status, 200);
}

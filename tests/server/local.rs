//! The administrator's door on the device itself: the Unix socket.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use crate::client::{Body, Client};
use crate::device::{Device, PASSWORD};
use crate::websocket::{Subscriber, handshake};

fn door(device: &Device) -> Client<std::os::unix::net::UnixStream> {
    Client::local(&device.state("postern.sock"))
}

#[test]
fn whoever_may_open_the_socket_is_the_administrator_and_nobody_else_may() {
    let device = Device::start();
    let mode = fs::metadata(device.state("postern.sock"))
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = door(&device);
    for path in [
        "/health",
        "/api/health",
        "/readyz",
        "/api/status",
        "/api/security/rate-limits",
        "/api/logs",
        "/api/ws-token",
    ] {
        let response = client.request("GET", path, None, None);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
    assert_eq!(
        client.request("GET", "/api/nothing", None, None).status,
        404
    );
    assert_eq!(client.request("GET", "/api/logout", None, None).status, 405);
    assert_eq!(
        client.request("POST", "/api/logout", None, None).status,
        200
    );
    let login = json!({"username": "admin", "password": PASSWORD});
    let tokens = client.request("POST", "/api/auth/login", None, Some(&login));
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    assert!(device.accepts(tokens.json()["access_token"].as_str().expect("a token")));
    let change = json!({"current_password": PASSWORD, "new_password": "staple battery horse"});
    let changed = client.request("POST", "/api/change-password", None, Some(&change));
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(device.login_with("staple battery horse").status, 200);
}

#[test]
fn a_forgotten_password_is_reset_here_and_only_here() {
    let mut device = Device::start();
    let tokens = device.login();
    let new = "staple battery horse";
    let reset = json!({"new_password": new});
    // Over the network the old one must be known, whoever asks.
    let access = format!("Bearer {}", tokens.access);
    let mut client = device.connect();
    let refused = client.request("POST", "/api/change-password", Some(&access), Some(&reset));
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("current_password"));
    let weak = json!({"new_password": "short"});
    let refused = door(&device).request("POST", "/api/change-password", None, Some(&weak));
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(device.accepts(&tokens.access));

    let done = door(&device).request("POST", "/api/change-password", None, Some(&reset));
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(!device.accepts(&tokens.access), "all logins have ended");
    device.stop();
    device.boot();
    assert_eq!(device.login_with(PASSWORD).status, 401);
    assert_eq!(device.login_with(new).status, 200);
    assert!(!device.accepts(&tokens.access));
}

#[test]
fn a_websocket_is_served_here_too() {
    let device = Device::start();
    let mut client = door(&device);
    let response = client.raw(handshake("/api/ws/logs?source=app", &[]));
    let mut stream = Subscriber::after(client, &response);
    for index in 0..1000 {
        device.log(&index.to_string());
    }
    for index in 0..1000 {
        assert_eq!(stream.message(), index.to_string());
    }
    // A ticket and a token say who is meant, here too.
    let mut client = door(&device);
    assert_eq!(
        client
            .raw(handshake("/api/ws/logs?token=wrong", &[]))
            .status,
        401
    );
    let bearer = [("Authorization", "Bearer wrong")];
    assert_eq!(client.raw(handshake("/api/ws/logs", &bearer)).status, 401);
    assert_eq!(
        client.request("GET", "/api/ws/logs", None, None).status,
        426
    );
}

#[test]
fn what_is_followed_streams_and_its_end_is_noticed() {
    let device = Device::start();
    let mut client = door(&device);
    let response = client.request("GET", "/api/logs?follow=true&source=app", None, None);
    assert_eq!(response.status, 200);
    let mut body = Body::of(&response);
    let mut object = || -> Value {
        let line = client.line(&mut body).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(object()["type"], "hello");
    for index in 0..1000 {
        device.log(&index.to_string());
    }
    for index in 0..1000 {
        assert_eq!(object()["message"], index.to_string());
    }
    // A stream is no reason not to serve others.
    assert_eq!(
        door(&device).request("GET", "/health", None, None).status,
        200
    );
    drop(client);
    // Without an entry that could not be written.
    crate::eventually("the follower to be gone", || {
        device.server().api().hub.subscribers() == 0
    });
}

#[test]
fn the_limits_of_size_are_those_of_the_network() {
    let device = Device::start();
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: a\r\n";
    for length in ["65537", "500000000000", "18446744073709551615"] {
        // Refused before the body, of which nothing is waited or made room for.
        let response = door(&device).raw(format!("{head}Content-Length: {length}\r\n\r\nx"));
        assert_eq!(response.status, 413, "{length}");
        response.detail();
    }
    let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\n10001\r\n");
    assert_eq!(door(&device).raw(chunks).status, 413);
    let fits = format!("{head}Content-Length: 65536\r\n\r\n{}", " ".repeat(65536));
    assert_eq!(door(&device).raw(fits).status, 400);
    let endless = format!("GET /health HTTP/1.1\r\nX: {}", "y".repeat(8 * 1024));
    assert_eq!(door(&device).raw(endless).status, 431);
    assert_eq!(
        door(&device).request("GET", "/health", None, None).status,
        200
    );
}

#[test]
fn what_is_no_request_is_answered_as_on_the_network() {
    let device = Device::start();
    for (text, status) in [
        ("GET /health HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET /health HTTP/1.1\nHost: a\n\n", 400),
        ("GET /health HTTP/1.1\r\nHost: a\r\nTE: gzip\r\n\r\n", 200),
        (
            "POST /api/logout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            501,
        ),
        // RFC 9112, section 6.3: without chunked at the end nobody knows where the body ends.
        (
            "POST /api/logout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            400,
        ),
        ("GET /health\r\n", 400),
        ("\u{16}\u{3}\u{1}\r\n\r\n", 400),
        ("GET /health HTTP/1.0\r\n\r\n", 200),
    ] {
        assert_eq!(door(&device).raw(text).status, status, "{text:?}");
    }
    // A connection goes on until either side says otherwise, and takes requests that do not wait for the answer.
    let mut client = door(&device);
    let two = "GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(client.raw(two).text().contains("healthy"));
    assert!(client.response_to("GET").text().contains("ready"));
    assert!(client.is_closed());
    let mut client = door(&device);
    assert_eq!(client.raw("GET /health HTTP/1.0\r\n\r\n").status, 200);
    assert!(client.is_closed());
}

#[test]
fn bad_input_is_refused_here_too() {
    let device = Device::start();
    let response = door(&device)
        .raw("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{]}");
    assert_eq!(response.status, 400);
    assert!(response.detail().contains("column"));
    for _ in 0..8 {
        // More than there are threads, each leaving in the middle of its request.
        door(&device)
            .send("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{");
        door(&device).send("GET /hea");
    }
    assert_eq!(
        door(&device).request("GET", "/health", None, None).status,
        200
    );
}

#[test]
fn the_socket_goes_with_the_server_and_one_left_by_a_crash_is_replaced() {
    let mut device = Device::start();
    let path = device.state("postern.sock");
    device.stop();
    assert!(!path.exists());
    // What a crash leaves behind: a socket without a server.
    drop(UnixListener::bind(&path).expect("a socket"));
    device.boot();
    assert_eq!(
        door(&device).request("GET", "/health", None, None).status,
        200
    );
}

#[test]
fn a_socket_that_is_somebody_elses_stops_the_start_and_stays() {
    let mut first = Device::start();
    let path = first.state("postern.sock");
    let mut second = Device::start();
    second.stop();
    second.set("LOCAL_SOCKET", path.to_str().expect("UTF-8"));
    let refused = second.try_boot().expect_err("a refusal").to_string();
    assert!(
        refused.contains("LOCAL_SOCKET") && refused.contains("running twice"),
        "{refused}"
    );
    let served = || door(&first).request("GET", "/health", None, None).status;
    assert_eq!(served(), 200);
    first.stop();
    fs::write(&path, "precious").expect("a file");
    let refused = second.try_boot().expect_err("a refusal").to_string();
    assert!(refused.contains("not a socket"), "{refused}");
    assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
}

#[test]
fn a_door_that_is_gone_shows_in_the_health_and_what_took_its_place_stays() {
    let mut device = Device::start();
    let path = device.state("postern.sock");
    let reasons = |device: &Device| device.get("/health", None).json()["reasons"].to_string();
    assert_eq!(reasons(&device), "null");
    fs::remove_file(&path).expect("removed");
    crate::eventually("the reason", || {
        reasons(&device) == r#"["the local socket is gone"]"#
    });
    let bearer = device.login().bearer();
    let status = device.get("/api/status", Some(&bearer)).json();
    let said = status["listen"].to_string();
    assert!(said.contains("restart postern to make it anew"), "{said}");
    assert_eq!(device.get("/health", None).json()["status"], "degraded");
    // What can be done is still done.
    assert_eq!(device.get("/readyz", None).status, 200);
    fs::write(&path, "somebody else's").expect("a file");
    device.stop();
    assert!(path.exists());
    fs::remove_file(&path).expect("removed");
    device.boot();
    assert_eq!(reasons(&device), "null");
}

#[test]
fn an_empty_name_means_no_socket() {
    let device = Device::with(&[("LOCAL_SOCKET", "")]);
    assert!(!device.state("postern.sock").exists());
    assert_eq!(device.get("/health", None).status, 200);
    assert!(!device.server().banner().contains("local socket"));
}

#[test]
fn clients_that_do_not_finish_or_do_nothing_leave_the_door_to_the_watchdog() {
    let device = Device::start();
    let mut held = Vec::new();
    // More than the door holds.
    for index in 0..200 {
        let mut client = door(&device);
        match index % 4 {
            0 => {
                client.send("POST /api/logout HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n");
            }
            1 => client.send("GET /hea"),
            _ => {}
        }
        held.push(client);
    }
    let response = door(&device).request("GET", "/health", None, None);
    assert_eq!(response.status, 200);
    // The network has places of its own.
    assert_eq!(device.get("/health", None).status, 200);
}

#[test]
fn streams_leave_room_for_questions() {
    let device = Device::start();
    let mut streams = Vec::new();
    let refused = loop {
        let mut client = door(&device);
        let response = client.request("GET", "/api/logs?follow=true&q=nothing", None, None);
        if response.status != 200 {
            break response;
        }
        let mut body = Body::of(&response);
        client.line(&mut body).expect("a hello");
        streams.push(client);
    };
    assert_eq!((refused.status, streams.len()), (503, 32));
    assert!(refused.header("retry-after").is_some());
    refused.detail();
    assert_eq!(
        door(&device).request("GET", "/health", None, None).status,
        200
    );
    streams.pop();
    crate::eventually("room for another", || {
        let response = door(&device).request("GET", "/api/logs?follow=true", None, None);
        response.status == 200
    });
}

#[test]
fn a_token_shown_here_is_the_one_that_is_meant() {
    let device = Device::start();
    let (gone, stays) = (device.login(), device.login());
    let logout = door(&device).request("POST", "/api/logout", Some(&gone.bearer()), None);
    assert_eq!(logout.status, 200);
    assert!(!device.accepts(&gone.access) && device.accepts(&stays.access));
    let change = json!({"current_password": PASSWORD, "new_password": "staple battery horse"});
    let mut client = door(&device);
    let path = "/api/change-password";
    let changed = client.request("POST", path, Some(&stays.bearer()), Some(&change));
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert!(device.accepts(&stays.access));
    let dead = client.request("GET", "/api/status", Some(&gone.bearer()), None);
    assert_eq!(dead.status, 401);
}

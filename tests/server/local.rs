//! The administrator's door on the device itself: the Unix socket.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use crate::client::{Body, Client};
use crate::device::{Device, PASSWORD};
use crate::websocket::handshake;

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
fn a_websocket_is_refused_in_words_and_follow_streams_instead() {
    let device = Device::start();
    let refused = door(&device).raw(handshake("/api/ws/logs", &[]));
    assert_eq!(refused.status, 501);
    assert!(refused.detail().contains("follow=true"));

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
    device.log("noticed with the next entry");
    crate::eventually("the follower to be gone", || {
        device.log("and the next");
        device.server().api().hub.subscribers() == 0
    });
}

#[test]
fn bodies_over_64_kib_are_413_here_too() {
    let device = Device::start();
    let mut client = door(&device);
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: a\r\n";
    let large = client.raw(format!(
        "{head}Content-Length: 65537\r\n\r\n{}",
        "x".repeat(65537)
    ));
    assert_eq!(large.status, 413);
    large.detail();
    let chunks = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n10001\r\n{}\r\n0\r\n\r\n",
        "x".repeat(65537)
    );
    assert_eq!(door(&device).raw(chunks).status, 413);
    let fits = format!("{head}Content-Length: 65536\r\n\r\n{}", " ".repeat(65536));
    assert_eq!(door(&device).raw(fits).status, 400);
    assert_eq!(
        door(&device).request("GET", "/health", None, None).status,
        200
    );
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
    // What a crash leaves behind: a socket without a server, and half of a new one.
    drop(UnixListener::bind(&path).expect("a socket"));
    drop(UnixListener::bind(device.state(".new-sock")).expect("a socket"));
    device.boot();
    assert_eq!(
        door(&device).request("GET", "/health", None, None).status,
        200
    );
    assert!(!device.state(".new-sock").exists());
}

#[test]
fn an_empty_name_means_no_socket() {
    let device = Device::with(&[("LOCAL_SOCKET", "")]);
    assert!(!device.state("postern.sock").exists());
    assert_eq!(device.get("/health", None).status, 200);
    assert!(!device.server().banner().contains("local socket"));
}

#[test]
fn clients_that_do_not_finish_leave_the_door_to_the_watchdog() {
    let device = Device::start();
    let mut unfinished = Vec::new();
    for _ in 0..8 {
        // One after the other: of connections that come at the same instant tiny_http may keep one waiting.
        let mut client = door(&device);
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
        client.send("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{");
        unfinished.push(client);
    }
    let response = door(&device).request("GET", "/health", None, None);
    assert_eq!(response.status, 200);
}

#[test]
fn the_oldest_of_too_many_streams_makes_room() {
    let device = Device::start();
    let mut streams = Vec::new();
    for _ in 0..9 {
        let mut client = door(&device);
        let response = client.request("GET", "/api/logs?follow=true&q=nothing", None, None);
        assert_eq!(response.status, 200);
        let mut body = Body::of(&response);
        client.line(&mut body).expect("a hello");
        streams.push((client, body));
    }
    let (oldest, body) = &mut streams[0];
    assert_eq!(oldest.line(body), None);
    crate::eventually("the end of the oldest", || {
        device.server().api().hub.subscribers() == 8
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

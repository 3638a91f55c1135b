//! An end in good order, in this process: what is under way is finished, streams are closed, and the state is whole.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Body, Client};
use crate::device::{Device, PASSWORD, Tokens, USER, basic};
use crate::websocket::Subscriber;

/// Stops the device; it must take no longer than this.
fn stops_within(device: &mut Device, seconds: u64) {
    let begun = Instant::now();
    device.stop();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(seconds), "{took:?}");
}

#[test]
fn a_request_under_way_is_finished_and_idle_connections_are_closed() {
    // At this cost a check takes long enough to be caught under way.
    let mut device = Device::with(&[("BCRYPT_COST", "12")]);
    let address = device.address();
    let mut idle: Vec<Client> = (0..4).map(|_| device.connect()).collect();
    for client in &mut idle {
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
    }
    let runs = || device.server().api().auth.bcrypt_runs();
    let before = runs();
    let mut client = device.connect();
    let body = json!({"username": USER, "password": PASSWORD}).to_string();
    client.send(format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    crate::eventually("bcrypt to be at work", || runs() > before);
    stops_within(&mut device, 10);

    let response = client.response_to("POST");
    assert_eq!(response.header("connection"), Some("close"));
    let tokens = Tokens::of(&response);
    assert!(client.is_closed());
    for client in &mut idle {
        assert!(client.is_closed());
    }
    assert!(TcpStream::connect(address).is_err());
    device.boot();
    assert!(device.accepts(&tokens.access));
}

#[test]
fn streams_are_closed_1001_and_followers_end_whole() {
    let mut device = Device::start();
    let mut subscriber = Subscriber::open(&device, &basic(USER, PASSWORD), "?source=app");
    let mut follower = device.connect();
    let target = "/api/logs?follow=true&source=app";
    let response = follower.request("GET", target, Some(&basic(USER, PASSWORD)), None);
    let mut body = Body::of(&response);
    follower.line(&mut body).expect("a hello");
    let mut local = Client::local(&device.state("postern.sock"));
    let response = local.request("GET", target, None, None);
    let mut local_body = Body::of(&response);
    local.line(&mut local_body).expect("a hello");
    device.log("the last words");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(subscriber.message(), "the last words");
            assert_eq!(subscriber.close_code(), 1001);
        });
        scope.spawn(|| {
            assert!(
                follower
                    .line(&mut body)
                    .expect("a line")
                    .contains("the last words")
            );
            assert_eq!(follower.line(&mut body), None);
        });
        scope.spawn(|| {
            assert!(
                local
                    .line(&mut local_body)
                    .expect("a line")
                    .contains("the last words")
            );
            assert_eq!(local.line(&mut local_body), None);
        });
        stops_within(&mut device, 5);
    });
}

#[test]
fn a_subscriber_that_does_not_answer_delays_the_end_by_seconds_at_most() {
    let mut device = Device::start();
    let _mute = Subscriber::open(&device, &basic(USER, PASSWORD), "");
    // Its farewell is timed by the clock that tests turn.
    let (time, hub) = (device.time.clone(), device.server().api().hub.clone());
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| stops_within(&mut device, 10));
        crate::eventually("the end", || {
            time.advance(Duration::from_secs(1));
            hub.recheck();
            stopping.is_finished()
        });
    });
}

#[test]
fn clients_that_never_finish_do_not_hold_the_server() {
    let mut device = Device::start();
    // On the local socket too.
    let mut local: Vec<_> = (0..2)
        .map(|_| Client::local(&device.state("postern.sock")))
        .collect();
    for client in &mut local {
        client.send("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{");
    }
    let mut half_head = device.connect();
    half_head.send("GET /health HTTP/1.1\r\n");
    let mut half_body = device.connect();
    half_body.send("POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{");
    device.wait_for_connections(2);
    stops_within(&mut device, 11);
    device.boot();
    assert_eq!(device.get("/health", None).status, 200);
}

#[test]
fn what_was_answered_before_the_stop_holds_after_it() {
    let mut device = Device::start();
    let (ended, living) = (device.login(), device.login());
    let changed = device.change_password(&living.bearer(), PASSWORD, "staple battery horse");
    assert_eq!(changed.status, 200);
    let another = Tokens::of(&device.login_with("staple battery horse"));
    device.request("POST", "/api/logout", Some(&another.bearer()), None);
    device.restart();
    assert!(!device.accepts(&ended.access));
    assert!(!device.accepts(&another.access));
    assert!(device.accepts(&living.access));
    assert_eq!(device.login_with(PASSWORD).status, 401);
    assert_eq!(device.login_with("staple battery horse").status, 200);
}

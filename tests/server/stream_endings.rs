//! How a log stream lives and ends: pings, what a client sends, the end of its login, and clients that vanish. And
//! what postern itself says on it.

use std::net::{Ipv4Addr, Shutdown};
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tungstenite::Message;

use crate::client::{Client, tcp_from, tls_config};
use crate::device::{Device, PASSWORD, Tokens, USER, basic, install_own_events};
use crate::websocket::Subscriber;

// The events of other devices in this process are heard too: this name and this address are nobody else's.
const KEEPER: &str = "keeper-of-the-events";
const GUESSER: Ipv4Addr = Ipv4Addr::new(127, 93, 7, 5);
const NEW_PASSWORD: &str = "staple battery horse";

fn send(subscriber: &mut Subscriber, message: Message) {
    subscriber.socket.send(message).expect("sent");
}

#[test]
fn data_up_to_1_kib_is_ignored_and_more_closes_1009() {
    let device = Device::start();
    let mut subscriber = Subscriber::open(&device, &basic(USER, PASSWORD), "?source=app");
    send(&mut subscriber, Message::text("x".repeat(1024)));
    send(&mut subscriber, Message::binary(vec![0; 1024]));
    send(&mut subscriber, Message::text(""));
    subscriber.is_served(&device);
    send(&mut subscriber, Message::text("x".repeat(1025)));
    assert_eq!(subscriber.close_code(), 1009);
    // What it was sending is thrown away for a while, or a reset would overtake the close frame.
    pass(&device, 5);
    device.wait_for_subscribers(0);
    device.wait_for_connections(0);
}

#[test]
fn a_ping_is_answered() {
    let device = Device::start();
    let mut subscriber = Subscriber::open(&device, &basic(USER, PASSWORD), "");
    send(
        &mut subscriber,
        Message::Ping(b"are you there".to_vec().into()),
    );
    loop {
        if let Message::Pong(bytes) = subscriber.socket.read().expect("a message") {
            assert_eq!(&bytes[..], b"are you there");
            break;
        }
    }
}

/// Turns the clock and has the hub look at it; it sleeps on the kernel's.
fn pass(device: &Device, seconds: u64) {
    device.advance(seconds);
    device.server().api().hub.recheck();
}

#[test]
fn the_server_pings_every_30_s_and_drops_who_is_silent_for_90() {
    let device = Device::start();
    let mut lively = Subscriber::open(&device, &basic(USER, PASSWORD), "?source=app");
    let mut silent = Subscriber::open(&device, &basic(USER, PASSWORD), "?source=app");
    for _ in 0..4 {
        pass(&device, 30);
        // Reading it answers it, with the next call.
        assert!(matches!(lively.socket.read(), Ok(Message::Ping(_))));
        send(&mut lively, Message::Ping(b"heard".to_vec().into()));
        assert!(matches!(lively.socket.read(), Ok(Message::Pong(_))));
    }
    device.wait_for_subscribers(1);
    lively.is_served(&device);
    for _ in 0..2 {
        assert!(matches!(silent.socket.read(), Ok(Message::Ping(_))));
    }
    assert!(silent.socket.read().is_err());
}

#[test]
fn a_client_that_closes_is_answered_and_one_that_vanishes_leaves_nothing() {
    let device = Device::start();
    let authorization = basic(USER, PASSWORD);
    let mut polite = Subscriber::open(&device, &authorization, "");
    polite.socket.close(None).expect("closed");
    loop {
        match polite.socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => break,
            Err(error) => panic!("no answer to a close: {error}"),
        }
    }
    let rude = Subscriber::open(&device, &authorization, "");
    rude.socket
        .get_ref()
        .sock
        .shutdown(Shutdown::Both)
        .expect("shut down");
    drop(Subscriber::open(&device, &authorization, ""));
    let mut halfway = Subscriber::open(&device, &authorization, "");
    let stream = halfway.socket.get_mut();
    std::io::Write::write_all(stream, &[0x81, 0xff]).expect("sent");
    stream.sock.shutdown(Shutdown::Both).expect("shut down");
    device.wait_for_subscribers(0);
    device.wait_for_connections(0);
    assert_eq!(device.get("/health", None).status, 200);
}

#[test]
fn a_logout_closes_the_streams_of_its_login_and_no_other() {
    let device = Device::start();
    let (ending, staying) = (device.login(), device.login());
    let mut by_bearer = Subscriber::open(&device, &ending.bearer(), "");
    let ticket = device.get("/api/ws-token", Some(&ending.bearer())).json();
    let query = format!("?token={}", ticket["token"].as_str().expect("a ticket"));
    // A ticket goes before no header at all.
    let (client, response) = crate::websocket::knock(&device, &format!("/api/ws/logs{query}"), &[]);
    let mut by_ticket = Subscriber::after(client, &response);
    // The refreshed token descends from the same login.
    let refreshed = Tokens::of(&device.refresh(&ending.refresh));
    let mut by_descendant = Subscriber::open(&device, &refreshed.bearer(), "");
    let mut other = Subscriber::open(&device, &staying.bearer(), "");
    let mut by_password = Subscriber::open(&device, &basic(USER, PASSWORD), "");

    let logout = device.request("POST", "/api/logout", Some(&ending.bearer()), None);
    assert_eq!(logout.status, 200);
    for subscriber in [&mut by_bearer, &mut by_ticket, &mut by_descendant] {
        assert_eq!(subscriber.close_code(), 1008);
    }
    other.is_served(&device);
    by_password.is_served(&device);
    device.wait_for_subscribers(2);
}

#[test]
fn the_reuse_of_a_refresh_token_closes_the_streams_of_its_login() {
    let device = Device::start();
    let first = device.login();
    let second = Tokens::of(&device.refresh(&first.refresh));
    let mut subscriber = Subscriber::open(&device, &second.bearer(), "");
    // Two tabs at once are no thieves.
    assert_eq!(device.refresh(&first.refresh).status, 401);
    subscriber.is_served(&device);
    device.advance(11);
    assert_eq!(device.refresh(&first.refresh).status, 401);
    assert_eq!(subscriber.close_code(), 1008);
}

#[test]
fn a_password_change_closes_all_streams_but_the_callers() {
    let device = Device::start();
    let (caller, other) = (device.login(), device.login());
    let mut callers = Subscriber::open(&device, &caller.bearer(), "");
    let mut others = Subscriber::open(&device, &other.bearer(), "");
    let mut by_password = Subscriber::open(&device, &basic(USER, PASSWORD), "");
    let answer = device.change_password(&caller.bearer(), PASSWORD, NEW_PASSWORD);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(others.close_code(), 1008);
    assert_eq!(by_password.close_code(), 1008);
    callers.is_served(&device);
    Subscriber::open(&device, &basic(USER, NEW_PASSWORD), "").is_served(&device);
}

#[test]
fn a_follower_over_http_ends_with_its_login() {
    let device = Device::start();
    let login = device.login();
    let mut client = device.connect();
    let response = client.request(
        "GET",
        "/api/logs?follow=true&source=app",
        Some(&login.bearer()),
        None,
    );
    let mut body = crate::client::Body::of(&response);
    assert!(client.line(&mut body).expect("a hello").contains("hello"));
    device.request("POST", "/api/logout", Some(&login.bearer()), None);
    assert_eq!(client.line(&mut body), None);
    device.wait_for_connections(0);
}

#[test]
fn a_stream_ends_with_its_token() {
    let device = Device::with(&[("JWT_EXPIRE_DURATION", "60s")]);
    let login = device.login();
    let by_bearer = Subscriber::open(&device, &login.bearer(), "");
    let ticket = device.get("/api/ws-token", Some(&login.bearer())).json();
    let target = format!(
        "/api/ws/logs?token={}",
        ticket["token"].as_str().expect("a ticket")
    );
    let (client, response) = crate::websocket::knock(&device, &target, &[]);
    let by_ticket = Subscriber::after(client, &response);
    let mut followers: Vec<_> = ["application/json", "text/event-stream"]
        .into_iter()
        .map(|accept| {
            let mut client = device.connect();
            let headers = [("Authorization", &*login.bearer()), ("Accept", accept)];
            let response = client.ask("GET", "/api/logs?follow=true&source=app", &headers, "");
            let body = crate::client::Body::of(&response);
            (client, body)
        })
        .collect();
    let mut by_password = Subscriber::open(&device, &basic(USER, PASSWORD), "");
    let spare = device.get("/api/ws-token", Some(&login.bearer())).json();

    let mut tokens = [by_bearer, by_ticket];
    pass(&device, 59);
    for subscriber in &mut tokens {
        subscriber.is_served(&device);
    }
    pass(&device, 1);
    for subscriber in &mut tokens {
        assert_eq!(subscriber.close_code(), 1008);
    }
    for (client, body) in &mut followers {
        while client.line(body).is_some() {}
    }
    by_password.is_served(&device);
    // A ticket is good no longer than the token that it stands for.
    let target = format!(
        "/api/ws/logs?token={}",
        spare["token"].as_str().expect("a ticket")
    );
    let (_, late) = crate::websocket::knock(&device, &target, &[]);
    assert_eq!(late.status, 401);
}

#[test]
fn a_clock_that_is_set_ends_the_streams_whose_time_that_makes_over() {
    let device = Device::with(&[("JWT_EXPIRE_DURATION", "1h")]);
    let mut subscriber = Subscriber::open(&device, &device.login().bearer(), "");
    let now = device.server().api().clock.wall();
    device.time.set_system(now + Duration::from_secs(3599));
    device.server().api().auth.heed_clock();
    subscriber.is_served(&device);
    device.time.set_system(now + Duration::from_secs(3601));
    device.server().api().auth.heed_clock();
    assert_eq!(subscriber.close_code(), 1008);
}

/// Reads on to postern's own event of this text whose fields hold these.
fn event(subscriber: &mut Subscriber, text: &str, fields: &Value) -> Value {
    loop {
        let message = subscriber.next();
        let held = fields.as_object().expect("an object");
        if message["message"]
            .as_str()
            .is_some_and(|m| m.contains(text))
            && held
                .iter()
                .all(|(name, value)| message["fields"][name] == *value)
        {
            assert_eq!(message["source"], "postern");
            return message;
        }
    }
}

#[test]
fn posterns_own_events_are_on_the_stream_without_any_secret() {
    install_own_events();
    let device = Device::with(&[("BASIC_AUTH_USERNAME", KEEPER)]);
    let login = || {
        let body = json!({"username": KEEPER, "password": PASSWORD});
        Tokens::of(&device.post("/api/auth/login", None, &body))
    };
    let mut subscriber = Subscriber::open(&device, &login().bearer(), "?source=postern");

    let name = ServerName::from(device.address().ip());
    let tls = tls_config(&device.state("tls-cert.pem"));
    let mut guesser = Client::over(tcp_from(GUESSER, device.address()), tls, name).expect("TLS");
    let guess = json!({"username": KEEPER, "password": "guess-the-secret"});
    for _ in 0..5 {
        guesser.request("POST", "/api/auth/login", None, Some(&guess));
    }
    let client = json!({"client": GUESSER.to_string()});
    for _ in 0..5 {
        assert_eq!(
            event(&mut subscriber, "login failed", &client)["level"],
            "warn"
        );
    }
    event(&mut subscriber, "locked out", &client);
    let cleared = format!("/api/security/rate-limits/{GUESSER}");
    let other = login();
    assert_eq!(
        device
            .request("DELETE", &cleared, Some(&other.bearer()), None)
            .status,
        200
    );
    event(&mut subscriber, "lock-out cleared", &client);

    let user = json!({"user": KEEPER});
    device.request("POST", "/api/logout", Some(&other.bearer()), None);
    event(&mut subscriber, "logged out", &user);
    let stolen = login();
    device.refresh(&stolen.refresh);
    device.advance(11);
    device.refresh(&stolen.refresh);
    event(&mut subscriber, "refresh token reused", &user);
    let mut own = Subscriber::open(&device, &login().bearer(), "?source=postern");
    drop(own.socket.close(None));
    let changer = login();
    let mut subscriber = Subscriber::open(&device, &changer.bearer(), "?source=postern");
    device.change_password(&changer.bearer(), PASSWORD, NEW_PASSWORD);
    event(&mut subscriber, "password changed", &user);

    let told = device
        .entries()
        .iter()
        .map(Value::to_string)
        .collect::<String>();
    for secret in [
        PASSWORD,
        NEW_PASSWORD,
        "guess-the-secret",
        &stolen.refresh,
        &stolen.access,
        &changer.access,
    ] {
        assert!(!told.contains(secret), "a secret in the log");
    }
}

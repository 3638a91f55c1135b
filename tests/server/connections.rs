//! Many connections: how many there may be, and who gives way to whom.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;

use crate::client::{Client, tcp, tcp_from, tls_config};
use crate::device::{Device, PASSWORD, USER, basic};
use crate::websocket::Subscriber;

fn is_served(client: &mut Client) {
    assert_eq!(client.request("GET", "/health", None, None).status, 200);
}

/// A connection that has had an answer and waits.
fn idle(device: &Device) -> Client {
    let mut client = device.connect();
    is_served(&mut client);
    client
}

/// The same from another address of the loopback.
fn idle_from(device: &Device, from: Ipv4Addr) -> Client {
    let config = tls_config(&device.state("tls-cert.pem"));
    let name = ServerName::from(device.address().ip());
    let client = Client::over(tcp_from(from, device.address()), config, name);
    let mut client = client.expect("TLS");
    is_served(&mut client);
    client
}

#[test]
fn a_connection_is_kept_alive_over_many_requests() {
    let device = Device::start();
    let bearer = device.login().bearer();
    let mut client = device.connect();
    for _ in 0..500 {
        let response = client.request("GET", "/api/security/rate-limits", Some(&bearer), None);
        assert_eq!(response.status, 200);
        assert_eq!(response.header("connection"), None);
    }
    let last = client.raw("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(last.header("connection"), Some("close"));
    assert!(client.is_closed());
}

#[test]
fn the_longest_idle_gives_way_to_a_newcomer() {
    let device = Device::with(&[("MAX_CONNECTIONS", "8"), ("WORKERS", "1")]);
    let mut clients: Vec<Client> = (0..8).map(|_| idle(&device)).collect();
    // The first is the longest there, but not the longest idle.
    is_served(&mut clients[0]);
    let mut newcomer = idle(&device);
    assert!(clients[1].is_closed());
    is_served(&mut newcomer);
    clients.remove(1);
    for client in &mut clients {
        is_served(client);
    }
    assert_eq!(device.server().api().connection_count(), 8);
}

#[test]
fn a_newcomer_gets_in_whichever_worker_holds_the_idle_ones() {
    for limit in ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_IP"] {
        let device = Device::with(&[(limit, "8"), ("WORKERS", "4")]);
        let mut clients: Vec<Client> = (0..100).map(|_| idle(&device)).collect();
        assert_eq!(device.server().api().connection_count(), 8);
        is_served(clients.last_mut().expect("the newest"));
    }
}

#[test]
fn who_is_served_does_not_give_way() {
    let device = Device::with(&[("MAX_CONNECTIONS", "8"), ("WORKERS", "3")]);
    let mut streams: Vec<_> = (0..7)
        .map(|_| Subscriber::open(&device, &basic(USER, PASSWORD), "?source=app"))
        .collect();
    device.wait_for_subscribers(7);
    // In the middle of a body, as the server has said itself.
    let mut busy = device.connect();
    busy.send(
        "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\
         Expect: 100-continue\r\n\r\n",
    );
    assert_eq!(busy.response_to("POST").status, 100);
    let config = tls_config(&device.state("tls-cert.pem"));
    // Who keeps the server waiting for two seconds does give way; on a busy machine twenty newcomers take longer.
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(Client::connect_with(device.address(), config.clone()).is_err());
        if begun.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    assert_eq!(busy.raw("{}").status, 400);
    for stream in &mut streams {
        stream.is_served(&device);
    }
    drop(streams.pop());
    device.wait_for_connections(7);
    idle(&device);
}

#[test]
fn one_address_cannot_take_the_places_of_others() {
    let device = Device::with(&[
        ("MAX_CONNECTIONS", "16"),
        ("MAX_CONNECTIONS_PER_IP", "4"),
        ("WORKERS", "1"),
    ]);
    let mut other = idle_from(&device, Ipv4Addr::new(127, 0, 0, 2));
    let mut greedy: Vec<Client> = (0..12).map(|_| idle(&device)).collect();
    // It shed its own, the longest idle first, and nobody else's.
    assert_eq!(device.server().api().connection_count(), 5);
    for client in &mut greedy[..8] {
        assert!(client.is_closed());
    }
    for client in &mut greedy[8..] {
        is_served(client);
    }
    is_served(&mut other);
}

#[test]
fn a_refused_connection_hurts_nobody() {
    let device = Device::with(&[("MAX_CONNECTIONS_PER_IP", "4"), ("WORKERS", "1")]);
    let mut streams: Vec<_> = (0..4)
        .map(|_| Subscriber::open(&device, &basic(USER, PASSWORD), "?source=app"))
        .collect();
    device.wait_for_subscribers(4);
    let mut other = idle_from(&device, Ipv4Addr::new(127, 0, 0, 2));
    let config = tls_config(&device.state("tls-cert.pem"));
    for _ in 0..50 {
        assert!(Client::connect_with(device.address(), config.clone()).is_err());
        drop(tcp(device.address()));
    }
    is_served(&mut other);
    for stream in &mut streams {
        stream.is_served(&device);
    }
    assert_eq!(device.server().api().connection_count(), 5);
}

#[test]
fn an_end_that_comes_together_with_the_last_bytes_is_noticed_at_once() {
    let device = Device::with(&[("WORKERS", "1"), ("BCRYPT_COST", "4")]);
    let begun = std::time::Instant::now();
    // Those who come meanwhile keep the worker busy enough for bytes and end to meet.
    for round in 0..20 {
        let mut clients: Vec<Client> = (0..8).map(|_| device.connect()).collect();
        for client in &mut clients {
            client.send(match round % 3 {
                0 => "GET /health HTTP/1.1\r\n",
                1 => "GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
                _ => "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{",
            });
            let _ = client.stream.sock.shutdown(std::net::Shutdown::Both);
        }
    }
    device.wait_for_connections(0);
    // Before the first deadline, that of an unfinished head, could have helped.
    assert!(begun.elapsed() < std::time::Duration::from_secs(9));
}

#[test]
fn silent_clients_make_room_for_one_who_speaks() {
    let device = Device::with(&[
        ("MAX_CONNECTIONS", "8"),
        ("MAX_CONNECTIONS_PER_IP", "8"),
        ("WORKERS", "1"),
    ]);
    let silent: Vec<_> = (0..8).map(|_| tcp(device.address())).collect();
    let config = tls_config(&device.state("tls-cert.pem"));
    crate::eventually("a place", || {
        Client::connect_with(device.address(), config.clone()).is_ok()
    });
    // Their own deadlines would have ended all of them together.
    let gone = silent
        .iter()
        .filter(|socket| {
            socket.set_nonblocking(true).expect("non-blocking");
            matches!(socket.peek(&mut [0]), Ok(0))
        })
        .count();
    assert!((1..8).contains(&gone), "{gone} of 8 are gone");
}

#[test]
fn an_address_that_only_shakes_hands_is_refused_before_it_costs_much() {
    let device = Device::with(&[("RATE_LIMIT_RPS", "1"), ("RATE_LIMIT_BURST", "1")]);
    let config = tls_config(&device.state("tls-cert.pem"));
    let connect = || Client::connect_with(device.address(), config.clone());
    for _ in 0..512 {
        drop(tcp(device.address()));
    }
    // The last of them may still be in the queue.
    crate::eventually("a refusal", || connect().is_err());
    device.advance(20);
    assert!(connect().is_ok());
}

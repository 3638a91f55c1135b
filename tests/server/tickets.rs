//! Who gets a log stream: tickets, `Authorization`, origins, and the handshake itself.

use crate::client::Client;
use crate::device::{Device, PASSWORD, USER, basic};
use crate::websocket::{ACCEPT, KEY, Subscriber, handshake, knock};

fn ticket(device: &Device, authorization: &str) -> String {
    let response = device.get("/api/ws-token", Some(authorization));
    assert_eq!(response.status, 200, "{}", response.text());
    let json = response.json();
    assert_eq!(json["status"], "success");
    json["token"].as_str().expect("a ticket").to_owned()
}

fn with_ticket(ticket: &str) -> String {
    format!("/api/ws/logs?token={ticket}")
}

#[test]
fn a_ticket_in_the_query_opens_one_stream() {
    let device = Device::start();
    let ticket = ticket(&device, &device.login().bearer());
    let (client, response) = knock(&device, &with_ticket(&ticket), &[]);
    assert_eq!(response.header("upgrade"), Some("websocket"));
    assert_eq!(response.header("sec-websocket-protocol"), None);
    let mut subscriber = Subscriber::after(client, &response);
    subscriber.is_served(&device);
    let (_, again) = knock(&device, &with_ticket(&ticket), &[]);
    assert_eq!(again.status, 401);
    assert_eq!(again.detail(), "invalid or expired token");
}

#[test]
fn a_ticket_as_a_subprotocol_is_never_echoed() {
    let device = Device::start();
    let bearer = device.login().bearer();
    for (fields, selected) in [
        (
            vec!["postern.logs, postern.token.TICKET"],
            Some("postern.logs"),
        ),
        (
            vec!["postern.token.TICKET,postern.logs"],
            Some("postern.logs"),
        ),
        (
            vec!["postern.logs", "postern.token.TICKET"],
            Some("postern.logs"),
        ),
        (vec!["postern.token.TICKET"], None),
    ] {
        let ticket = ticket(&device, &bearer);
        let fields: Vec<_> = fields
            .iter()
            .map(|f| f.replace("TICKET", &ticket))
            .collect();
        let fields: Vec<_> = fields
            .iter()
            .map(|value| ("Sec-WebSocket-Protocol", value.as_str()))
            .collect();
        let (client, response) = knock(&device, "/api/ws/logs", &fields);
        assert_eq!(response.header("sec-websocket-protocol"), selected);
        Subscriber::after(client, &response).is_served(&device);
    }
}

#[test]
fn the_handshake_is_one_that_tungstenites_client_accepts() {
    let device = Device::start();
    let ticket = ticket(&device, &device.login().bearer());
    let (stream, _) = device.connect().into_parts();
    let request = tungstenite::http::Request::builder()
        .uri(format!("wss://localhost/api/ws/logs?token={ticket}"))
        .header("Host", "localhost")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
        .header("Sec-WebSocket-Protocol", "postern.logs")
        .body(())
        .expect("a request");
    let (mut socket, response) = tungstenite::client::client(request, stream).expect("a stream");
    assert_eq!(response.headers()["Sec-WebSocket-Accept"], ACCEPT);
    let hello = socket.read().expect("a message");
    assert!(hello.to_text().expect("text").contains("\"hello\""));
}

#[test]
fn authorization_opens_a_stream_without_a_ticket() {
    let device = Device::start();
    // Cold: bcrypt has not confirmed this password yet.
    let before = device.server().api().auth.bcrypt_runs();
    Subscriber::open(&device, &basic(USER, PASSWORD), "").is_served(&device);
    assert!(device.server().api().auth.bcrypt_runs() > before);
    Subscriber::open(&device, &basic(USER, PASSWORD), "").is_served(&device);
    Subscriber::open(&device, &device.login().bearer(), "").is_served(&device);
    for wrong in [basic(USER, "wrong"), "Bearer a.b.c".into(), "Basic".into()] {
        let (_, response) = knock(&device, "/api/ws/logs", &[("Authorization", &wrong)]);
        assert_eq!(response.status, 401, "{wrong}");
        assert!(response.header("www-authenticate").is_some());
    }
    let refresh = format!("Bearer {}", device.login().refresh);
    let (_, response) = knock(&device, "/api/ws/logs", &[("Authorization", &refresh)]);
    assert_eq!(response.status, 401);
}

#[test]
fn a_missing_or_bad_ticket_is_401_before_any_upgrade() {
    let device = Device::start();
    let bearer = device.login().bearer();
    for response in [
        device.get("/api/ws/logs", None),
        knock(&device, "/api/ws/logs", &[]).1,
        knock(
            &device,
            "/api/ws/logs",
            &[("Sec-WebSocket-Protocol", "postern.logs")],
        )
        .1,
    ] {
        assert_eq!(response.status, 401);
        assert_eq!(response.detail(), "missing token");
        assert!(response.header("www-authenticate").is_some());
    }
    let late = ticket(&device, &bearer);
    device.advance(120);
    let used = ticket(&device, &bearer);
    let (client, response) = knock(&device, &with_ticket(&used), &[]);
    Subscriber::after(client, &response);
    let bad = "A".repeat(43);
    for ticket in [bad.as_str(), "", "x", &late, &used, &"y".repeat(5000)] {
        for response in [
            device.get(&with_ticket(ticket), None),
            knock(&device, &with_ticket(ticket), &[]).1,
        ] {
            assert_eq!(response.status, 401, "{ticket:.50}");
            assert_eq!(response.detail(), "invalid or expired token");
        }
    }
    assert_eq!(
        knock(&device, &with_ticket(&ticket(&device, &bearer)), &[])
            .1
            .status,
        101
    );
}

#[test]
fn what_is_no_handshake_is_426_and_costs_no_ticket() {
    let device = Device::start();
    let ticket = ticket(&device, &device.login().bearer());
    let target = with_ticket(&ticket);
    let good = handshake(&target, &[]);
    let mut client = device.connect();
    for head in [
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        good.replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"),
        good.replace("Sec-WebSocket-Version: 13\r\n", ""),
        good.replace("Upgrade: websocket", "Upgrade: h2c"),
        good.replace("Connection: keep-alive, Upgrade", "Connection: keep-alive"),
    ] {
        let response = client.raw(&head);
        assert_eq!(response.status, 426, "{head}: {}", response.text());
        assert_eq!(response.header("sec-websocket-version"), Some("13"));
        response.detail();
    }
    for head in [
        good.replace(KEY, "short"),
        good.replace(&format!("Sec-WebSocket-Key: {KEY}\r\n"), ""),
        good.replace("?token", "?since=x&token"),
        good.replace("?token", "?level=loud&token"),
    ] {
        let response = client.raw(&head);
        assert_eq!(response.status, 400, "{head}: {}", response.text());
    }
    let old = good.replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(device.connect().raw(old).status, 426);
    client.send(good.replace("GET", "HEAD"));
    assert_eq!(client.response_to("HEAD").status, 426);
    // After all of that it is still good.
    assert_eq!(knock(&device, &target, &[]).1.status, 101);
}

#[test]
fn a_foreign_page_gets_no_stream_and_uses_no_ticket_up() {
    let device = Device::with(&[("CORS_ALLOWED_ORIGINS", "https://panel.example")]);
    let bearer = device.login().bearer();
    let mut good = ticket(&device, &bearer);
    for (origin, status) in [
        ("https://evil.example", 403),
        ("http://localhost", 403),
        ("https://localhost:1", 403),
        ("https://localhost.evil.example", 403),
        ("null", 403),
        ("https://localhost", 101),
        ("https://LOCALHOST:443", 101),
        ("https://panel.example", 101),
    ] {
        let (_, response) = knock(&device, &with_ticket(&good), &[("Origin", origin)]);
        assert_eq!(response.status, status, "{origin}");
        if status == 101 {
            good = ticket(&device, &bearer);
        } else {
            response.detail();
        }
    }
    // The credentials that a browser remembers are no way round it.
    let foreign = [
        ("Origin", "https://evil.example"),
        ("Authorization", bearer.as_str()),
    ];
    assert_eq!(knock(&device, "/api/ws/logs", &foreign).1.status, 403);
}

#[test]
fn a_flood_of_tickets_costs_only_its_own_login() {
    let device = Device::start();
    let quiet = ticket(&device, &device.login().bearer());
    let greedy = device.login().bearer();
    let mut client = device.connect();
    let flood: Vec<String> = (0..1100)
        .map(|_| {
            let response = client.request("GET", "/api/ws-token", Some(&greedy), None);
            response.json()["token"]
                .as_str()
                .expect("a ticket")
                .to_owned()
        })
        .collect();
    assert_eq!(knock(&device, &with_ticket(&flood[0]), &[]).1.status, 401);
    assert_eq!(
        knock(&device, &with_ticket(&flood[1099]), &[]).1.status,
        101
    );
    assert_eq!(knock(&device, &with_ticket(&quiet), &[]).1.status, 101);
}

#[test]
fn of_many_handshakes_with_one_ticket_one_wins() {
    let device = Device::start();
    let ticket = ticket(&device, &device.login().bearer());
    let head = handshake(&with_ticket(&ticket), &[]);
    let mut clients: Vec<Client> = (0..12).map(|_| device.connect()).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tries: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(|| client.raw(&head).status))
            .collect();
        tries
            .into_iter()
            .map(|t| t.join().expect("an answer"))
            .collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 101).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 11);
}

#[test]
fn a_ticket_dies_with_its_login() {
    let device = Device::start();
    let bearer = device.login().bearer();
    let ticket = ticket(&device, &bearer);
    assert_eq!(
        device
            .request("POST", "/api/logout", Some(&bearer), None)
            .status,
        200
    );
    assert_eq!(knock(&device, &with_ticket(&ticket), &[]).1.status, 401);
}

//! The audit log through the real server: each event has its entry, once, with who and from where.

use std::net::Ipv4Addr;

use postern::audit::verify;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};

use crate::client::{Client, tcp_from, tls_config};
use crate::device::{Device, PASSWORD, TODAY, Tokens, USER, basic};
use crate::forge::read;

const NEW: &str = "a wholly new one";

impl Device {
    /// The whole log.
    fn audit(&self) -> Vec<Value> {
        let lines = self.server().api().audit.page(u64::MAX, usize::MAX);
        let lines = lines.expect("entries");
        lines
            .iter()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// Entries of a kind.
    pub fn audited(&self, event: &str) -> Vec<Value> {
        let mut entries = self.audit();
        entries.retain(|entry| entry["event"] == event);
        entries
    }

    /// The only entry of a kind.
    fn audited_once(&self, event: &str) -> Value {
        let mut entries = self.audited(event);
        assert_eq!(entries.len(), 1, "{event}: {entries:?}");
        entries.remove(0)
    }

    /// A connection from another address.
    fn connect_from(&self, last: u8) -> Client {
        let socket = tcp_from(Ipv4Addr::new(127, 0, 0, last), self.address());
        let config = tls_config(&self.state("tls-cert.pem"));
        Client::over(socket, config, ServerName::from(self.address().ip())).expect("TLS")
    }
}

/// The first characters of a token's id and of its login's.
fn ids(token: &str) -> (Value, Value) {
    let claims = read(token);
    let short = |name: &str| Value::from(&claims[name].as_str().expect("an id")[..8]);
    (short("jti"), short("sid"))
}

#[track_caller]
fn holds(entry: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&entry[name], value, "{name} in {entry}");
    }
}

#[test]
fn each_event_has_one_entry_with_who_and_from_where() {
    let mut device = Device::with(&[("REFRESH_REUSE_GRACE_SECONDS", "0")]);
    let start = device.audited_once("start");
    let fingerprint = start["fingerprint"].as_str().expect("one");
    assert_eq!(fingerprint.len(), 95);

    let pair = device.login();
    let (jti, sid) = ids(&pair.access);
    let login = json!({"outcome": "ok", "address": "127.0.0.1", "user": USER, "by": "login", "jti": jti, "sid": sid});
    holds(&device.audited_once("login"), &login);

    let later = Tokens::of(&device.refresh(&pair.refresh));
    assert_eq!(device.audit().len(), 2, "a refresh is no event");
    assert_eq!(device.refresh(&pair.refresh).status, 401);
    let (jti, sid) = ids(&pair.refresh);
    let reuse =
        json!({"outcome": "refused", "address": "127.0.0.1", "user": USER, "jti": jti, "sid": sid});
    holds(&device.audited_once("refresh_reuse"), &reuse);
    assert!(!device.accepts(&later.access));
    assert_eq!(device.audit().len(), 3, "a bad bearer token is no event");

    let pair = device.login();
    let out = device.request("POST", "/api/logout", Some(&pair.bearer()), None);
    assert_eq!(out.status, 200);
    let (jti, sid) = ids(&pair.access);
    let logout =
        json!({"outcome": "ok", "address": "127.0.0.1", "user": USER, "jti": jti, "sid": sid});
    holds(&device.audited_once("logout"), &logout);

    let pair = device.login();
    assert_eq!(
        device.change_password(&pair.bearer(), PASSWORD, NEW).status,
        200
    );
    let (jti, _) = ids(&pair.access);
    let change =
        json!({"outcome": "ok", "address": "127.0.0.1", "user": USER, "by": "user", "jti": jti});
    holds(&device.audited_once("password_change"), &change);

    assert_eq!(device.audited("failure").len(), 0);
    let unknown = json!({"username": "hunter22", "password": NEW});
    assert_eq!(device.post("/api/auth/login", None, &unknown).status, 401);
    let failure =
        json!({"outcome": "refused", "address": "127.0.0.1", "user": null, "by": "login"});
    holds(&device.audited_once("failure"), &failure);
    assert_eq!(
        device
            .change_password(&pair.bearer(), "wrong", "another fine one")
            .status,
        400
    );
    holds(
        &device.audited("failure")[1],
        &json!({"user": USER, "by": "change-password"}),
    );
    assert_eq!(
        device
            .get("/api/status", Some(&basic(USER, "wrong")))
            .status,
        401
    );
    holds(
        &device.audited("failure")[2],
        &json!({"user": USER, "by": "basic"}),
    );

    for _ in 0..5 {
        device.login_with("wrong");
    }
    let lock_out = json!({"outcome": "ok", "address": "127.0.0.1", "seconds": "300"});
    holds(&device.audited_once("lock_out"), &lock_out);
    // Beyond it no password is looked at.
    assert_eq!(device.audited("failure").len(), 5);

    let path = "/api/security/rate-limits/127.0.0.1";
    assert_eq!(
        device
            .request("DELETE", path, Some(&pair.bearer()), None)
            .status,
        200
    );
    let cleared = json!({"outcome": "ok", "address": "127.0.0.1", "user": USER, "target": "127.0.0.1", "jti": jti});
    holds(&device.audited_once("lock_out_cleared"), &cleared);
    assert_eq!(
        device
            .request("DELETE", path, Some(&pair.bearer()), None)
            .status,
        404
    );
    device.audited_once("lock_out_cleared");

    let before = device.audit().len() as u64;
    device.restart();
    device.audited_once("stop");
    let start = &device.audited("start")[1];
    assert_eq!(start["seq"], before + 2);
    assert_eq!(start["fingerprint"], fingerprint);
    assert_eq!(device.audit().len() as u64, before + 2);
    device.stop();
    let report = verify(&device.state("")).expect("a log");
    assert!(report.whole(), "{:?}", report.problems);
    let files = std::fs::read_to_string(device.state("audit.log")).expect("the file");
    for secret in [PASSWORD, NEW, "hunter22", &pair.access] {
        assert!(!files.contains(secret));
    }
}

#[test]
fn what_comes_over_the_local_socket_is_local() {
    let device = Device::start();
    let mut local = Client::local(&device.state("postern.sock"));
    let body = json!({"new_password": NEW});
    let reset = local.request("POST", "/api/change-password", None, Some(&body));
    assert_eq!(reset.status, 200);
    let expected = json!({"address": "local", "by": "administrator", "user": USER});
    holds(&device.audited_once("password_change"), &expected);
    let body = json!({"username": USER, "password": "wrong"});
    let mut local = Client::local(&device.state("postern.sock"));
    local.request("POST", "/api/auth/login", None, Some(&body));
    holds(
        &device.audited_once("failure"),
        &json!({"address": "local"}),
    );
    device.login_with("wrong");
    device.ask_locally("DELETE", "/api/security/rate-limits/127.0.0.1");
    let expected = json!({"address": "local", "target": "127.0.0.1"});
    holds(&device.audited_once("lock_out_cleared"), &expected);
}

#[test]
fn basic_is_one_login_of_each_address_and_a_proxy_is_not_the_client() {
    let device = Device::with(&[("TRUSTED_PROXIES", "127.0.0.9")]);
    let me = basic(USER, PASSWORD);
    for last in [1, 1, 2, 1, 2] {
        let answer = device
            .connect_from(last)
            .request("GET", "/api/ws-token", Some(&me), None);
        assert_eq!(answer.status, 200);
    }
    let forwarded = [
        ("Authorization", me.as_str()),
        ("X-Forwarded-For", "2001:db8::7"),
    ];
    let answer = device
        .connect_from(9)
        .ask("GET", "/api/ws-token", &forwarded, "");
    assert_eq!(answer.status, 200);
    let logins = device.audited("login");
    let addresses: Vec<_> = logins
        .iter()
        .map(|entry| entry["address"].as_str())
        .collect();
    // The whole address.
    assert_eq!(
        addresses,
        [Some("127.0.0.1"), Some("127.0.0.2"), Some("2001:db8::7")]
    );
    holds(&logins[0], &json!({"by": "basic", "user": USER}));
}

#[test]
fn another_certificate_and_a_refused_one_are_recorded() {
    let device = Device::start();
    let was = device.audited_once("start")["fingerprint"].clone();
    let certificate = device.state("tls-cert.pem");
    let good = std::fs::read(&certificate).expect("the certificate");
    std::fs::write(&certificate, "nothing").expect("written");
    device.server().reload();
    crate::eventually("the refusal", || !device.audited("certificate").is_empty());
    let refused = json!({"outcome": "refused", "fingerprint": was});
    holds(&device.audited("certificate")[0], &refused);
    std::fs::write(&certificate, good).expect("written");
    postern::server::tls::renew(&device.state(""), TODAY).expect("renewed");
    device.server().reload();
    let renewed = |device: &Device| {
        let entries = device.audited("certificate");
        entries.into_iter().find(|entry| entry["outcome"] == "ok")
    };
    crate::eventually("the new one", || renewed(&device).is_some());
    let renewed = renewed(&device).expect("it is there");
    assert_ne!(renewed["fingerprint"], was);
}

#[test]
fn pages_are_asked_for_and_a_bad_question_is_named() {
    let device = Device::with(&[("AUDIT_LOG_BYTES", "65536")]);
    let me = device.login().bearer();
    let get = |query: &str| device.get(&format!("/api/audit-log{query}"), Some(&me));
    for _ in 0..3 {
        device.login();
    }
    let all = get("").json();
    assert_eq!(all["status"], "success");
    let numbers = |answer: &Value| -> Vec<u64> {
        let rows = answer["data"].as_array().expect("rows");
        rows.iter()
            .map(|row| row["seq"].as_u64().expect("a number"))
            .collect()
    };
    assert_eq!(numbers(&all), [1, 2, 3, 4, 5]);
    assert_eq!(numbers(&get("?limit=2").json()), [4, 5]);
    assert_eq!(numbers(&get("?limit=2&before=4").json()), [2, 3]);
    assert_eq!(numbers(&get("?before=1").json()), [0; 0]);
    assert_eq!(numbers(&get("?limit=99999999999").json()), [1, 2, 3, 4, 5]);
    for (query, name) in [
        ("?limit=0", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=many", "limit"),
        ("?before=x", "before"),
        ("?before=1.5", "before"),
    ] {
        let refused = get(query);
        assert_eq!(refused.status, 400, "{query}");
        assert!(refused.detail().contains(&format!("'{name}'")), "{query}");
    }
    assert_eq!(device.get("/api/audit-log", None).status, 401);
}

#[test]
fn a_log_that_cannot_be_written_degrades_and_stops_nothing() {
    let mut device = Device::start();
    device.stop();
    // Nothing can be set aside any more, nor written.
    std::fs::remove_file(device.state("audit.log")).expect("removed");
    for name in [
        "audit.log",
        "audit.log.damaged.1",
        "audit.log.damaged.2",
        "audit.log.damaged.3",
        "audit.log.damaged.4",
    ] {
        std::fs::create_dir(device.state(name)).expect("a folder");
    }
    device.boot();
    let health = device.get("/health", None).json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(
        health["reasons"],
        json!(["the audit log cannot be written"])
    );
    assert_eq!(device.get("/readyz", None).status, 200);
    let pair = device.login();
    assert_eq!(
        device
            .request("POST", "/api/logout", Some(&pair.bearer()), None)
            .status,
        200
    );
    std::fs::remove_dir(device.state("audit.log")).expect("removed");
    crate::eventually("it is written", || {
        device.get("/health", None).json()["status"] == "healthy"
    });
    // What happened meanwhile is not lost.
    device.audited_once("logout");
    device.stop();
    let report = verify(&device.state("")).expect("a log");
    assert_eq!(report.problem_count, 0, "{:?}", report.problems);
}

#[test]
fn a_pulled_plug_leaves_a_chain_that_goes_on() {
    let device = Device::start();
    let pair = device.login();
    device.request("POST", "/api/logout", Some(&pair.bearer()), None);
    crate::eventually("it is on the disk", || {
        let file = std::fs::read_to_string(device.state("audit.log"));
        file.is_ok_and(|text| text.contains("\"logout\""))
    });
    let mut copy = device.copy_after_power_cut(TODAY);
    copy.audited_once("logout");
    assert_eq!(copy.audited("start").len(), 2);
    copy.stop();
    assert!(verify(&copy.state("")).expect("a log").whole());
}

#[test]
fn what_was_changed_while_the_server_was_stopped_is_told() {
    let mut device = Device::start();
    device.login();
    device.stop();
    let path = device.state("audit.log");
    let good = std::fs::read_to_string(&path).expect("the log");
    std::fs::write(&path, good.replacen("\"login\"", "\"logon\"", 1)).expect("changed");
    device.boot();
    crate::eventually("it is told", || {
        let health = device.get("/health", None).json();
        health["reasons"] == json!(["the audit log was changed by somebody else, or is damaged"])
    });
    assert_eq!(device.get("/readyz", None).status, 200);
    let (_, page) = device.ask_locally("GET", "/metrics");
    assert!(page.contains("\npostern_audit_intact 0\n"), "{page}");
}

#[test]
fn a_log_that_is_gone_at_a_start_is_told_and_nothing_worse() {
    let mut device = Device::start();
    assert_eq!(device.audited("recovered").len(), 0, "the first of all");
    device.stop();
    std::fs::remove_file(device.state("audit.log")).expect("removed");
    device.boot();
    let told = device.audited_once("recovered");
    let detail = told["detail"].as_str().expect("words");
    assert!(detail.contains("has run here before"), "{detail}");
    assert_eq!(device.get("/health", None).json()["status"], "healthy");
}

//! Who may call, and the shape of every answer about logins.

use std::collections::BTreeSet;

use postern::api::route::{Access, ROUTES, Route};
use serde_json::{Value, json};

use crate::client::Response;
use crate::device::{Device, PASSWORD, Tokens, USER, basic, bearer};
use crate::forge::read;

const JSON: &str = "application/json; charset=utf-8";

/// The answer's members, after checking its status and that it is JSON.
fn members(response: &Response, status: u16) -> BTreeSet<String> {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("content-type"), Some(JSON));
    let json = response.json();
    json.as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Both schemes are named in every 401.
fn assert_challenge(response: &Response, bad_token: bool) {
    assert_eq!(response.status, 401, "{}", response.text());
    let schemes = response.header("www-authenticate").expect("a challenge");
    assert!(schemes.contains("Basic realm="), "{schemes}");
    assert!(schemes.contains("Bearer realm="), "{schemes}");
    let invalid = schemes.contains("error=\"invalid_token\"");
    assert_eq!(invalid, bad_token, "{schemes}");
    response.detail();
}

#[test]
fn a_login_answers_with_a_pair_of_tokens_and_nothing_else() {
    let device = Device::with(&[("JWT_EXPIRE_DURATION", "1h30m")]);
    let response = device.login_with(PASSWORD);
    assert_eq!(
        members(&response, 200),
        names(&[
            "status",
            "access_token",
            "refresh_token",
            "token_type",
            "expires_in"
        ])
    );
    let json = response.json();
    assert_eq!(json["status"], "success");
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["expires_in"], 5400);
    let pair = Tokens::of(&response);
    let mut ids = BTreeSet::new();
    for (token, kind, lifetime) in [
        (&pair.access, "access", 5400),
        (&pair.refresh, "refresh", 7 * 86_400),
        (&device.login().access, "access", 5400),
    ] {
        let claims = read(token);
        assert_eq!(claims["sub"], USER);
        assert_eq!(claims["type"], kind);
        let time = |name: &str| claims[name].as_u64().expect("seconds");
        assert_eq!(time("exp") - time("iat"), lifetime);
        // 128 bits in hexadecimal: two tokens of one second differ.
        let id = claims["jti"].as_str().expect("an id").to_owned();
        assert_eq!(id.len(), 32);
        assert!(ids.insert(id));
    }
    assert_eq!(
        members(&device.refresh(&pair.refresh), 200),
        names(&[
            "status",
            "access_token",
            "refresh_token",
            "token_type",
            "expires_in"
        ])
    );
}

#[test]
fn every_other_answer_has_just_the_promised_members() {
    let device = Device::start();
    let pair = device.login();
    let me = pair.bearer();
    for path in ["/health", "/api/health"] {
        let health = device.get(path, None);
        assert_eq!(members(&health, 200), names(&["status", "version"]));
        assert_eq!(health.json()["status"], "healthy");
        assert_eq!(health.json()["version"], env!("CARGO_PKG_VERSION"));
    }
    let ready = device.get("/readyz", None);
    assert_eq!(members(&ready, 200), names(&["status"]));
    assert_eq!(ready.json()["status"], "ready");

    let ticket = device.get("/api/ws-token", Some(&me));
    assert_eq!(members(&ticket, 200), names(&["status", "token"]));
    assert_eq!(ticket.json()["token"].as_str().map(str::len), Some(43));

    assert_eq!(device.login_with("wrong").status, 401);
    let limits = device.get("/api/security/rate-limits", Some(&me));
    assert_eq!(members(&limits, 200), names(&["status", "data"]));
    assert_eq!(
        limits.json()["data"],
        json!([{"ip": "127.0.0.1", "attempts": 1, "blocked": false, "retry_after": 0}])
    );

    let logs = device.get("/api/logs?limit=1", Some(&me));
    assert_eq!(members(&logs, 200), names(&["status", "data"]));
    let changed = device.change_password(&me, PASSWORD, "a wholly new one");
    assert_eq!(members(&changed, 200), names(&["status", "message"]));
    let left = device.request("POST", "/api/logout", Some(&me), None);
    assert_eq!(members(&left, 200), names(&["status", "message"]));
    for error in [
        device.get("/api/status", None),
        device.get("/nowhere", None),
    ] {
        assert_eq!(members(&error, error.status), names(&["status", "detail"]));
    }
}

/// What a route answers to a user who asks it for nothing sensible.
fn answer_to_a_user(route: &Route) -> u16 {
    match route.path {
        "/api/change-password" => 400,
        "/api/security/rate-limits/{ip}" => 404,
        "/api/ws/logs" => 426,
        _ => 200,
    }
}

#[test]
fn every_protected_path_takes_both_schemes_and_nobody_else() {
    let device = Device::with(&[("MAX_LOGIN_ATTEMPTS", "1000")]);
    let refresh = device.login().refresh;
    let mut protected = 0;
    for route in ROUTES.iter().filter(|route| route.access != Access::Open) {
        protected += 1;
        let path = route.path.replace("{ip}", "192.0.2.9");
        let mut client = device.connect();
        let mut ask = |authorization: Option<&str>| {
            let body = (route.method.as_str() == "POST").then(|| json!({}));
            client.request(route.method.as_str(), &path, authorization, body.as_ref())
        };
        for bad in [
            None,
            Some("Digest username=\"admin\""),
            Some("Basic !"),
            Some(""),
        ] {
            assert_challenge(&ask(bad), false);
        }
        for wrong in [basic(USER, "wrong"), basic("root", PASSWORD), basic("", "")] {
            assert_challenge(&ask(Some(&wrong)), false);
        }
        for dead in [
            "Bearer a.b.c".to_owned(),
            "Bearer".to_owned(),
            bearer(&refresh),
        ] {
            assert_challenge(&ask(Some(&dead)), true);
        }
        let credential = basic(USER, PASSWORD);
        let credential = credential.strip_prefix("Basic ").expect("Basic");
        for scheme in ["Basic", "basic", "BASIC", "bAsIc"] {
            let response = ask(Some(&format!("{scheme} {credential}")));
            assert_eq!(
                response.status,
                answer_to_a_user(route),
                "{path}: {}",
                response.text()
            );
        }
        for scheme in ["Bearer", "bearer", "BEARER"] {
            // A token of its own each time: one of these routes ends the login.
            let response = ask(Some(&format!("{scheme} {}", device.login().access)));
            assert_eq!(
                response.status,
                answer_to_a_user(route),
                "{path}: {}",
                response.text()
            );
        }
    }
    assert!(protected >= 9);
}

#[test]
fn two_credentials_in_one_request_are_none() {
    let device = Device::start();
    let good = device.login().bearer();
    let twice = [
        ("Authorization", good.as_str()),
        ("Authorization", good.as_str()),
    ];
    assert_challenge(
        &device.connect().ask("GET", "/api/status", &twice, ""),
        false,
    );
}

#[test]
fn open_paths_need_no_credential_and_mind_no_bad_one() {
    let device = Device::start();
    for route in ROUTES.iter().filter(|route| route.access == Access::Open) {
        let expected = if route.method.as_str() == "POST" {
            400
        } else {
            200
        };
        let path = route.path.replace("{file}", "style.css");
        for authorization in [None, Some("Bearer a.b.c"), Some("Basic !")] {
            let response = device.request(route.method.as_str(), &path, authorization, None);
            assert_eq!(response.status, expected, "{path}");
        }
    }
    // The credentials of these two are in the body; a bad one is still a challenge.
    assert_challenge(&device.login_with("wrong"), false);
    let dead = device.refresh("a.b.c");
    assert_challenge(&dead, true);
}

#[test]
fn nobody_can_map_the_api_from_outside() {
    let device = Device::start();
    let me = basic(USER, PASSWORD);
    for (method, path) in [
        ("GET", "/api/no-such-thing"),
        ("POST", "/api/no-such-thing"),
        ("DELETE", "/api/security/rate-limits/"),
        ("GET", "/api"),
        ("GET", "/api/logs/"),
    ] {
        let outside = device.request(method, path, None, None);
        assert_challenge(&outside, false);
        // The same to the letter as for a path that is there.
        assert_eq!(outside.text(), device.get("/api/status", None).text());
        assert_eq!(
            device.request(method, path, Some(&me), None).status,
            404,
            "{path}"
        );
    }
    assert_eq!(
        device.request("DELETE", "/api/status", None, None).status,
        401
    );
    let method = device.request("DELETE", "/api/status", Some(&me), None);
    assert_eq!(method.status, 405);
    assert_eq!(method.header("allow"), Some("GET, HEAD, OPTIONS"));
    method.detail();
}

#[test]
fn an_unknown_user_is_refused_like_a_wrong_password() {
    let device = Device::start();
    let login = |user: &str, password: &str| {
        let runs = device.server().api().auth.bcrypt_runs();
        let body = json!({"username": user, "password": password});
        let response = device.post("/api/auth/login", None, &body);
        assert_eq!(device.server().api().auth.bcrypt_runs() - runs, 1);
        (
            response.status,
            response.text(),
            response.header("www-authenticate").map(str::to_owned),
        )
    };
    assert_eq!(login("root", PASSWORD), login(USER, "wrong"));
}

#[test]
fn bodies_are_taken_for_json_and_their_members_named_when_wrong() {
    let device = Device::start();
    let me = device.login().bearer();
    let ask = |path: &str, body: &Value| device.post(path, Some(&me), body);
    for (path, body, named) in [
        ("/api/auth/login", json!({"username": USER}), "'password'"),
        (
            "/api/auth/login",
            json!({"username": USER, "password": []}),
            "'password'",
        ),
        ("/api/auth/refresh", json!({}), "'refresh_token'"),
        (
            "/api/auth/refresh",
            json!({"refresh_token": 7}),
            "'refresh_token'",
        ),
        (
            "/api/change-password",
            json!({"new_password": "x"}),
            "'current_password'",
        ),
        (
            "/api/change-password",
            json!({"current_password": "x"}),
            "'new_password'",
        ),
        (
            "/api/change-password",
            json!({"current_password": "x", "new_password": null}),
            "'new_password'",
        ),
    ] {
        let response = ask(path, &body);
        assert_eq!(response.status, 400, "{path} {body}");
        assert!(response.detail().contains(named), "{}", response.text());
    }
    let body = json!({"username": USER, "password": PASSWORD, "remember": true}).to_string();
    for content_type in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "nonsense",
    ] {
        let headers = [("Content-Type", content_type)];
        let response = device
            .connect()
            .ask("POST", "/api/auth/login", &headers, &body);
        assert_eq!(response.status, 200, "{content_type}");
    }
}

#[test]
fn whoever_may_open_the_local_socket_is_the_administrator() {
    let device = Device::start();
    for (path, status) in [
        ("/api/status", 200),
        ("/api/nothing", 404),
        ("/health", 200),
    ] {
        assert_eq!(device.ask_locally("GET", path).0, status, "{path}");
    }
    assert_eq!(device.ask_locally("POST", "/api/logout").0, 200);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(device.state("postern.sock"))
            .expect("a socket")
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

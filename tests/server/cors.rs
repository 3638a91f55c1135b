//! Browsers: whose pages may read, and whose may not change anything behind a user's back.

use crate::client::Response;
use crate::device::{Device, PASSWORD, USER, basic};

const FRIEND: &str = "https://console.example";
const FOE: &str = "https://evil.example";

fn device() -> Device {
    Device::with(&[("CORS_ALLOWED_ORIGINS", FRIEND)])
}

fn preflight(device: &Device, path: &str, origin: &str) -> Response {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        (
            "Access-Control-Request-Headers",
            "authorization,content-type",
        ),
    ];
    device.connect().ask("OPTIONS", path, &headers, "")
}

#[test]
fn a_preflight_from_a_configured_origin_is_told_what_it_may_do() {
    let device = device();
    let first = preflight(&device, "/api/status", FRIEND);
    // Nothing can be learnt about which paths there are.
    for path in [
        "/api/status",
        "/api/no-such-thing",
        "/api/auth/login",
        "/health",
    ] {
        let response = preflight(&device, path, FRIEND);
        assert_eq!(response.status, 204, "{path}");
        assert_eq!(response.header("access-control-allow-origin"), Some(FRIEND));
        let methods = response
            .header("access-control-allow-methods")
            .expect("methods");
        for method in ["GET", "POST", "DELETE"] {
            assert!(methods.contains(method), "{methods}");
        }
        let headers = response
            .header("access-control-allow-headers")
            .expect("headers");
        assert!(headers.contains("Authorization") && headers.contains("Content-Type"));
        assert_eq!(response.header("vary"), Some("Origin"));
        assert_eq!(response.header("access-control-allow-credentials"), None);
        assert_eq!(response.headers.len(), first.headers.len(), "{path}");
    }
}

#[test]
fn a_preflight_from_anywhere_else_is_403() {
    let device = device();
    for origin in [
        FOE,
        "null",
        "http://console.example",
        "https://console.example:444",
        "https://x.console.example",
        "*",
    ] {
        let response = preflight(&device, "/api/status", origin);
        assert_eq!(response.status, 403, "{origin}");
        assert_eq!(response.header("access-control-allow-origin"), None);
        assert_eq!(response.header("vary"), Some("Origin"));
        response.detail();
    }
    let nobody = Device::start();
    assert_eq!(preflight(&nobody, "/api/status", FRIEND).status, 403);
}

#[test]
fn only_a_configured_origin_may_read_answers_errors_included() {
    let device = device();
    let token = device.login().bearer();
    for (path, status) in [
        ("/api/status", 200),
        ("/api/nothing", 404),
        ("/health", 200),
    ] {
        for (origin, allowed) in [(FRIEND, Some(FRIEND)), (FOE, None), ("null", None)] {
            let headers = [("Origin", origin), ("Authorization", token.as_str())];
            let response = device.connect().ask("GET", path, &headers, "");
            assert_eq!(response.status, status);
            assert_eq!(response.header("access-control-allow-origin"), allowed);
            assert_eq!(response.header("vary"), Some("Origin"));
        }
    }
    let refused = device
        .connect()
        .ask("GET", "/api/status", &[("Origin", FRIEND)], "");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some(FRIEND));
    let exposed = refused
        .header("access-control-expose-headers")
        .expect("names");
    assert!(exposed.contains("Retry-After") && exposed.contains("WWW-Authenticate"));
    assert_eq!(
        device
            .get("/health", None)
            .header("access-control-allow-origin"),
        None
    );
}

#[test]
fn a_foreign_page_changes_nothing_even_with_good_credentials() {
    let device = device();
    let pair = device.login();
    let token = pair.bearer();
    for foreign in [
        ("Origin", FOE),
        ("Origin", "null"),
        ("Origin", "http://localhost"),
        // The same site, but another port: not the same origin.
        ("Origin", "https://localhost:9443"),
        ("Origin", "https://localhost:44"),
        ("Origin", "https://sub.localhost"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        for (method, path) in [
            ("POST", "/api/logout"),
            ("POST", "/api/auth/login"),
            ("DELETE", "/api/security/rate-limits/192.0.2.1"),
        ] {
            let headers = [foreign, ("Authorization", token.as_str())];
            let response = device.connect().ask(method, path, &headers, "{}");
            assert_eq!(response.status, 403, "{foreign:?} {path}");
            response.detail();
        }
    }
    // A browser that contradicts itself is not believed.
    for site in ["cross-site", "same-site"] {
        let headers = [
            ("Origin", "https://localhost"),
            ("Sec-Fetch-Site", site),
            ("Authorization", token.as_str()),
        ];
        let response = device.connect().ask("POST", "/api/logout", &headers, "");
        assert_eq!(response.status, 403, "{site}");
    }
    assert!(device.accepts(&pair.access));
}

/// What a browser does by itself for whoever has once answered its password prompt.
#[test]
fn a_cached_basic_login_is_of_no_use_to_another_site() {
    let device = device();
    let basic = &*basic(USER, PASSWORD);
    let first = device.get("/api/status", Some(basic));
    assert_eq!(first.status, 200, "{first:?}");
    for foreign in [
        &[("Origin", FOE)][..],
        &[("Origin", FOE), ("Sec-Fetch-Site", "cross-site")],
        &[
            ("Origin", "https://localhost:9443"),
            ("Sec-Fetch-Site", "same-site"),
        ],
        &[("Sec-Fetch-Site", "cross-site")],
    ] {
        let mut headers = foreign.to_vec();
        headers.push(("Authorization", basic));
        let body =
            format!(r#"{{"current_password":"{PASSWORD}","new_password":"now it is mine"}}"#);
        for (method, path) in [
            ("POST", "/api/change-password"),
            ("POST", "/api/logout"),
            ("DELETE", "/api/security/rate-limits/127.0.0.1"),
        ] {
            let response = device.connect().ask(method, path, &headers, &body);
            assert_eq!(response.status, 403, "{foreign:?} {path}");
        }
    }
    assert_eq!(device.get("/api/status", Some(basic)).status, 200);
}

/// An `<img>` of any site: the browser adds what it remembers.
#[test]
fn a_browsers_own_basic_on_another_sites_request_is_neither_used_nor_counted() {
    let device = device();
    let (good, wrong) = (&*basic(USER, PASSWORD), &*basic(USER, "wrong"));
    let token = &*device.login().bearer();
    let ask = |headers: &[(&str, &str)], authorization: &str, path: &str| {
        let mut headers = headers.to_vec();
        headers.push(("Authorization", authorization));
        let mut client = device.connect();
        let get = client.ask("GET", path, &headers, "");
        assert_eq!(client.ask("HEAD", path, &headers, "").status, get.status);
        get
    };
    // Known to the server already, and remembered by the browser.
    assert_eq!(device.get("/api/status", Some(good)).status, 200);
    for foreign in [
        &[("Sec-Fetch-Site", "cross-site")][..],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", FOE)],
        &[("Origin", "null")],
        &[("Origin", "https://localhost:9443")],
        // A link to it from elsewhere.
        &[
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
        ],
    ] {
        for path in ["/api/status", "/metrics", "/api/nothing", "/api/ws/logs"] {
            for authorization in [good, wrong, "Basic /w==", "Basic !"] {
                let refused = ask(foreign, authorization, path);
                assert_eq!(refused.status, 403, "{foreign:?} {path}");
                refused.detail();
            }
        }
        // No browser adds a token by itself. And the page, which needs no credential, opens by a link from anywhere.
        assert_eq!(
            ask(foreign, token, "/api/status").status,
            200,
            "{foreign:?}"
        );
        assert_eq!(ask(foreign, good, "/").status, 200, "{foreign:?}");
        assert_eq!(ask(foreign, wrong, "/health").status, 200, "{foreign:?}");
    }
    let rows = device.get("/api/security/rate-limits", Some(token)).json();
    assert_eq!(rows["data"], serde_json::json!([]), "nothing was counted");
    for own in [
        &[("Origin", FRIEND), ("Sec-Fetch-Site", "cross-site")][..],
        &[
            ("Origin", "https://localhost"),
            ("Sec-Fetch-Site", "same-origin"),
        ],
        &[("Sec-Fetch-Site", "none")],
    ] {
        assert_eq!(ask(own, good, "/api/status").status, 200, "{own:?}");
    }
}

#[test]
fn the_hosts_own_page_and_configured_ones_may_change_things() {
    let device = device();
    for headers in [
        &[("Origin", "https://localhost")][..],
        &[("Origin", "https://LOCALHOST:443")],
        &[("Origin", FRIEND), ("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Sec-Fetch-Site", "none")],
        &[],
    ] {
        let token = device.login().bearer();
        let mut headers = headers.to_vec();
        headers.push(("Authorization", &token));
        let response = device.connect().ask("POST", "/api/logout", &headers, "");
        assert_eq!(response.status, 200, "{headers:?}");
    }
}

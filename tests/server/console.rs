//! The console's files, as a browser and as curl ask for them.

use crate::client::Response;
use crate::device::Device;

const FILES: [&str; 9] = [
    "/",
    "/console/app.js",
    "/console/dom.js",
    "/console/feed.js",
    "/console/log.js",
    "/console/overview.js",
    "/console/security.js",
    "/console/session.js",
    "/console/style.css",
];

fn ask(device: &Device, path: &str, headers: &[(&str, &str)]) -> Response {
    device.connect().ask("GET", path, headers, "")
}

const GZIP: (&str, &str) = ("Accept-Encoding", "gzip, deflate, br, zstd");

#[test]
fn anybody_gets_the_page_and_its_files_plain_or_gzipped() {
    let device = Device::start();
    for path in FILES {
        let plain = ask(&device, path, &[]);
        assert_eq!(plain.status, 200, "{path}");
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        let gzip = ask(&device, path, &[GZIP]);
        assert_eq!(gzip.status, 200, "{path}");
        assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(gzip.body[..3], [0x1f, 0x8b, 8], "{path}");
        assert!(gzip.body.len() < plain.body.len(), "{path}");
        assert_eq!(
            gzip.header("content-type"),
            plain.header("content-type"),
            "{path}"
        );
        // The last four bytes of a gzip file are the length of what is in it (RFC 1952, section 2.3.1).
        let (_, length) = gzip.body.split_last_chunk::<4>().expect("a trailer");
        assert_eq!(u32::from_le_bytes(*length) as usize, plain.body.len());
        for answer in [&plain, &gzip] {
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{path}");
        }
    }
    let page = ask(&device, "/", &[]);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(page.text().starts_with("<!doctype html>"));
}

#[test]
fn the_encoding_is_the_clients_choice() {
    let device = Device::start();
    for (wish, gzip) in [
        ("gzip", true),
        ("GZIP", true),
        ("br;q=1.0, gzip;q=0.5", true),
        ("gzip; q=0.001", true),
        ("identity", false),
        ("gzip;q=0", false),
        ("gzip; q=0.000, identity", false),
        ("br", false),
        ("notgzip", false),
        ("gzip;q=nonsense", false),
        ("", false),
    ] {
        let answer = ask(&device, "/", &[("Accept-Encoding", wish)]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-encoding").is_some(), gzip, "{wish}");
    }
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let device = Device::start();
    for path in FILES {
        let tags: Vec<_> = [&[][..], &[GZIP]]
            .into_iter()
            .map(|headers| {
                let answer = ask(&device, path, headers);
                answer.header("etag").expect("a tag").to_owned()
            })
            .collect();
        let [plain, gzip] = [&tags[0], &tags[1]];
        assert_ne!(plain, gzip, "{path}: one tag, one sequence of bytes");
        for known in [
            gzip.clone(),
            format!("W/{gzip}"),
            format!("\"other\", {gzip}"),
            "*".into(),
        ] {
            let answer = ask(&device, path, &[GZIP, ("If-None-Match", &known)]);
            assert_eq!(answer.status, 304, "{path} {known}");
            assert_eq!(answer.header("etag"), Some(gzip.as_str()));
            assert_eq!(answer.header("cache-control"), Some("no-cache"));
            assert!(answer.body.is_empty());
        }
        for unknown in [plain.as_str(), "\"other\"", "nonsense"] {
            let answer = ask(&device, path, &[GZIP, ("If-None-Match", unknown)]);
            assert_eq!(answer.status, 200, "{path} {unknown}");
        }
    }
    // Nothing follows a 304: the connection goes on with the next request.
    let mut connection = device.connect();
    let first = connection.ask("GET", "/", &[("If-None-Match", "*")], "");
    assert_eq!(first.status, 304);
    assert_eq!(connection.ask("GET", "/health", &[], "").status, 200);
}

#[test]
fn head_has_what_get_has_but_the_body() {
    let device = Device::start();
    for path in FILES {
        let get = ask(&device, path, &[GZIP]);
        let head = device.connect().ask("HEAD", path, &[GZIP], "");
        assert_eq!(head.status, 200, "{path}");
        assert!(head.body.is_empty());
        for field in ["content-length", "etag", "content-encoding", "content-type"] {
            assert_eq!(head.header(field), get.header(field), "{path} {field}");
        }
    }
}

#[test]
fn a_browser_is_told_what_the_page_must_not_do() {
    let device = Device::start();
    for path in FILES {
        let answer = ask(&device, path, &[]);
        let policy = answer.header("content-security-policy").expect("a policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "trusted-types 'none'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (field, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(field), Some(value), "{path} {field}");
        }
    }
}

#[test]
fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
    let device = Device::start();
    let page = ask(&device, "/", &[]).text();
    for forbidden in [
        "style=",
        "onclick",
        "onload",
        "<style",
        "//cdn",
        "src=\"http",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    // Whatever it names is there.
    for reference in page.split("=\"console/").skip(1) {
        let name = reference.split('"').next().expect("a name");
        let answer = ask(&device, &format!("/console/{name}"), &[]);
        assert_eq!(answer.status, 200, "{name}");
    }
    for path in &FILES[1..8] {
        let script = ask(&device, path, &[]).text();
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!script.contains(sink), "{path}: {sink}");
        }
    }
}

#[test]
fn there_is_nothing_else_beside_the_page() {
    let device = Device::start();
    for path in [
        "/console/",
        "/console",
        "/console/../console/app.js",
        "/console/app.js/",
        "/console/APP.JS",
        "/console/%61pp.js",
        "/index.html",
        "//",
    ] {
        let answer = ask(&device, path, &[]);
        assert_eq!(answer.status, 404, "{path}");
        answer.detail();
    }
    let post = device.connect().ask("POST", "/", &[], "");
    assert_eq!(post.status, 405);
    assert_eq!(post.header("allow"), Some("GET, HEAD, OPTIONS"));
}

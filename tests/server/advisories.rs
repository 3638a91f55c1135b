//! Known vulnerabilities, as clients see them: a device of Debian 12 with a few packages, and advisories that come and go.

use std::fs;
use std::path::PathBuf;

use postern::cli::{self, RootRights};
use postern::terminal::Terminal;
use serde_json::{Value, json};

use crate::device::{Device, PASSWORD, USER, basic};

const LIST: &str = "/api/security/cve";

/// A device that has this version of openssl, and advisories in its state folder if there is one here.
fn device(openssl: &str, advisories: &[Value]) -> Device {
    let device = Device::start();
    let release = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID=\"12\"\nID=debian\n";
    fs::write(device.on_the_device("etc/os-release"), release).expect("written");
    install(&device, openssl);
    for advisory in advisories {
        put(&device, advisory);
    }
    device
}

/// Has the device's list of packages say this version of openssl.
fn install(device: &Device, openssl: &str) {
    let stanza = |name: &str, version: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: armhf\nVersion: {version}\nDescription: a\n text\n\n"
        )
    };
    let status = stanza("openssl", openssl) + &stanza("zlib1g", "1:1.2.13.dfsg-1");
    // In one step, as dpkg does it.
    let new = device.on_the_device("var/lib/dpkg/status-new");
    fs::write(&new, status).expect("written");
    fs::rename(new, device.on_the_device("var/lib/dpkg/status")).expect("renamed");
}

fn place(device: &Device, advisory: &Value) -> PathBuf {
    let folder = device.state("advisories");
    fs::create_dir_all(&folder).expect("a folder");
    folder.join(format!("{}.json", advisory["id"].as_str().expect("an id")))
}

/// Puts an advisory where the device looks.
fn put(device: &Device, advisory: &Value) {
    write(device, advisory, advisory.to_string().as_bytes());
}

/// Puts this there in its place.
fn write(device: &Device, advisory: &Value, bytes: &[u8]) {
    let place = place(device, advisory);
    let new = place.with_extension("new");
    fs::write(&new, bytes).expect("written");
    fs::rename(new, place).expect("renamed");
}

/// One of openssl in Debian 12, in OSV's form: critical, and repaired with 3.0.11-1~deb12u1.
fn openssl() -> Value {
    json!({
        "schema_version": "1.6.0",
        "id": "DSA-5417-1",
        "modified": "2026-01-01T00:00:00Z",
        "aliases": ["CVE-2023-2650"],
        "affected": [{
            "package": {"ecosystem": "Debian:12", "name": "openssl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.11-1~deb12u1"}]}],
        }],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "references": [{"type": "ADVISORY", "url": "https://example.org/dsa-5417"}],
    })
}

/// One that says neither how bad it is, nor what repairs it, nor where to read on.
fn of_zlib() -> Value {
    json!({
        "id": "CVE-2026-0001",
        "modified": "2026-01-01T00:00:00Z",
        "affected": [{
            "package": {"ecosystem": "Debian:12", "name": "zlib1g"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }],
    })
}

const VULNERABLE: &str = "3.0.9-1";
const REPAIRED: &str = "3.0.11-1~deb12u2";

fn health(device: &Device) -> Value {
    device.get("/health", None).json()
}

fn list(device: &Device, query: &str) -> Value {
    let answer = device.get(&format!("{LIST}{query}"), Some(&basic(USER, PASSWORD)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Waits until the list says so.
fn comes(device: &Device, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    crate::eventually(what, || {
        seen = list(device, "");
        holds(&seen)
    });
    seen
}

fn is_current_with(count: usize) -> impl Fn(&Value) -> bool {
    move |seen| seen["state"] == "current" && seen["cves"] == count
}

/// `postern cve`, and what it said.
fn command(device: &Device, flags: &[&str]) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let socket = device.state("postern.sock");
    let words = ["cve", "--socket", socket.to_str().expect("UTF-8")];
    let status = cli::run(
        words.iter().chain(flags),
        &mut Terminal {
            input: &mut std::io::empty(),
            input_is_terminal: false,
            out: &mut out,
            err: &mut err,
        },
        RootRights::Keep,
        |_| unreachable!("the socket is named"),
        |_| unreachable!("nothing is served"),
    );
    let err = String::from_utf8(err).expect("UTF-8");
    assert_eq!(err, "");
    (status, String::from_utf8(out).expect("UTF-8"))
}

#[test]
fn without_advisories_nothing_is_said_to_be_well_or_ill() {
    let device = device(VULNERABLE, &[]);
    let seen = comes(&device, "a look", |seen| seen["state"] == "off");
    assert_eq!(seen["data"], json!([]));
    assert_eq!(
        (&seen["cves"], &seen["severities"]),
        (&json!(0), &json!({}))
    );
    assert_eq!(seen.get("error"), None);
    assert_eq!(health(&device)["status"], "healthy");
    assert_eq!(health(&device).get("cves"), None);
    let (status, out) = command(&device, &[]);
    assert_eq!(status, 1, "{out}");
    assert!(out.starts_with("not checked: "), "{out}");
}

#[test]
fn a_folder_that_was_named_has_to_be_there() {
    let device = Device::with(&[("ADVISORY_DIR", "/nonexistent/advisories")]);
    let seen = comes(&device, "trouble", |seen| seen["state"] == "failing");
    let error = seen["error"].as_str().expect("an error");
    assert!(error.contains("/nonexistent/advisories"), "{error}");
    assert_eq!(health(&device)["status"], "degraded");
}

#[test]
fn only_who_may_ask_gets_the_list() {
    let device = Device::start();
    assert_eq!(device.get(LIST, None).status, 401);
    let wrong = basic(USER, "not the password");
    assert_eq!(device.get(LIST, Some(&wrong)).status, 401);
    let bearer = device.login().bearer();
    assert_eq!(device.get(LIST, Some(&bearer)).status, 200);
    assert_eq!(device.ask_locally("GET", LIST).0, 200);
    let zero = device.get(&format!("{LIST}?limit=0"), Some(&bearer));
    assert_eq!(zero.status, 400);
    assert!(zero.detail().contains("limit"));
}

#[test]
fn what_applies_is_counted_by_health_and_listed_with_what_to_do() {
    let device = device(VULNERABLE, &[of_zlib(), openssl()]);
    let seen = comes(&device, "both", is_current_with(2));
    assert_eq!(seen["status"], "success");
    assert_eq!(seen["advisories"], 2);
    assert!(seen["packages"].as_u64() >= Some(2), "{seen}");
    assert!(seen["checked_at"].is_string());
    assert_eq!(seen.get("error"), None);
    assert_eq!(
        seen["newest"],
        json!({"Debian:12": "2026-01-01T00:00:00.000Z"})
    );
    assert_eq!(seen["severities"], json!({"critical": 1, "unknown": 1}));
    // The worst first, and what is not known is absent.
    let first = json!({
        "id": "DSA-5417-1",
        "aliases": ["CVE-2023-2650"],
        "ecosystem": "Debian:12",
        "package": "openssl",
        "installed": VULNERABLE,
        "fixed_in": "3.0.11-1~deb12u1",
        "severity": "critical",
        "link": "https://example.org/dsa-5417",
    });
    assert_eq!(seen["data"][0], first);
    let second = seen["data"][1].as_object().expect("a row");
    assert_eq!(second["id"], "CVE-2026-0001");
    assert_eq!(second["severity"], "unknown");
    for absent in ["aliases", "fixed_in"] {
        assert_eq!(second.get(absent), None);
    }

    let worst = list(&device, "?limit=1");
    assert_eq!(worst["data"], json!([first]));
    assert_eq!(worst["cves"], 2);

    for path in ["/health", "/api/health"] {
        let health = device.get(path, None).json();
        assert_eq!(
            (&health["cves"], &health["status"]),
            (&json!(2), &json!("healthy"))
        );
    }
    let status = device.get("/api/status", Some(&basic(USER, PASSWORD)));
    let mut beside = seen.clone();
    for name in ["data", "status"] {
        beside.as_object_mut().expect("an object").remove(name);
    }
    assert_eq!(status.json()["advisories"], beside);
    let (_, page) = device.ask_locally("GET", "/metrics");
    for sample in [
        "postern_cves{severity=\"critical\"} 1\n",
        "postern_cves{severity=\"high\"} 0\n",
        "postern_advisories 2\n",
        "postern_advisories_state{state=\"current\"} 1\n",
        "postern_advisories_state{state=\"failing\"} 0\n",
        "postern_advisories_newest_timestamp_seconds{ecosystem=\"Debian:12\"} 1767225600\n",
    ] {
        assert!(page.contains(sample), "{sample} in {page}");
    }

    let (code, out) = command(&device, &[]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(code, 1);
    assert!(
        lines[1].starts_with("DSA-5417-1 ") && lines[1].contains(" critical "),
        "{out}"
    );
    assert!(
        lines[3].starts_with("2 known of 2 advisories (1 critical, 1 unknown)"),
        "{out}"
    );
    let (code, out) = command(&device, &["--json"]);
    assert_eq!((code, serde_json::from_str(&out).ok()), (1, Some(seen)));
}

#[test]
fn an_upgrade_is_noticed_and_nothing_is_left_of_it() {
    let device = device(VULNERABLE, &[openssl()]);
    comes(&device, "it applies", is_current_with(1));
    install(&device, REPAIRED);
    let seen = comes(&device, "it does not any more", is_current_with(0));
    assert_eq!(seen["advisories"], 1);
    assert_eq!(health(&device).get("cves"), None);
    let (code, out) = command(&device, &[]);
    assert_eq!(code, 0);
    assert!(out.starts_with("none known of 1 advisories; "), "{out}");
}

#[test]
fn what_cannot_be_read_takes_nothing_back_and_is_no_good_health() {
    let device = device(VULNERABLE, &[openssl()]);
    comes(&device, "it applies", is_current_with(1));
    let whole = openssl().to_string();
    write(&device, &openssl(), &whole.as_bytes()[..whole.len() / 2]);
    let seen = comes(&device, "the trouble", |seen| seen["state"] == "failing");
    assert_eq!(seen["cves"], 1);
    assert_eq!(seen["data"][0]["id"], "DSA-5417-1");
    assert!(seen["error"].is_string());
    let now = health(&device);
    assert_eq!(
        (&now["status"], &now["cves"]),
        (&json!("degraded"), &json!(1))
    );
    assert_eq!(now["reasons"], json!(["not all advisories can be read"]));
    // No revocation is the less durable for it.
    assert_eq!(device.get("/readyz", None).status, 200);
    let (code, out) = command(&device, &[]);
    assert_eq!(code, 1);
    assert!(out.contains("not everything could be read: "), "{out}");

    fs::remove_file(place(&device, &openssl())).expect("removed");
    crate::eventually("it is gone", || {
        let now = health(&device);
        now["status"] == "healthy" && now.get("cves").is_none()
    });
}

#[test]
fn what_a_stranger_wrote_is_text_wherever_it_is_shown() {
    const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\r\n\u{202e}<script>";
    let mut advisory = openssl();
    advisory["aliases"] = json!([HOSTILE, "../../etc/passwd"]);
    advisory["affected"][0]["ranges"][0]["events"][1]["fixed"] = json!(format!("99:1{HOSTILE}"));
    advisory["references"] = json!([
        {"type": "ADVISORY", "url": "javascript:alert(1)"},
        {"type": "WEB", "url": format!("https://example.org/{HOSTILE}")},
    ]);
    advisory["summary"] = json!(HOSTILE);
    let device = device(VULNERABLE, &[of_zlib()]);
    comes(&device, "the good one", is_current_with(1));
    put(&device, &advisory);
    // Whether such a thing is refused or taken for what it can be, it is noticed.
    comes(&device, "the hostile one", |seen| {
        seen["state"] == "failing" || seen["advisories"] == 2
    });
    let answer = device.get(LIST, Some(&basic(USER, PASSWORD)));
    let text = answer.text();
    assert!(!text.trim_end().contains(char::is_control), "{text:?}");
    for row in answer.json()["data"].as_array().expect("rows") {
        let mut names = vec![&row["id"]];
        names.extend(row["aliases"].as_array().into_iter().flatten());
        for name in names {
            let name = name.as_str().expect("text");
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:+".contains(c);
            assert!(name.chars().all(fits), "{name:?}");
        }
        let link = row["link"].as_str().unwrap_or("https://");
        assert!(link.starts_with("https://"), "{link}");
    }
    for flags in [&[][..], &["--json"]] {
        let (_, out) = command(&device, flags);
        let drives = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!out.contains(drives), "{out:?}");
    }
    assert!(health(&device)["cves"].as_u64() >= Some(1));
}

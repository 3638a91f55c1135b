//! Real files through the real server: formats, patterns, and what `/api/status` says of them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::device::{Device, PASSWORD, USER, basic};

fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .open(path)
        .expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}

fn get(device: &Device, target: &str) -> Value {
    device.get(target, Some(&basic(USER, PASSWORD))).json()
}

/// The sources as `/api/status` shows them, once this holds of them.
fn sources(device: &Device, what: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut found = Vec::new();
    crate::eventually(what, || {
        let status = get(device, "/api/status");
        found.clone_from(status["logs"]["sources"].as_array().expect("sources"));
        holds(&found)
    });
    found
}

fn entries(device: &Device, source: &str) -> Vec<Value> {
    let answer = get(device, &format!("/api/logs?source={source}"));
    answer["data"].as_array().expect("entries").clone()
}

#[test]
fn a_squid_and_a_json_log_become_fields_on_the_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let (access, app) = (
        folder.path().join("access.log"),
        folder.path().join("app.log"),
    );
    append(&access, "");
    append(&app, "");
    let device = Device::with(&[(
        "LOG_SOURCES",
        &format!(
            "file:{}?name=squid&format=squid,file:{},json",
            access.display(),
            app.display()
        ),
    )]);
    sources(&device, "both are followed", |sources| {
        sources.iter().all(|source| source["state"] == "following")
    });
    let line = "1066036250.129    465 192.168.0.4 TCP_DENIED/403 1234 CONNECT example.com:443 - HIER_NONE/- text/html";
    append(&access, &format!("{line}\n"));
    append(
        &app,
        "{\"level\":\"error\",\"msg\":\"no paper\",\"time\":\"2026-11-24T14:32:10.123Z\",\"tray\":2}\nplain\n",
    );
    sources(&device, "three lines", |sources| {
        sources[0]["entries"] == 1 && sources[1]["entries"] == 2
    });

    let squid = entries(&device, "squid").remove(0);
    assert_eq!(squid["message"], line);
    assert_eq!(squid["timestamp"], "2003-10-13T09:10:50.129Z");
    assert_eq!(squid["level"], "warn");
    assert_eq!(
        squid["fields"],
        json!({
            "client_ip": "192.168.0.4",
            "method": "CONNECT",
            "destination": "example.com:443",
            "status": 403,
            "bytes": 1234
        })
    );
    let app = entries(&device, "app");
    assert_eq!(app[0]["message"], "no paper");
    assert_eq!(app[0]["timestamp"], "2026-11-24T14:32:10.123Z");
    assert_eq!(app[0]["level"], "error");
    assert_eq!(app[0]["fields"], json!({"tray": 2}));
    assert_eq!(app[1]["message"], "plain");
    assert_eq!(app[1]["fields"], json!({}));
}

#[test]
fn a_pattern_notices_a_new_file_and_calls_it_by_its_own_name() {
    let folder = tempfile::tempdir().expect("a folder");
    append(&folder.path().join("app.log"), "from before\n");
    let pattern = folder.path().join("*.log").display().to_string();
    let device = Device::with(&[("LOG_SOURCES", &format!("file:{pattern}"))]);
    let found = sources(&device, "one file", |sources| sources[0]["files"] == 1);
    assert_eq!(found[0]["name"], pattern.as_str());
    assert_eq!(found[0]["state"], "following");

    append(&folder.path().join("new.log"), "first\n");
    append(&folder.path().join("app.log"), "next\n");
    append(&folder.path().join("new.log.1.gz"), "packed\n");
    sources(&device, "two lines of two files", |sources| {
        sources[0]["entries"] == 2 && sources[0]["files"] == 2
    });
    for (source, expected) in [("app", "next"), ("new.log", "first")] {
        let entries = entries(&device, source);
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(entries[0]["message"], expected);
    }
}

#[test]
fn a_source_that_cannot_be_read_does_not_keep_the_others_from_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = folder.path().join("app.log");
    append(&app, "");
    let device = Device::with(&[(
        "LOG_SOURCES",
        &format!(
            "file:{0}?name=folder,file:{1}/x?name=through,file:{1}",
            folder.path().display(),
            app.display()
        ),
    )]);
    let found = sources(&device, "the last is followed", |sources| {
        sources[2]["state"] == "following"
            && sources.iter().all(|source| source["state"] != "starting")
    });
    assert_eq!(found[0]["state"], "not a regular file");
    assert_eq!(found[1]["state"], "error");
    let error = found[1]["error"].as_str().expect("an error");
    assert!(error.contains("Not a directory"), "{error}");
    assert!(error.contains(&format!("{}/x", app.display())), "{error}");
    append(&app, "on\n");
    sources(&device, "its line", |sources| sources[2]["entries"] == 1);
}

#[test]
fn a_missing_file_is_reported_with_its_path() {
    crate::device::install_own_events();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("missing.log").display().to_string();
    let device = Device::with(&[("LOG_SOURCES", &format!("file:{path}?name=app"))]);
    let found = sources(&device, "it is waited for", |sources| {
        sources[0]["state"] == "waiting for the file"
    });
    assert_eq!(found[0]["place"], format!("file:{path}"));
    crate::eventually("the log says it", || {
        entries(&device, "postern&limit=10000").iter().any(|entry| {
            entry["fields"]["place"] == format!("file:{path}")
                && entry["fields"]["state"] == "waiting for the file"
        })
    });
    let logs = &get(&device, "/api/status")["logs"];
    assert_eq!(logs.get("warning"), None);
    assert!(!device.server().banner().contains("LOG_SOURCES"));
}

#[test]
fn that_no_log_is_followed_is_said() {
    let device = Device::start();
    let logs = &get(&device, "/api/status")["logs"];
    assert_eq!(logs["sources"], json!([]));
    let warning = logs["warning"].as_str().expect("a warning");
    assert!(warning.contains("LOG_SOURCES"), "{warning}");
    let banner = device.server().banner();
    assert!(banner.contains(warning), "{banner}");
}

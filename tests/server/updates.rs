//! News of updates, as clients see it.

#[path = "../../src/device/updates/tests/feed.rs"]
mod feed;

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::device::{Device, PASSWORD, USER, basic, install_own_events};
use feed::Feed;

/// What `/health` says, while it may change.
fn health_now(device: &Device) -> Value {
    device.get("/health", None).json()
}

/// What `/health` says, having looked that `/api/health` says the same.
fn health(device: &Device) -> Value {
    let health = health_now(device);
    assert_eq!(device.get("/api/health", None).json(), health);
    health
}

/// `updates` in `/api/status`.
fn updates(device: &Device) -> Value {
    let status = device.get("/api/status", Some(&basic(USER, PASSWORD)));
    status.json()["updates"].clone()
}

fn asking(feed: &Feed, path: &str) -> Device {
    let ca_file = feed.ca_file();
    Device::with(&[
        ("UPDATE_URL", &feed.url(path)),
        ("UPDATE_CA_FILE", ca_file.to_str().expect("UTF-8")),
    ])
}

const HEALTHY: &str = concat!(
    r#"{"status":"healthy","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

#[test]
fn without_news_health_says_nothing_of_updates() {
    let device = Device::start();
    let healthy: Value = serde_json::from_str(HEALTHY).expect("JSON");
    assert_eq!(health(&device), healthy);
    assert_eq!(updates(&device), json!({"state": "off"}));
}

#[test]
fn an_update_from_the_feed_is_told_by_health_the_status_and_one_line_of_the_log() {
    install_own_events();
    let body = br#"{"tag_name":"v99.1.0","html_url":"https://example.org/told-once"}"#;
    let feed = Feed::with(vec![("/u", "200 OK", body.to_vec())]);
    let device = asking(&feed, "/u");
    crate::eventually("an update", || {
        health_now(&device).get("update_available").is_some()
    });
    let health = health(&device);
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["update_available"], true);
    assert_eq!(health["update_version"], "99.1.0");
    assert_eq!(health["update_url"], "https://example.org/told-once");
    let updates = updates(&device);
    assert_eq!(updates["state"], "available");
    assert!(updates["checked_at"].is_string());
    assert_eq!(updates.get("error"), None);
    crate::eventually("it was asked again", || feed.heads().len() > 3);
    let told = device.entries().into_iter().filter(|entry| {
        entry["fields"]["url"] == "https://example.org/told-once" && entry["level"] == "info"
    });
    assert_eq!(told.count(), 1);
}

#[test]
fn bad_news_is_no_update_and_its_trouble_shows_no_secret() {
    let feed = Feed::with(vec![("/u?token=hush", "200 OK", b"[[[[[".to_vec())]);
    let device = asking(&feed, "/u?token=hush");
    crate::eventually("the trouble", || updates(&device)["state"] == "failing");
    let error = updates(&device)["error"].to_string();
    assert!(
        error.contains("UPDATE_URL") && error.contains("not the JSON"),
        "{error}"
    );
    assert!(!error.contains("hush"), "{error}");
    let (_, page) = device.ask_locally("GET", "/metrics");
    assert!(page.contains("\npostern_update_failing 1\n"), "{page}");
    let healthy: Value = serde_json::from_str(HEALTHY).expect("JSON");
    assert_eq!(health(&device), healthy);
}

#[test]
fn a_dropped_file_is_told_of_until_it_is_taken_away() {
    let device = Device::start();
    let file = device.state("update.json");
    fs::write(&file, r#"{"version":"99.2.0"}"#).expect("written");
    crate::eventually("an update", || {
        health_now(&device)["update_version"] == "99.2.0"
    });
    assert_eq!(health(&device).get("update_url"), None);
    fs::remove_file(&file).expect("removed");
    crate::eventually("no update", || {
        health_now(&device).get("update_available").is_none()
    });
    assert!(!file.exists(), "postern wrote it");
}

#[test]
fn nobody_waits_for_a_feed_that_hangs_not_even_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let feed = Feed::with(Vec::new());
    let url = format!("https://{}/u", silent.local_addr().expect("an address"));
    let ca_file = feed.ca_file();
    let mut device = Device::with(&[
        ("UPDATE_URL", &url),
        ("UPDATE_CA_FILE", ca_file.to_str().expect("UTF-8")),
    ]);
    let _asked = silent.accept().expect("a question");
    assert_eq!(updates(&device)["state"], "unknown");
    assert_eq!(health(&device)["status"], "healthy");
    // It would be waited for for an hour.
    device.stop();
}

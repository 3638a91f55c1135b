//! Addresses to listen on that are not there, or not yet.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::client::Client;
use crate::device::Device;

/// Documentation's (RFC 5737): no machine has it.
const NOWHERE: &str = "192.0.2.1:8443";

/// What everybody may know.
fn reasons(device: &Device) -> Value {
    device.get("/health", None).json()["reasons"].take()
}

/// What only the administrator may.
fn problems(device: &Device, bearer: &str) -> String {
    device.get("/api/status", Some(bearer)).json()["listen"].to_string()
}

#[test]
fn what_is_there_is_served_and_the_rest_once_it_comes() {
    let holder = TcpListener::bind("127.77.0.1:0").expect("an address");
    let late = holder.local_addr().expect("bound");
    let device = Device::with(&[("LISTEN", &format!("127.0.0.1:0,{late},{NOWHERE}"))]);
    assert_eq!(
        reasons(&device),
        json!(["an address of LISTEN is not there"])
    );
    let bearer = device.login().bearer();
    let said = problems(&device, &bearer);
    assert!(said.contains(&format!("{late} is in use by")), "{said}");
    assert!(said.contains(&std::process::id().to_string()), "{said}");
    assert!(
        said.contains("192.0.2.1:8443 is not an address of this machine"),
        "{said}"
    );
    assert_eq!(device.get("/readyz", None).status, 200);

    drop(holder);
    crate::eventually("the other address", || {
        !problems(&device, &bearer).contains(&late.to_string())
    });
    // All workers take clients in there.
    for _ in 0..8 {
        let mut client = Client::connect_named(late, &device.state("tls-cert.pem"), "localhost");
        assert_eq!(client.request("GET", "/health", None, None).status, 200);
    }
    assert!(problems(&device, &bearer).contains(NOWHERE));
    assert_eq!(
        reasons(&device),
        json!(["an address of LISTEN is not there"])
    );
}

#[test]
fn none_at_all_stops_the_start_and_each_is_named() {
    let holder = TcpListener::bind("127.77.0.2:0").expect("an address");
    let taken = holder.local_addr().expect("bound");
    let mut device = Device::start();
    device.stop();
    device.set("LISTEN", &format!("{taken},{NOWHERE}"));
    let refused = device.try_boot().expect_err("a refusal").to_string();
    assert!(refused.starts_with("LISTEN: "), "{refused}");
    assert!(
        refused.contains("in use by") && refused.contains("not an address of this machine"),
        "{refused}"
    );
    assert!(!refused.contains("1024"), "{refused}");
}

use serde_json::json;

use super::*;

#[test]
fn a_row_an_address() {
    assert_eq!(table(&json!({"data": []})), "no failed logins\n");
    let body = json!({"data": [
        {"ip": "192.168.1.7", "attempts": 5, "blocked": true, "retry_after": 299},
        {"ip": "fe80::%eth0/64", "attempts": 1, "blocked": false, "retry_after": 0},
    ]});
    let text = table(&body);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[1],
        ["192.168.1.7", "5", "locked", "out", "for", "299", "s"]
    );
    assert_eq!(rows[2], ["fe80::%eth0/64", "1", "counted"]);
}

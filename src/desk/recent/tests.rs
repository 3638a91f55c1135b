use super::*;
use serde_json::json;

#[test]
fn an_entry_is_judged_by_its_time_if_it_has_one() {
    let since = humantime::parse_rfc3339("2026-11-24T14:00:00Z").unwrap();
    for (time, shown) in [
        ("2026-11-24T14:00:00.000Z", true),
        ("2026-11-24T13:59:59.999Z", false),
        ("2027-01-01T00:00:00.000Z", true),
        ("lately", true),
    ] {
        assert_eq!(
            is_since(&json!({"timestamp": time}), since),
            shown,
            "{time}"
        );
    }
    assert!(is_since(&json!({}), since));
    let far = |arrived: &str| json!({"timestamp": "2099-01-01T00:00:00.000Z", "arrived": arrived});
    assert!(is_since(&far("2026-11-24T14:00:00.000Z"), since));
    assert!(!is_since(&far("2026-11-24T13:00:00.000Z"), since));
}

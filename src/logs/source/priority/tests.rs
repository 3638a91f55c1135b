use super::*;

#[test]
fn a_priority_is_a_level_and_a_facility() {
    for (priority, severity, name) in [
        (0, Level::Emerg, Value::from("kern")),
        (13, Level::Notice, Value::from("user")),
        (30, Level::Info, Value::from("daemon")),
        (165, Level::Notice, Value::from("local4")),
        (191, Level::Debug, Value::from("local7")),
        (193, Level::Alert, Value::from(24)),
    ] {
        assert_eq!(level(priority), severity, "{priority}");
        assert_eq!(facility(priority), name, "{priority}");
    }
}

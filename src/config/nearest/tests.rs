use super::*;

#[test]
fn slips_are_recognised_and_other_words_are_not() {
    let names = ["serve", "check", "hash-password", "health"];
    for (given, meant) in [
        ("sevre", Some("serve")),
        ("chek", Some("check")),
        ("HEALTH", Some("health")),
        ("hash_password", Some("hash-password")),
        ("frobnicate", None),
        ("", None),
    ] {
        assert_eq!(nearest(given, names), meant, "{given}");
    }
}

#[test]
fn a_name_without_end_is_not_measured() {
    assert_eq!(nearest(&"x".repeat(100_000), ["serve"]), None);
}

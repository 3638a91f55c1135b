use super::*;

#[test]
fn each_rule_has_its_own_refusal() {
    let rules = |password: &str| check_rules("operator-1", password);
    assert_eq!(rules("seven77"), Err(WeakPassword::TooShort));
    assert_eq!(rules("acht Ähm"), Ok(()));
    assert_eq!(rules(&"ä".repeat(36)), Err(WeakPassword::Notorious));
    assert_eq!(rules(&"xy".repeat(36)), Ok(()));
    assert_eq!(rules(&"xyz".repeat(25)), Err(WeakPassword::TooLong));
    assert_eq!(rules("Operator-1"), Err(WeakPassword::UserName));
    assert_eq!(rules("Password1"), Err(WeakPassword::Notorious));
    assert_eq!(rules("with\0nul in it"), Err(WeakPassword::Nul));
}

#[test]
fn the_measured_cost_comes_closest_to_a_quarter_of_a_second_within_its_bounds() {
    let at = |millis| cost_for(Duration::from_millis(millis));
    assert_eq!(at(0), 14);
    assert_eq!(at(2), 14);
    assert_eq!(at(5), 13);
    assert_eq!(at(8), 12);
    assert_eq!(at(15), 11);
    assert_eq!(at(31), 10);
    assert_eq!(at(1000), 10);
}

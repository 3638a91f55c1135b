use super::*;

#[test]
fn bcrypt_leaves_a_core_to_the_requests() {
    let at_once = [0, 1, 2, 3, 4, 64].map(bcrypts_on);
    assert_eq!(at_once, [1, 1, 1, 2, 2, 2]);
}

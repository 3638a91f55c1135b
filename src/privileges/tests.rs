use super::*;

#[test]
fn a_user_is_found_by_name_and_by_number_and_nobody_is_guessed() {
    let accounts = "root:x:0:0::/:/bin/sh\nbroken\npostern:x:990:991::/:/bin/false\n";
    let postern = UserAndGroup {
        user: 990,
        group: 991,
    };
    for typed in ["postern", "990", "990:991"] {
        assert_eq!(
            UserAndGroup::find_in(typed, accounts),
            Ok(postern),
            "{typed}"
        );
    }
    for typed in ["", "poster", "991", "990:", ":991", "postern:postern", "x"] {
        assert!(UserAndGroup::find_in(typed, accounts).is_err(), "{typed}");
    }
}

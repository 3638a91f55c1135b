use super::*;

#[test]
fn each_variable_stands_once_and_is_explained_on_one_line() {
    for (index, variable) in VARIABLES.iter().enumerate() {
        assert!(
            !variable.help.is_empty() && !variable.help.contains('\n'),
            "{}",
            variable.name
        );
        let first = VARIABLES.iter().position(|v| v.name == variable.name);
        assert_eq!(first, Some(index), "{} stands twice", variable.name);
    }
}

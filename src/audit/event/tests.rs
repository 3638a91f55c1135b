use super::*;

#[test]
fn each_kind_is_counted_in_its_own_place() {
    for (place, kind) in EventKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, place, "{}", kind.name());
    }
}

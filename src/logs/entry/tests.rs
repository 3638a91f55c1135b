use super::*;

#[test]
fn levels_are_named_as_in_the_contract_and_known_by_their_other_names() {
    for level in [
        Level::Debug,
        Level::Info,
        Level::Notice,
        Level::Warn,
        Level::Error,
        Level::Crit,
        Level::Alert,
        Level::Emerg,
    ] {
        assert_eq!(Level::parse(level.name()), Some(level));
        assert_eq!(
            serde_json::to_string(&level).unwrap(),
            format!("\"{level}\"")
        );
        assert_eq!(Level::parse(&level.severity().to_string()), Some(level));
        assert_eq!(Level::from_severity(level.severity()), level);
    }
    assert_eq!(Level::parse("WARNING"), Some(Level::Warn));
    assert_eq!(Level::parse("err"), Some(Level::Error));
    assert_eq!(Level::parse("critical"), Some(Level::Crit));
    assert_eq!(Level::parse("panic"), Some(Level::Emerg));
    assert_eq!(Level::parse("trace"), Some(Level::Debug));
    assert_eq!(Level::parse("loud"), None);
    assert!(Level::Emerg > Level::Debug);
}

fn entry(message: String) -> NewEntry {
    NewEntry::new("app".into(), Level::Info, Timestamp::default(), message)
}

#[test]
fn a_message_over_its_bound_is_cut_at_a_character_and_marked() {
    let mut new = entry("ä".repeat(40_000));
    new.bound();
    assert_eq!(new.message.len(), MAX_MESSAGE_BYTES);
    assert_eq!(new.fields["truncated"], true);
    assert_eq!(new.fields["bytes"], 80_000);

    let mut new = entry("a".repeat(MAX_MESSAGE_BYTES));
    new.bound();
    assert_eq!(new.message.len(), MAX_MESSAGE_BYTES);
    assert!(new.fields.is_empty());
}

#[test]
fn a_message_of_control_characters_is_cut_by_what_it_becomes() {
    let mut new = entry("\u{1}".repeat(MAX_MESSAGE_BYTES));
    new.bound();
    let text = serde_json::to_string(&new.message).unwrap();
    assert!(text.len() <= MAX_ESCAPED_BYTES + 2);
    assert!(text.len() > MAX_ESCAPED_BYTES - 8);
    assert_eq!(new.fields["truncated"], true);
}

#[test]
fn fields_over_their_bound_are_left_out_and_that_is_marked() {
    let mut new = entry("short".into());
    new.fields
        .insert("blob".into(), Value::from("x".repeat(MAX_FIELDS_BYTES)));
    new.bound();
    assert_eq!(
        Value::Object(new.fields),
        serde_json::json!({"truncated": true})
    );
    assert_eq!(new.message, "short");
}

use super::*;

#[test]
fn a_value_is_read_as_the_library_reads_it() {
    for text in [
        r#" {"a":[1,-2,1.5,1e3,true,null,"\u00e9\n",{}],"b":{"a":18446744073709551615}} "#,
        "[]",
        "3",
        "\"x\"",
        "-9223372036854775808",
        "123456789012345678901234567890",
    ] {
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }
    for text in [
        "",
        "{",
        "{} {}",
        "[1,]",
        "{\"a\"}",
        "\"\\ud800\"",
        "nul",
        "1e999",
    ] {
        assert!(!parse(text.as_bytes()).unwrap_err().is_data(), "{text}");
    }
    assert!(parse("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn a_member_given_twice_is_an_error_at_its_place() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"b":[0,{"a":1,"c":{},"a":null}]}"#,
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(error.is_data(), "{text}");
        assert_eq!(error.line(), 1);
        assert!(error.column() > 8, "{error}");
    }
    assert!(parse(br#"{"a":1,"A":1,"b":{"a":1}}"#).is_ok());
}

use super::*;

fn offered(text: &str) -> Option<(String, Option<String>)> {
    parse(text.as_bytes())
        .expect(text)
        .map(|r| (r.version.to_string(), r.url.map(|u| u.as_str().to_owned())))
}

#[test]
fn both_shapes_are_understood() {
    let url = |url: &str| Some(url.to_owned());
    for (text, version, link) in [
        (
            r#" {"url":"https://api.github.com/x","html_url":"https://github.com/p/p/releases/tag/v1.2.3","tag_name":"v1.2.3","draft":false,"prerelease":false,"assets":[{"a":[1e999,{}]}],"body":null}"#,
            "1.2.3",
            url("https://github.com/p/p/releases/tag/v1.2.3"),
        ),
        (
            r#"{"version":"0.2.0","url":"https://example.org/p","notes":["any"]}"#,
            "0.2.0",
            url("https://example.org/p"),
        ),
        (r#"{"version":"v0.2.0-rc.1+a"}"#, "0.2.0-rc.1+a", None),
        (
            r#"{"version":"0.2.0","url":"http://example.org/p"}"#,
            "0.2.0",
            None,
        ),
        (
            r#"{"version":"0.2.0","url":"javascript:alert(1)"}"#,
            "0.2.0",
            None,
        ),
        (
            r#"{"version":"0.2.0","url":"https://a/\nSet-Cookie:x"}"#,
            "0.2.0",
            None,
        ),
    ] {
        assert_eq!(offered(text), Some((version.to_owned(), link)), "{text}");
    }
    for unfinished in ["draft", "prerelease"] {
        assert_eq!(
            offered(&format!(r#"{{"tag_name":"v9.0.0","{unfinished}":true}}"#)),
            None
        );
    }
}

#[test]
fn what_is_hostile_broken_or_no_manifest_is_an_error() {
    let deep = format!(r#"{{"version":{}"#, "[".repeat(100_000));
    let deep_elsewhere = format!(r#"{{"x":{}"#, "[".repeat(100_000));
    let long = format!(r#"{{"version":"1.2.3+{}"}}"#, "a".repeat(100));
    for text in [
        "",
        " ",
        "{",
        "null",
        "[]",
        "1",
        "<html>",
        "{}",
        r#"["v9.9.9",null,null,null,false,false]"#,
        r#"{"version":"1.2.3""#,
        r#"{"version":"1.2.3"} x"#,
        r#"{"version":1.2}"#,
        r#"{"version":"1.2"}"#,
        r#"{"version":"../../etc/passwd"}"#,
        r#"{"version":"1.2.3\u0000"}"#,
        r#"{"version":"1.2.3 "}"#,
        r#"{"version":"vv1.2.3"}"#,
        r#"{"version":"99999999999999999999999999.0.0"}"#,
        r#"{"version":"1.2.3","version":"1.2.4"}"#,
        r#"{"tag_name":"v1.2.3","draft":"no"}"#,
        r#"{"message":"Not KnownUpdates"}"#,
        "{\"version\":\"1.2.3\0\"}",
        "\u{feff}{\"version\":\"1.2.3\"}",
        &deep,
        &deep_elsewhere,
        &long,
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text:.60}");
    }
    assert!(parse(b"{\"version\":\"1.2.3\",\"url\":\"\xff\"}").is_err());
}

#[test]
fn only_what_is_later_is_an_update_and_a_pre_release_only_for_one() {
    for (current, offered, update) in [
        ("0.1.0", "0.1.1", true),
        ("0.1.0", "0.10.0", true),
        ("0.9.0", "0.10.0", true),
        ("0.1.0", "0.1.0", false),
        ("0.1.0", "0.1.0+build", false),
        ("0.2.0", "0.1.9", false),
        ("0.1.0", "0.2.0-rc.1", false),
        ("0.2.0-rc.1", "0.2.0-rc.2", true),
        ("0.2.0-rc.2", "0.2.0-rc.10", true),
        ("0.2.0-rc.1", "0.2.0", true),
        ("0.2.0", "0.2.0-rc.2", false),
    ] {
        let version = |text| Version::parse(text).expect("a version");
        assert_eq!(
            is_update(&version(current), &version(offered)),
            update,
            "{current} {offered}"
        );
    }
}

use std::time::Instant;

use super::super::STACK;
use super::*;

fn line(text: &str) -> TextLine {
    TextLine {
        text: text.into(),
        cut_from: None,
    }
}

#[test]
fn auto_takes_each_line_for_what_it_is() {
    let squid = "1066036250.129 465 192.168.0.4 TCP_MISS/200 1234 GET http://a/ - DIRECT/1 -";
    let fields = |text: &str, format| event(line(text), format).fields.len();
    assert_eq!(fields(r#"{"a":1,"b":2}"#, LineFormat::Auto), 2);
    assert_eq!(fields(squid, LineFormat::Auto), 5);
    for text in ["", "plain", "{", "{a}", "1066036250.129 plain", "[1]"] {
        let event = event(line(text), LineFormat::Auto);
        assert_eq!((event.message.as_str(), event.fields.len()), (text, 0));
    }
    assert_eq!(fields(squid, LineFormat::Json), 0);
    assert_eq!(fields(r#"{"a":1}"#, LineFormat::Squid), 0);
    assert_eq!(fields(r#"{"a":1}"#, LineFormat::Raw), 0);
}

#[test]
fn a_cut_line_is_raw_and_marked_in_every_format() {
    for format in [LineFormat::Auto, LineFormat::Json, LineFormat::Squid] {
        let cut = TextLine {
            text: r#"{"msg":"x"}"#.into(),
            cut_from: Some(70_000),
        };
        let event = event(cut, format);
        assert_eq!(event.message, r#"{"msg":"x"}"#);
        assert_eq!(event.fields["bytes"], 70_000);
    }
}

#[test]
fn the_deepest_object_fits_a_sources_stack() {
    let depth = 126;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let wide = format!("{}1{}", "{\"a\":".repeat(127), "}".repeat(127));
    let run = move || {
        for text in [deep, wide] {
            let event = event(line(&text), LineFormat::Json);
            assert_eq!(event.fields.len(), 1);
            let copy = event.fields.clone();
            assert!(serde_json::to_vec(&copy).is_ok());
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(run).unwrap().join().unwrap();
}

#[test]
fn no_line_takes_long_or_panics_however_it_is_made() {
    let depth = 64 * 1024;
    let many: Vec<_> = (0..9_000).map(|n| format!("\"{n}\":1")).collect();
    let many = many.join(",");
    let lines = [
        "{".repeat(depth),
        "{\"a\":".repeat(depth / 5),
        format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)),
        format!("{{\"a\":{}}}", "9".repeat(depth)),
        format!("{{\"a\":1{}}}", "0".repeat(400)),
        r#"{"a":1e999,"b":NaN}"#.into(),
        r#"{"a":NaN}"#.into(),
        r#"{"a":"\ud800"}"#.into(),
        "{\"a\":\"\u{0}\"}".into(),
        format!("{{{many}}}"),
        "1".repeat(depth),
        "1.".repeat(depth / 2),
        "1 ".repeat(depth / 2),
        format!("9999999999999999999999.129 {}", "9 ".repeat(99)),
    ];
    let begun = Instant::now();
    for text in lines {
        for format in [LineFormat::Auto, LineFormat::Json, LineFormat::Squid] {
            assert!(!event(line(&text), format).message.is_empty());
        }
    }
    assert!(begun.elapsed().as_secs() < 5);
}

//! A line to an [`Event`], by the format that `LOG_SOURCES` names for it.
//!
//! A line that is not in its format is a message as it stands: no line is lost for its form.

use std::str::FromStr;

use super::Event;
use super::line::Line;
use crate::clock::Timestamp;
use crate::config::LineFormat;

mod json;
mod squid;

/// What the line says. A line that was cut is not looked into: its end is missing.
pub(super) fn event(line: Line, format: LineFormat) -> Event {
    if line.cut_from.is_some() {
        return line.into();
    }
    let found = match format {
        LineFormat::Raw => None,
        LineFormat::Json => json::event(&line.text),
        LineFormat::Squid => squid::event(&line.text),
        // The first byte tells most lines from both.
        LineFormat::Auto => match line.text.as_bytes().first() {
            Some(b'{') => json::event(&line.text),
            Some(b'0'..=b'9') => squid::event(&line.text),
            _ => None,
        },
    };
    match found {
        Some(mut event) => {
            if event.message.is_empty() {
                event.message = line.text;
            }
            event
        }
        None => line.into(),
    }
}

/// A time that a line may be believed: from 2000 to 9999. An earlier one comes from a clock that was never set, or
/// is no time of day but one since a start; when the line was read is nearer the truth then.
fn believable(millis: i128) -> Option<Timestamp> {
    let millis = u64::try_from(millis).ok()?;
    (EARLIEST..=LATEST)
        .contains(&millis)
        .then(|| Timestamp::from_millis(millis))
}

/// A whole number written in decimal digits and nothing else; `FromStr` alone would let a sign pass.
fn digits<N: FromStr>(text: &str) -> Option<N> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

/// 2000-01-01, in milliseconds since the epoch.
const EARLIEST: u64 = 946_684_800_000;

/// The last millisecond of the year 9999: RFC 3339 has no later one.
const LATEST: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::STACK;
    use super::*;

    fn line(text: &str) -> Line {
        Line {
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
            let cut = Line {
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
}

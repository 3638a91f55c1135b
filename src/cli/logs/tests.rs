//! The words behind `postern logs`, and what is said of them.

use std::time::Duration;

use super::*;
use crate::cli::parse;

fn options(words: &[&str]) -> Result<LogsOptions, String> {
    let words = ["logs"].iter().chain(words);
    parse(words)
        .and_then(|invocation| super::options(&invocation.arguments))
        .map_err(|error| error.to_string())
}

#[test]
fn the_documented_line_means_what_it_says() {
    let line =
        "https://board:8443 --user admin --follow --since 10m --source squid --level warn --json";
    let words: Vec<&str> = line.split(' ').chain(["--grep", "a&b ü"]).collect();
    let all = options(&words).unwrap();
    assert_eq!(all.board.to_string(), "board:8443");
    assert!(all.follow && all.json && all.save && !all.sign_out);
    assert_eq!(all.since, Some(Duration::from_secs(600)));
    assert_eq!(all.filters(), "&source=squid&level=warn&q=a%26b+%C3%BC");
    let few = options(&["-f", "-n", "0", "board", "--no-save", "--color=never"]).unwrap();
    assert_eq!((few.user.as_str(), few.lines), ("admin", 0));
    assert!(!few.save && few.color == ColorChoice::Never);
    assert_eq!(options(&["board"]).unwrap().lines, 100);
    assert_eq!(few.filters(), "");
}

#[test]
fn what_is_not_understood_is_said_before_anybody_is_asked() {
    for (words, why) in [
        (&[][..], "wants a board"),
        (&["http://board"], "http://"),
        (&["board", "--since", "10"], "--since \"10\" has no unit"),
        (&["board", "--since", "10m", "-n", "5"], "give one"),
        (&["board", "--lines", "10001"], "--lines takes"),
        (&["board", "--lines", "-1"], "--lines takes"),
        (&["board", "--level", "loud"], "--level must be debug, info"),
        (&["board", "--color", "red"], "--color takes"),
        (&["board", "--fingerprint", "AA:BB"], "64 hexadecimal"),
        (&["board", "--user", ""], "--user begins"),
        (&["board", "--sinc", "1m"], "did you mean --since?"),
    ] {
        let error = options(words).unwrap_err();
        assert!(error.contains(why), "{words:?}: {error}");
    }
    let long = "x".repeat(300);
    let error = options(&["board", "--grep", &long]).unwrap_err();
    assert!(error.starts_with("--grep is longer than"), "{error}");
}

#[test]
fn a_password_among_the_words_is_refused_and_not_repeated() {
    for words in [
        &["https://admin:hunter22@board"][..],
        &["board", "hunter22"],
        &["board", "--user", "admin:hunter22"],
        &["board", "--password", "hunter22"],
        &["board", "--password=hunter22"],
        &["board", "--follow=hunter22"],
    ] {
        let error = options(words).unwrap_err();
        assert!(!error.contains("hunter22"), "{words:?}: {error}");
    }
}

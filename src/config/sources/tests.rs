use super::*;

fn named(value: &str) -> Vec<String> {
    let sources = parse(value).unwrap_or_else(|error| panic!("{value}: {error}"));
    assert_eq!(problems(&sources).count(), 0, "{value}");
    sources.iter().map(|s| s.name().to_owned()).collect()
}

fn formats(value: &str) -> Vec<LineFormat> {
    let sources = parse(value).unwrap_or_else(|error| panic!("{value}: {error}"));
    let formats = sources.iter().filter_map(|source| match source {
        LogSource::File { format, .. } | LogSource::Files { format, .. } => Some(*format),
        _ => None,
    });
    formats.collect()
}

#[test]
fn a_source_is_called_after_its_file_unless_it_is_named() {
    for (value, names) in [
        ("file:/var/log/squid/access.log", vec!["access"]),
        ("file:/var/log/syslog", vec!["syslog"]),
        ("file:/var/log/a.log?name=squid", vec!["squid"]),
        ("file:/a.log?format=raw&name=b", vec!["b"]),
        ("stdin, file:/a.log ,", vec!["stdin", "a"]),
        ("file:/x/my log.txt?name=my-log", vec!["my-log"]),
        ("file:/var/log/*.log", vec!["/var/log/*.log"]),
        ("file:/var/log/?.log?name=all", vec!["all"]),
        ("journald,kmsg", vec!["journald", "kmsg"]),
        ("syslog:/run/s", vec!["syslog"]),
        (
            "syslog:udp:127.0.0.1:5514?name=lan,syslog:udp:[::1]:5514",
            vec!["lan", "syslog"],
        ),
        (
            "syslog:/run/log.sock,syslog:udp:127.0.0.1:5514",
            vec!["syslog", "syslog-2"],
        ),
        ("", vec![]),
    ] {
        assert_eq!(named(value), names, "{value}");
    }
}

#[test]
fn a_format_stands_in_the_options_or_behind_the_comma() {
    use LineFormat::{Auto, Json, Raw, Squid};
    for (value, expected) in [
        ("file:/a", vec![Auto]),
        ("file:/a?format=squid&name=x", vec![Squid]),
        ("file:/a,json,file:/b", vec![Json, Auto]),
        ("file:/var/log/*.log,raw", vec![Raw]),
        ("file:/var/log/?.log?format=json", vec![Json]),
    ] {
        assert_eq!(formats(value), expected, "{value}");
    }
}

#[test]
fn a_pattern_is_told_from_options() {
    let sources = parse("file:/var/log/?.log,file:/var/log/a[0-9].log?name=n").unwrap();
    let patterns: Vec<_> = sources.iter().map(ToString::to_string).collect();
    assert_eq!(
        patterns,
        ["file:/var/log/?.log", "file:/var/log/a[0-9].log"]
    );
}

#[test]
fn what_is_no_source_is_refused_with_what_would_be_right() {
    let long = format!("file:/a?name={}", "x".repeat(65));
    let deep = format!("syslog:/{}", "x".repeat(110));
    for (value, word) in [
        ("jurnald", "did you mean journald?"),
        (
            "dmesg",
            "a log source; write file:/path, journald, kmsg, syslog:/path",
        ),
        ("journald:", "not a log source"),
        ("kmsg:/dev/kmsg", "not a log source"),
        ("syslog", "syslog:udp:127.0.0.1:5514"),
        ("syslog:udp:localhost:514", "syslog:udp:127.0.0.1:5514"),
        ("syslog:udp:127.0.0.1", "syslog:udp:127.0.0.1:5514"),
        ("syslog:relative", "syslog:udp:127.0.0.1:5514"),
        ("syslog:/run/s?format=raw", "write name=NAME"),
        (&deep, "at most"),
        ("/var/log/syslog", "file:/path"),
        ("json", "file:/path"),
        ("file:", "file:/path"),
        ("file:relative.log", "file:/path"),
        ("file:/var/log/", "file:/path"),
        ("file:/var/log/a[.log", "a[.log"),
        ("file:/var/log/[a/b].log", "[a/b].log"),
        ("file:/a?format=xml", "raw, json, squid or auto"),
        ("file:/a?colour=red", "name=NAME"),
        ("file:/a?name=", "?name=NAME"),
        ("file:/a?name=a b", "?name=NAME"),
        (&long, "?name=NAME"),
        ("file:/var/log/my log.txt", "?name=NAME"),
        ("file:/postern.log", "own events"),
        ("file:/a?name=postern", "own events"),
    ] {
        let error = parse(value).unwrap_err();
        assert!(error.contains(word), "{value}: {error}");
    }
}

#[test]
fn one_wrong_entry_does_not_stop_the_others_and_is_named() {
    for (value, wrong, word) in [
        ("jurnald,stdin", 0, "jurnald"),
        ("file:/a/x.log,file:/b/x.log", 1, "another name"),
        ("stdin,stdin", 1, "named twice"),
        ("syslog:/run/a,syslog:/run/a", 1, "named twice"),
        (
            "file:/var/log/syslog,syslog:/run/a",
            1,
            "as syslog:/path?name",
        ),
        ("syslog:/a,syslog:/b?name=syslog", 1, "as syslog:/path?name"),
        ("file:/stdin.log,stdin", 1, "another source"),
        ("stdin,file:/stdin.log", 1, "as file:/path?name"),
        (
            "syslog:/run/a?name=x,syslog:/run/b?name=x",
            1,
            "as syslog:/path?name",
        ),
        ("stdin,json", 1, "json"),
    ] {
        let sources = parse(value).unwrap();
        assert_eq!(sources.len(), 2, "{value}");
        let LogSource::Unusable { problem, .. } = &sources[wrong] else {
            panic!("{value}: {sources:?}");
        };
        assert!(problem.contains(word), "{value}: {problem}");
    }
}

#[test]
fn every_wrong_entry_is_named() {
    let error = parse("jurnald,nonsense").unwrap_err();
    assert!(error.contains("jurnald") && error.contains("nonsense"));
}

#[test]
fn there_is_an_end_to_the_sources() {
    let many: Vec<String> = (0..99).map(|n| format!("file:/log/{n}")).collect();
    let sources = parse(&many.join(",")).unwrap();
    assert_eq!(sources.len(), MAX_SOURCES + 1);
    assert!(problems(&sources).next().unwrap().contains("more than 32"));
}

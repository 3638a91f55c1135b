use super::*;
use crate::cli::tests::with_terminal;

fn audit(folder: &std::path::Path, verify: bool, json: bool) -> (u8, String, String) {
    let folder = Some(folder.to_owned());
    let lines = (!verify).then_some(DEFAULT_LINES);
    with_terminal(b"", |terminal| {
        run(lines, json, folder, || unreachable!(), terminal).unwrap()
    })
}

#[test]
fn what_was_folded_is_told_behind_the_entry_that_stands_for_it() {
    let line = r#"{"seq":7,"time":"t","event":"login","outcome":"ok","user":"admin","repeated":311,"prev":"x"}"#;
    let text = entries(&[line.to_owned()], false);
    assert_eq!(
        text,
        "t login            ok  user=admin (and 311 more like it)\n"
    );
}

/// A log of two entries, as the server writes them.
fn log() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let time = std::sync::Arc::new(crate::clock::SystemTimeSource::new());
    let clock = std::sync::Arc::new(crate::clock::Clock::new(time, None));
    let audit = audit::Audit::open(folder.path(), 65_536, clock, false).unwrap();
    let event = audit::Event {
        user: audit::User::Account("o\u{202e}wner"),
        ..audit::Event::default()
    };
    audit.record(audit::EventKind::Login, &event);
    audit.record(audit::EventKind::Stop, &audit::Event::default());
    audit.stop();
    folder
}

#[test]
fn a_whole_log_is_0_and_says_what_to_keep() {
    let folder = log();
    let (status, out, _) = audit(folder.path(), true, false);
    assert_eq!(status, 0);
    assert!(
        out.starts_with("whole") && out.contains("\n  last ") && !out.contains("rotated"),
        "{out}"
    );
    let (status, out, _) = audit(folder.path(), true, true);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &answer["whole"]), (0, &Value::Bool(true)));
    assert_eq!(answer["hash"].as_str().map(str::len), Some(64));
    assert_eq!(answer["problems"], Value::Array(Vec::new()));
}

#[test]
fn a_broken_one_is_1_and_names_the_place() {
    let folder = log();
    let path = folder.path().join(audit::NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("login", "logon", 1)).unwrap();
    let (status, out, _) = audit(folder.path(), true, false);
    assert!(status == 1 && out.contains("audit.log, line 2: "), "{out}");
    let (status, out, _) = audit(folder.path(), true, true);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (status, &answer["problems"][0]["line"]),
        (1, &Value::from(2))
    );
}

#[test]
fn entries_are_a_line_each_and_drive_no_terminal() {
    let folder = log();
    let (status, out, _) = audit(folder.path(), false, false);
    assert_eq!((status, out.lines().count()), (0, 2));
    assert!(
        out.contains(" login ") && out.contains(" user=o\\u{202e}wner"),
        "{out}"
    );
    let (_, out, _) = audit(folder.path(), false, true);
    let file = std::fs::read_to_string(folder.path().join(audit::NAME)).unwrap();
    assert_eq!(out, file);
    let last = with_terminal(b"", |terminal| {
        let folder = Some(folder.path().to_owned());
        run(Some(1), true, folder, || unreachable!(), terminal).unwrap()
    });
    assert!(file.ends_with(&last.1) && last.1.lines().count() == 1);
}

#[test]
fn none_is_2() {
    let folder = tempfile::tempdir().unwrap();
    for verify in [false, true] {
        let (status, out, err) = audit(folder.path(), verify, false);
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(err.contains("there"), "{err}");
    }
}

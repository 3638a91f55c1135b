use std::os::unix::fs::PermissionsExt;

use super::*;

fn value_of(line: &str) -> Option<String> {
    let file = EnvFile::parse(line, "f");
    assert!(file.problems.is_empty(), "{line}: {:?}", file.problems);
    file.entries.first().map(|entry| entry.value.to_string())
}

#[test]
fn values_are_taken_as_they_stand() {
    for (line, value) in [
        ("LISTEN=a", Some("a")),
        ("  LISTEN = a b \r", Some("a b")),
        ("export LISTEN=a", Some("a")),
        ("export\tLISTEN=a", Some("a")),
        ("LISTEN=", Some("")),
        ("LISTEN=\"\"", Some("")),
        ("LISTEN=' a '", Some(" a ")),
        ("LISTEN=\"it's\"", Some("it's")),
        ("LISTEN='say \"x\"'", Some("say \"x\"")),
        ("LISTEN=pa$$word${X}\\n", Some("pa$$word${X}\\n")),
        ("LISTEN=\"$HOME\\n\"", Some("$HOME\\n")),
        ("LISTEN=a=b==", Some("a=b==")),
        ("LISTEN=a#b", Some("a#b")),
        ("LISTEN=it's", Some("it's")),
        ("\u{feff}LISTEN=a", Some("a")),
        ("# LISTEN=a", None),
        ("", None),
    ] {
        assert_eq!(value_of(line).as_deref(), value, "{line:?}");
    }
}

#[test]
fn a_line_that_is_none_is_named_but_never_shown() {
    for line in [
        "hunter22",
        "hunter22 hunter22=x",
        "=hunter22",
        "9hunter22=x",
        "LISTEN=\"hunter22",
        "LISTEN='hunter22' hunter22",
        "LISTEN=\"a\"hunter22\"",
    ] {
        let file = EnvFile::parse(&format!("\n{line}\n"), "/etc/p.env");
        assert_eq!(file.problems.len(), 1, "{line}");
        let message = file.problems[0].to_string();
        assert!(message.contains("/etc/p.env, line 2"), "{message}");
        assert!(!message.contains("hunter22"), "{message}");
    }
}

#[test]
fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
    let file = EnvFile::parse("LISEN=x\nlog_level=x\nNONSENSE_OF_MINE=x\nq0Zpk3y=x", "f");
    assert!(file.problems.is_empty());
    let expected = [
        "f, line 1: postern does not know LISEN; did you mean LISTEN?",
        "f, line 3: postern does not know NONSENSE_OF_MINE",
        "f, line 4: postern does not know this variable",
    ];
    assert_eq!(file.warnings[0], expected[0]);
    assert!(file.warnings[1].ends_with("did you mean LOG_LEVEL?"));
    assert_eq!(file.warnings[2..], expected[1..]);
}

#[test]
fn the_last_of_two_counts_and_both_lines_are_named() {
    let file = EnvFile::parse("LISTEN=a\nLISTEN=b", "f");
    assert_eq!(file.entries.len(), 1);
    assert_eq!(*file.entries[0].value, "b");
    assert!(file.warnings[0].contains("line 1") && file.warnings[0].contains("line 2"));
}

#[test]
fn a_comment_behind_a_value_is_pointed_out() {
    let file = EnvFile::parse("WORKERS=2 # two\nLISTEN='a # b'", "f");
    assert_eq!(*file.entries[0].value, "2 # two");
    assert_eq!(file.warnings.len(), 1, "{:?}", file.warnings);
}

#[test]
fn settings_are_roots_and_only_postern_reads_them_besides() {
    let rights = |owner, group, mode| FileRights { owner, group, mode };
    for good in [
        rights(0, 990, 0o640),
        rights(0, 990, 0o750),
        rights(0, 0, 0o600),
        rights(0, 0, 0o660),
    ] {
        assert!(good.is_roots_alone(), "{:o}", good.mode);
    }
    for bad in [
        rights(990, 990, 0o600),
        rights(0, 990, 0o660),
        rights(0, 990, 0o770),
        rights(0, 0, 0o644),
        rights(0, 0, 0o755),
        rights(0, 0, 0o602),
    ] {
        assert!(!bad.is_roots_alone(), "{} {:o}", bad.owner, bad.mode);
    }
}

#[test]
fn a_huge_or_binary_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    for (content, word) in [
        (vec![b'#'; 70_000], "larger"),
        (b"A=1\nB=\xff\n".to_vec(), "line 2"),
    ] {
        std::fs::write(&path, content).unwrap();
        let file = EnvFile::read(&path).unwrap();
        let message = file.problems[0].to_string();
        assert!(message.contains(word), "{message}");
        assert!(message.contains(&path.display().to_string()));
    }
    assert!(EnvFile::read(&folder.path().join("none")).is_none());
    assert_eq!(EnvFile::read(folder.path()).unwrap().problems.len(), 1);
}

#[test]
fn a_secret_that_everybody_can_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    std::fs::write(&path, "BASIC_AUTH_PASSWORD=hunter22\n").unwrap();
    for (mode, warnings) in [(0o644, 1), (0o600, 0)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let file = EnvFile::read(&path).unwrap();
        assert_eq!(file.warnings.len(), warnings, "{mode:o}");
        assert!(!format!("{:?}", file.warnings).contains("hunter22"));
    }
}

use super::*;

fn journal(action: JournalAction, file: Option<&str>) -> Command {
    Command::Journal {
        action,
        file: file.map(PathBuf::from),
    }
}

fn cert(action: CertAction, json: bool) -> Command {
    Command::Cert { action, json }
}

fn command_of(words: &str) -> Command {
    parse(words.split_whitespace())
        .unwrap_or_else(|error| panic!("{words}: {error}"))
        .command
}

#[expect(clippy::too_many_lines, reason = "one table")]
#[test]
fn the_documented_lines_mean_what_they_say() {
    let socket = Some(PathBuf::from("/s"));
    for (words, command) in [
        ("", Command::Serve),
        ("serve", Command::Serve),
        ("check", Command::Check { certificate: true }),
        (
            "check --skip-certificate",
            Command::Check { certificate: false },
        ),
        ("hash-password", Command::HashPassword { cost: 12 }),
        ("hash-password --cost 5", Command::HashPassword { cost: 5 }),
        (
            "hash-password --cost=31",
            Command::HashPassword { cost: 31 },
        ),
        ("health", Command::Health { socket: None }),
        ("health --socket /s", Command::Health { socket }),
        (
            "status --json",
            Command::Status {
                socket: None,
                json: true,
            },
        ),
        (
            "cve --json --socket /s",
            Command::Cve {
                socket: Some("/s".into()),
                json: true,
            },
        ),
        ("passwd", Command::Passwd { socket: None }),
        ("cert", cert(CertAction::Show, false)),
        ("cert --json", cert(CertAction::Show, true)),
        ("cert renew", cert(CertAction::Renew, false)),
        ("cert --json renew", cert(CertAction::Renew, true)),
        ("help cert", Command::Help(Some(CommandId::Cert))),
        ("help cert renew", Command::Help(Some(CommandId::CertRenew))),
        ("cert renew -h", Command::Help(Some(CommandId::CertRenew))),
        (
            "lockouts",
            Command::Lockouts {
                socket: None,
                clear: None,
            },
        ),
        (
            "lockouts clear ::1",
            Command::Lockouts {
                socket: None,
                clear: "::1".parse().ok(),
            },
        ),
        (
            "journal stat",
            journal(JournalAction::Stat { json: false }, None),
        ),
        (
            "journal stat --json /j",
            journal(JournalAction::Stat { json: true }, Some("/j")),
        ),
        (
            "audit --json",
            Command::Audit {
                lines: Some(100),
                json: true,
                folder: None,
            },
        ),
        (
            "audit -n 7 /state",
            Command::Audit {
                lines: Some(7),
                json: false,
                folder: Some(PathBuf::from("/state")),
            },
        ),
        (
            "audit verify /mnt/state",
            Command::Audit {
                lines: None,
                json: false,
                folder: Some(PathBuf::from("/mnt/state")),
            },
        ),
        ("journal verify", journal(JournalAction::Verify, None)),
        (
            "journal verify journal",
            journal(JournalAction::Verify, Some("journal")),
        ),
        ("journal dump /j", journal(JournalAction::Dump, Some("/j"))),
        ("journal compact", journal(JournalAction::Compact, None)),
        (
            "journal repair --yes",
            journal(JournalAction::Repair { yes: true }, None),
        ),
        (
            "help journal dump",
            Command::Help(Some(CommandId::JournalDump)),
        ),
        (
            "journal verify -h",
            Command::Help(Some(CommandId::JournalVerify)),
        ),
        ("journal --help", Command::HelpJournal),
        ("--help journal", Command::HelpJournal),
        ("help journal", Command::HelpJournal),
        ("sbom", Command::Sbom),
        ("--version", Command::Version),
        ("-V", Command::Version),
        ("version", Command::Version),
        ("serve -V", Command::Version),
        ("--generate man", Command::Generate(Document::Man)),
        (
            "--generate=complete-zsh",
            Command::Generate(Document::CompleteZsh),
        ),
        ("--help", Command::Help(None)),
        ("-h", Command::Help(None)),
        ("help", Command::Help(None)),
        ("help check", Command::Help(Some(CommandId::Check))),
        ("check --help", Command::Help(Some(CommandId::Check))),
        ("health -h", Command::Help(Some(CommandId::Health))),
    ] {
        assert_eq!(command_of(words), command, "postern {words}");
    }
}

#[test]
fn the_env_file_may_stand_before_the_command_or_behind() {
    for words in [
        "--env-file /f check",
        "check --env-file /f",
        "check --env-file=/f",
    ] {
        let invocation = parse(words.split_whitespace()).unwrap();
        assert_eq!(invocation.env_file, Some(PathBuf::from("/f")), "{words}");
        let expected = Command::Check { certificate: true };
        assert_eq!(invocation.command, expected, "{words}");
    }
}

#[test]
fn a_user_before_the_command_is_whose_rights_to_have_and_behind_logs_whose_login() {
    let words = "--user postern logs board --user admin";
    let invocation = parse(words.split_whitespace()).unwrap();
    assert_eq!(invocation.user.as_deref(), Some("postern"));
    let refused = parse(["status", "--user", "postern"]).unwrap_err();
    assert!(refused.to_string().contains("before the command"));
}

#[test]
fn what_is_not_understood_is_named_with_what_was_meant() {
    for (words, message) in [
        ("chek", "there is no command \"chek\"; did you mean check?"),
        ("frobnicate", "there is no command \"frobnicate\""),
        (
            "lockouts 10.0.0.7",
            "lockouts takes no argument \"10.0.0.7\"; there is postern lockouts clear IP",
        ),
        (
            "lockouts clear",
            "lockouts clear wants an address: postern lockouts clear IP",
        ),
        ("lockouts clear board", "\"board\" is not an IP address"),
        (
            "passwd hunter22",
            "the password is read from standard input, never from the command line, where `ps` and the shell's history would show it",
        ),
        (
            "help halth",
            "there is no command \"halth\"; did you mean health?",
        ),
        (
            "--envfile /f",
            "there is no flag --envfile; did you mean --env-file?",
        ),
        ("--nonsense", "there is no flag --nonsense"),
        ("-x", "there is no flag -x"),
        (
            "health --sockt /s",
            "there is no flag --sockt; did you mean --socket?",
        ),
        (
            "check --cost 5",
            "--cost goes with hash-password: postern hash-password --cost",
        ),
        (
            "--env-file",
            "--env-file needs an argument: --env-file FILE",
        ),
        (
            "journal",
            "journal wants one more word: stat, verify, dump, compact, repair; postern help journal explains them",
        ),
        (
            "journl verify",
            "there is no command \"journl\"; did you mean journal?",
        ),
        (
            "jounral",
            "there is no command \"jounral\"; did you mean journal?",
        ),
        (
            "journals",
            "there is no command \"journals\"; did you mean journal?",
        ),
        (
            "verify",
            "there is no command \"verify\"; did you mean audit verify or journal verify?",
        ),
        ("stat", "there is no command \"stat\"; did you mean status?"),
        (
            "reapir /j",
            "there is no command \"reapir\"; did you mean journal repair?",
        ),
        (
            "journal verfy",
            "there is no command \"journal verfy\"; did you mean journal verify?",
        ),
        (
            "journal verify --yes",
            "--yes goes with journal repair: postern journal repair --yes",
        ),
        (
            "journal verify a b",
            "journal verify takes no argument \"b\"",
        ),
        (
            "journal compact a",
            "journal compact takes no argument \"a\"",
        ),
        ("sbom all", "sbom takes no argument \"all\""),
        ("check twice", "check takes no argument \"twice\""),
        ("help check serve", "help takes no argument \"serve\""),
        (
            "hash-password --cost 3",
            "--cost takes a whole number from 4 to 31",
        ),
        (
            "hash-password --cost many",
            "--cost takes a whole number from 4 to 31",
        ),
        ("--version=1", "--version takes no argument"),
    ] {
        let error = parse(words.split_whitespace()).unwrap_err();
        assert_eq!(error.to_string(), message, "postern {words}");
    }
}

#[test]
fn what_stands_in_the_wrong_place_is_named_too() {
    for (words, message) in [
        (
            "--generate html",
            "--generate takes one of: man, complete-bash, complete-zsh, complete-fish",
        ),
        (
            "--generate man check",
            "--generate stands alone, without a command",
        ),
        ("check --generate man", "there is no flag --generate"),
        (
            "renew",
            "there is no command \"renew\"; did you mean cert renew?",
        ),
        ("cert renew now", "cert renew takes no argument \"now\""),
        (
            "cert renw",
            "cert takes no argument \"renw\"; did you mean cert renew?",
        ),
        ("help cert twice", "help takes no argument \"twice\""),
    ] {
        let error = parse(words.split_whitespace()).unwrap_err();
        assert_eq!(error.to_string(), message, "postern {words}");
    }
}

#[test]
fn a_password_on_the_command_line_is_refused_with_the_reason_and_not_repeated() {
    for words in [
        "hash-password hunter22",
        "hash-password --cost 12 hunter22",
        "hash-password -- hunter22",
        "hash-password --password=hunter22",
        "hash-password --help=hunter22",
    ] {
        let error = parse(words.split_whitespace()).unwrap_err().to_string();
        assert!(!error.contains("hunter22"), "{error}");
    }
    let error = parse(["hash-password", "hunter22"]).unwrap_err();
    assert!(error.to_string().contains("standard input") && error.to_string().contains("ps"));
}

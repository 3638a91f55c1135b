use super::*;

/// The command that these words call, with what is given to it.
fn understood(words: &str) -> String {
    let invocation = parse(words.split_whitespace());
    let invocation = invocation.unwrap_or_else(|error| panic!("{words}: {error}"));
    let (command, arguments) = (invocation.command, invocation.arguments);
    let mut text = command.name.to_owned();
    // All that the commands ask for.
    for flag in ["socket", "cost", "lines", "generate"] {
        if let Some(value) = arguments.text(flag).unwrap() {
            text.extend([" ", flag, "=", value]);
        }
    }
    for flag in ["json", "yes", "skip-certificate"] {
        if arguments.has(flag) {
            text.extend([" ", flag]);
        }
    }
    if let Some(operand) = arguments.operand() {
        text.extend([" <", operand.to_str().unwrap(), ">"]);
    }
    text
}

#[test]
fn the_documented_lines_mean_what_they_say() {
    for (words, meaning) in [
        ("", "serve"),
        ("serve", "serve"),
        ("check", "check"),
        ("check --skip-certificate", "check skip-certificate"),
        ("hash-password", "hash-password"),
        ("hash-password --cost 5", "hash-password cost=5"),
        ("hash-password --cost=31", "hash-password cost=31"),
        ("health", "health"),
        ("health --socket /s", "health socket=/s"),
        ("status --json", "status json"),
        ("cve --json --socket /s", "cve socket=/s json"),
        ("passwd", "passwd"),
        ("cert", "cert"),
        ("cert --json", "cert json"),
        ("cert renew", "cert renew"),
        ("cert --json renew", "cert renew json"),
        ("help cert", "help <cert>"),
        ("help cert renew", "help <cert renew>"),
        ("cert renew -h", "help <cert renew>"),
        ("lockouts", "lockouts"),
        ("lockouts clear ::1", "lockouts clear <::1>"),
        ("journal stat", "journal stat"),
        ("journal stat --json /j", "journal stat json </j>"),
        ("audit --json", "audit json"),
        ("audit -n 7 /state", "audit lines=7 </state>"),
        ("audit -n 7 -n 8", "audit lines=8"),
        ("audit verify /mnt/state", "audit verify </mnt/state>"),
        ("journal verify", "journal verify"),
        ("journal verify journal", "journal verify <journal>"),
        ("journal dump /j", "journal dump </j>"),
        ("journal compact", "journal compact"),
        ("journal repair --yes", "journal repair yes"),
        ("help journal dump", "help <journal dump>"),
        ("journal verify -h", "help <journal verify>"),
        ("journal --help", "help <journal>"),
        ("--help journal", "help <journal>"),
        ("help journal", "help <journal>"),
        ("sbom", "sbom"),
        ("--version", "version"),
        ("-V", "version"),
        ("version", "version"),
        ("serve -V", "version"),
        ("--generate man", "--generate generate=man"),
        (
            "--generate=complete-zsh",
            "--generate generate=complete-zsh",
        ),
        ("--help", "help"),
        ("-h", "help"),
        ("help", "help"),
        ("help check", "help <check>"),
        ("check --help", "help <check>"),
        ("health -h", "help <health>"),
    ] {
        assert_eq!(understood(words), meaning, "postern {words}");
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
        assert_eq!(invocation.command.name, "check", "{words}");
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
        (
            "passwd hunter22",
            "the password is read from standard input; on the command line `ps` and the shell's history would show it",
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

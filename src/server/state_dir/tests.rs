use super::*;

#[test]
fn a_folder_is_ours_by_what_is_in_it_or_if_it_was_private_and_no_home() {
    let ours = |names: &str, is_private| {
        let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        is_ours(&names, is_private)
    };
    for names in [
        "",
        "lost+found/",
        "advisories/ update.json update.json.minisig",
        "initial-password",
        "tls-cert.pem tls-key.pem",
        "journal journal.damaged.1 audit.log.3 secret-key.new postern.sock",
        "lock journal.new initial-password.new log-sequence.new journal.damaged.8",
        "audit.log audit.log.1 audit.log.kept audit.log.kept.damaged audit.log.damaged.4",
        "tls-cert.pem tls-key.pem.next tls-key.pem.next.new tls-last-good.pem.new",
        "lock journal notes.txt old/",
    ] {
        assert!(ours(names, false) && ours(names, true), "{names}");
    }
    for names in [
        ".bashrc",
        "x/",
        "journal/",
        "journal.md journal.2023.md",
        "journal.damaged.0 journal.damaged.01 journal.damaged.9",
        "audit.log.4",
        "lock.bak",
        "journal x",
        "secret-key tls-key.pem initial-password x",
        "journal.md lock x",
        "journal lock/ x",
        "lock x",
        "journal/ lock/ x",
        "advisories/ lost+found/ x",
        "journalist lockouts x",
    ] {
        assert!(!ours(names, false), "{names}");
        // Closed before, it is left to its owner, unless it is a home.
        assert_eq!(ours(names, true), names != ".bashrc", "{names}");
    }
}

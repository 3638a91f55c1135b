//! That nothing of the table is missing in any document. `tests/documents` asks the shells and roff themselves.

use super::man::escaped;
use super::*;
use crate::config::VARIABLES;

fn every_flag() -> impl Iterator<Item = &'static FlagRow> {
    let own = COMMANDS.iter().flat_map(|command| command.flags);
    own.chain(COMMON_FLAGS).chain(PROGRAM_FLAGS)
}

#[test]
fn each_document_has_its_name_and_every_command_and_flag() {
    for name in DOCUMENT_NAMES.iter().copied() {
        let text = Document::find(name).expect(name).text();
        for command in COMMANDS {
            for word in command.name.split(' ') {
                let word = word.replace('-', if name == "man" { "\\-" } else { "-" });
                assert!(text.contains(&word), "{name}: {word}");
            }
        }
        for flag in every_flag() {
            let flag = match name {
                "man" => format!("\\-\\-{}", flag.long.replace('-', "\\-")),
                "complete-fish" => format!(" -l {} ", flag.long),
                _ => format!("--{}", flag.long),
            };
            assert!(text.contains(&flag), "{name}: {flag}");
        }
    }
}

#[test]
fn the_page_explains_every_command_variable_and_exit_status() {
    let page = Document::Man.text();
    // Without the escapes and the line ends, so that a sentence can be looked for.
    let mut plain = page
        .replace("\\-", "-")
        .replace("\\fB", "")
        .replace("\\fR", "");
    plain = plain
        .replace("\\(aq", "'")
        .replace("\\(ti", "~")
        .replace("\\[u2026]", "\u{2026}");
    let plain: Vec<&str> = plain.split_whitespace().collect();
    let plain = plain.join(" ");
    for command in COMMANDS {
        assert!(plain.contains(&command.summary[1..]), "{}", command.name);
        for (status, meaning) in command.statuses {
            let entry = format!(".TP {status} {meaning}");
            assert!(plain.contains(&entry), "{}: {entry}", command.name);
        }
    }
    for variable in VARIABLES {
        let entry = format!(".TP {} {}", variable.name, variable.help);
        assert!(plain.contains(&entry), "{entry}");
    }
    for flag in every_flag() {
        assert!(plain.contains(flag.help), "--{}", flag.long);
    }
}

#[test]
fn what_roff_would_take_for_its_own_is_escaped() {
    assert_eq!(
        "\\ ' \" ~ ^ \u{2026}"
            .chars()
            .map(escaped)
            .collect::<String>(),
        "\\e \\(aq \\(dq \\(ti \\(ha \\[u2026]"
    );
    for line in Document::Man.text().lines() {
        assert!(line.is_ascii() && !line.starts_with('\''), "{line}");
        if let Some(request) = line.strip_prefix('.') {
            let request = request.split(' ').next().unwrap_or_default();
            assert!(
                ["\\\"", "TH", "SH", "SS", "PP", "TP", "BR", "br"].contains(&request),
                "{line}"
            );
        }
        assert!(!line.ends_with(' '), "{line:?}");
    }
}

#[test]
fn a_place_knows_what_may_follow() {
    let completion_points = completion_points();
    let at = |words: &str| {
        let point = completion_points.iter().find(|point| point.words == words);
        point.unwrap_or_else(|| panic!("{words}"))
    };
    let next =
        |words: &str| -> Vec<&str> { at(words).next.iter().map(|(word, _)| *word).collect() };
    assert_eq!(
        next("journal"),
        ["stat", "verify", "dump", "compact", "repair"]
    );
    assert_eq!(next("help journal"), next("journal"));
    assert_eq!(next("cert"), ["renew"]);
    assert_eq!(next("lockouts"), ["clear"]);
    assert!(next("").contains(&"journal") && !next("").contains(&"renew"));
    assert_eq!(next("help"), next(""));
    assert!(at("journal verify").files && !at("check").files);
    let flags =
        |words: &str| -> Vec<&str> { at(words).flags.iter().map(|flag| flag.long).collect() };
    assert!(flags("").contains(&"generate") && !flags("check").contains(&"generate"));
    assert!(flags("journal repair").contains(&"yes") && flags("logs").contains(&"follow"));
}

#[test]
fn a_flag_takes_an_argument_everywhere_or_nowhere() {
    // The completions step over arguments before they know the command.
    for flag in every_flag() {
        for other in every_flag().filter(|other| other.long == flag.long) {
            assert_eq!(fill(flag.argument), fill(other.argument), "{}", flag.long);
        }
        for other in every_flag().filter(|other| other.short.is_some() && other.short == flag.short)
        {
            assert_eq!(other.long, flag.long);
        }
    }
}

use super::*;
use crate::cli::serve;
use crate::cli::table::COMMANDS;

#[test]
fn help_lists_every_command_and_flag() {
    let text = program(COMMANDS);
    for command in COMMANDS {
        assert!(
            text.contains(&format!("\n  {}", command.name)),
            "{}",
            command.name
        );
    }
    for flag in COMMON_FLAGS.iter().chain(PROGRAM_FLAGS) {
        assert!(text.contains(&format!("--{}", flag.long)), "{}", flag.long);
    }
    let certain = |line: &str| line.contains("--cacert ") || line.contains("-k --pinnedpubkey ");
    let mut calls = text.lines().filter(|line| line.contains("curl -"));
    assert!(calls.all(certain), "{text}");
    for word in [
        "initial-password",
        "https://ADDRESS:8443/",
        "postern passwd",
        "curl ",
        "KEY=value",
        "help serve",
    ] {
        assert!(text.contains(word), "{word}");
    }
    for name in FIRST_SETTINGS {
        assert!(text.contains(&format!("\n  {name}")), "{name}");
    }
}

#[test]
fn help_of_a_command_tells_its_flags_and_exit_statuses() {
    for row in COMMANDS {
        let text = command(row);
        assert!(text.contains(row.summary));
        for flag in row.flags {
            assert!(text.contains(&format!("--{}", flag.long)) && text.contains(flag.help));
        }
        for (status, meaning) in row.statuses {
            let status = status.to_string();
            let told = text.lines().any(|line| {
                let told = line.trim_start().strip_prefix(&status);
                told.is_some_and(|rest| rest.trim_start() == *meaning)
            });
            assert!(told, "{status}: {text}");
        }
    }
}

#[test]
fn help_of_serve_explains_every_variable_with_its_default() {
    // Wrapped lines are joined, so that a sentence can be looked for.
    let text = command(&serve::ROW);
    let text: Vec<&str> = text.split_whitespace().collect();
    let text = text.join(" ");
    for variable in VARIABLES {
        assert!(text.contains(&explained(variable)), "{}", variable.name);
    }
}

#[test]
fn no_line_of_a_table_is_wider_than_a_page() {
    for row in COMMANDS {
        for line in command(row).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}

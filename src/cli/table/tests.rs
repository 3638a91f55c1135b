use std::collections::BTreeSet;

use super::*;
use crate::cli::flags::COMMON_FLAGS;
use crate::cli::{help, parse};

#[test]
fn each_command_has_one_row_and_can_be_explained() {
    let names: BTreeSet<&str> = COMMANDS.iter().map(|command| command.name).collect();
    assert_eq!(names.len(), COMMANDS.len(), "one stands twice");
    for command in COMMANDS {
        let name = command.name;
        for words in [format!("help {name}"), format!("{name} --help")] {
            let invocation = parse(words.split(' ')).unwrap();
            assert_eq!(invocation.command.name, help::ROW.name, "{words}");
            let topic = invocation
                .arguments
                .operand()
                .and_then(|topic| topic.to_str());
            // `help help` is about itself, too.
            assert_eq!(topic, Some(name), "{words}");
        }
    }
}

#[test]
fn each_flag_has_one_meaning() {
    for command in COMMANDS {
        for flag in command.flags {
            assert!(COMMON_FLAGS.iter().all(|other| other.long != flag.long));
        }
    }
}

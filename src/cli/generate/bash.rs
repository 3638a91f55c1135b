//! The completion for bash. It needs nothing of the bash-completion package.

use std::fmt::Write;

use super::{ArgumentKind, completion_points, flags_with_arguments, quoted, spellings};

pub(super) fn script() -> String {
    // Writing to a String cannot fail.
    let mut taking = Vec::new();
    let mut arguments = String::new();
    for (flag, fill) in flags_with_arguments() {
        let names = spellings(flag).join(" | ");
        let action = match fill {
            ArgumentKind::File => "files=1",
            ArgumentKind::Word(words) => &format!("words={}", quoted(&words.join(" "))),
            ArgumentKind::Anything => "",
        };
        if !action.is_empty() {
            let _ = writeln!(arguments, "    {names}) {action} ;;");
        }
        taking.push(names);
    }
    let (mut steps, mut here) = (Vec::new(), String::new());
    for point in completion_points() {
        let next: Vec<&str> = point.next.iter().map(|(word, _)| *word).collect();
        steps.extend(next.iter().map(|word| format!("'{} {word}'", point.words)));
        let flags: Vec<String> = point
            .flags
            .iter()
            .flat_map(|flag| spellings(flag))
            .collect();
        let files = if point.files { " files=1" } else { "" };
        let _ = writeln!(
            here,
            "        {}) words={} flags={}{files} ;;",
            quoted(&point.words),
            quoted(&next.join(" ")),
            quoted(&flags.join(" ")),
        );
    }
    TEMPLATE
        .replace("TAKING", &taking.join(" | "))
        .replace("STEPS", &steps.join(" | "))
        .replace("    ARGUMENTS\n", &arguments)
        .replace("        HERE\n", &here)
}

const TEMPLATE: &str = r#"# bash completion for postern, made by: postern --generate complete-bash

_postern() {
    local current=${COMP_WORDS[COMP_CWORD]} flag='' at='' words='' flags='' files='' word
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        # bash takes --flag=argument for three words.
        if [ "$word" = = ]; then continue; fi
        if [ -n "$flag" ]; then
            flag=''
            continue
        fi
        case $word in
        TAKING) flag=$word ;;
        -*) ;;
        *)
            case "$at $word" in
            STEPS) at=${at:+$at }$word ;;
            esac
            ;;
        esac
    done
    [ "$current" = = ] && current=''
    case $flag in
    '')
        case $at in
        HERE
        esac
        case $current in
        -*) words=$flags files='' ;;
        esac
        ;;
    ARGUMENTS
    esac
    if [ -n "$files" ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    fi
}

complete -F _postern postern
"#;

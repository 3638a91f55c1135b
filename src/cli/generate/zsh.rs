//! The completion for zsh: a file `_postern` in a folder of `fpath`, or one that is sourced after `compinit`.

use std::fmt::Write;

use super::{ArgumentKind, completion_points, flags_with_arguments, quoted, spellings};

pub(super) fn script() -> String {
    // Writing to a String cannot fail.
    let mut taking = Vec::new();
    let mut arguments = String::new();
    for (flag, fill) in flags_with_arguments() {
        let names = spellings(flag).join(" | ");
        let action = match fill {
            ArgumentKind::File => "_files".to_owned(),
            ArgumentKind::Word(words) => format!("compadd -- {}", words.join(" ")),
            ArgumentKind::Anything => {
                let name = flag.argument.name().unwrap_or_default();
                format!("_message {}", quoted(name))
            }
        };
        let _ = writeln!(arguments, "    {names}) {action}; return ;;");
        taking.push(names);
    }
    let (mut steps, mut here) = (Vec::new(), String::new());
    for point in completion_points() {
        let described = |entries: Vec<(String, &str)>| {
            let entries = entries.iter().map(|(name, purpose)| {
                // The first colon ends the name.
                quoted(&format!("{}:{purpose}", name.replace(':', "\\:")))
            });
            entries.collect::<Vec<_>>().join(" ")
        };
        let next = point.next.iter();
        let next = next.map(|(word, purpose)| ((*word).to_owned(), purpose.as_str()));
        let flags = point.flags.iter();
        let flags =
            flags.flat_map(|flag| spellings(flag).into_iter().map(|name| (name, flag.help)));
        steps.extend(
            point
                .next
                .iter()
                .map(|(word, _)| format!("'{} {word}'", point.words)),
        );
        let _ = writeln!(
            here,
            "    {}) words_here=({}) flags_here=({}) files={} ;;",
            quoted(&point.words),
            described(next.collect()),
            described(flags.collect()),
            u8::from(point.files),
        );
    }
    TEMPLATE
        .replace("TAKING", &taking.join(" | "))
        .replace("STEPS", &steps.join(" | "))
        .replace("    ARGUMENTS\n", &arguments)
        .replace("    HERE\n", &here)
}

const TEMPLATE: &str = r#"#compdef postern
# zsh completion for postern, made by: postern --generate complete-zsh

_postern() {
    local at='' flag='' word files=0
    local -a words_here flags_here
    for word in "${(@)words[2,CURRENT-1]}"; do
        if [[ -n $flag ]]; then
            flag=''
            continue
        fi
        case $word in
        (TAKING) flag=$word ;;
        (-*) ;;
        (*)
            case "$at $word" in
            (STEPS) at="${at:+$at }$word" ;;
            esac
            ;;
        esac
    done
    if [[ -z $flag && $PREFIX == --*=* ]]; then
        flag=${PREFIX%%=*}
        compset -P '*='
    fi
    case $flag in
    ARGUMENTS
    esac
    case $at in
    HERE
    esac
    if [[ $PREFIX == -* ]]; then
        _describe -o flag flags_here
    else
        (( $#words_here )) && _describe command words_here
        (( files )) && _files
    fi
}

if [[ $funcstack[1] == _postern ]]; then
    _postern "$@"
else
    compdef _postern postern
fi
"#;

//! The completion for fish.

use std::fmt::Write;

use super::{ArgumentKind, CompletionPoint, completion_points, fill};
use crate::cli::command::FlagRow;

pub(super) fn script() -> String {
    // Writing to a String cannot fail.
    let completion_points = completion_points();
    let (mut steps, mut lines) = (Vec::new(), String::new());
    for point in &completion_points {
        let at = format!("complete -c postern -n {}", quoted(&at(point)));
        for (word, purpose) in &point.next {
            steps.push(quoted(&format!("{} {word}", point.words)));
            let _ = writeln!(lines, "{at} -a {word} -d {}", quoted(purpose));
        }
        for flag in &point.flags {
            let _ = writeln!(lines, "{at} {}", line(flag));
        }
        if point.files {
            let _ = writeln!(lines, "{at} -F");
        }
    }
    let taking = super::flags_with_arguments();
    let taking = taking.iter().flat_map(|(flag, _)| super::spellings(flag));
    TEMPLATE
        .replace("TAKING", &taking.collect::<Vec<_>>().join(" "))
        .replace("STEPS", &steps.join(" "))
        .replace("LINES\n", &lines)
}

fn at(point: &CompletionPoint) -> String {
    format!("__postern_at {}", quoted(&point.words))
}

fn line(flag: &FlagRow) -> String {
    let short = flag.short.map(|letter| format!(" -s {letter}"));
    let argument = match fill(flag.argument) {
        None => String::new(),
        Some(ArgumentKind::File) => " -r -F".to_owned(),
        Some(ArgumentKind::Word(words)) => format!(" -x -a {}", quoted(&words.join(" "))),
        Some(ArgumentKind::Anything) => " -x".to_owned(),
    };
    let short = short.unwrap_or_default();
    format!("-l {}{short}{argument} -d {}", flag.long, quoted(flag.help))
}

/// In single quotes, in which fish knows two escapes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

const TEMPLATE: &str = r#"# fish completion for postern, made by: postern --generate complete-fish

function __postern_at --description 'whether these words of postern have been typed, flags aside'
    set -l typed (commandline -opc)
    set -e typed[1]
    set -l at ''
    set -l flag ''
    for word in $typed
        if test -n "$flag"
            set flag ''
            continue
        end
        switch $word
            case TAKING
                set flag $word
            case '-*'
            case '*'
                if contains -- "$at $word" STEPS
                    set at (string trim -- "$at $word")
                end
        end
    end
    test "$at" = "$argv[1]"
end

complete -c postern -f
LINES
"#;

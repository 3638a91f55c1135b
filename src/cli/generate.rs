//! `postern --generate`: the man page and the completions of three shells, out of the same table as `--help`.
//!
//! A completion follows the typed words and knows at each point what may come next. [`completion_points`] lists the
//! points; each shell's file writes them in its language.

mod bash;
mod fish;
mod man;
#[cfg(test)]
mod tests;
mod zsh;

use super::arguments::UsageError;
use super::command::{CommandRow, FlagArgument, FlagRow, Operand, WRONG_USAGE, WorksOn};
use super::flags::{COMMON_FLAGS, DOCUMENT_NAMES, PROGRAM_FLAGS};
use super::table::COMMANDS;

/// `--generate` runs like a command. It has no row in the table, since only packagers need it.
pub(in crate::cli) const ROW: CommandRow = CommandRow {
    name: "--generate",
    summary: "",
    details: "",
    flags: &[],
    operand: Operand::None,
    statuses: &[(0, "printed"), WRONG_USAGE],
    works_on: WorksOn::Nothing,
    run: |arguments, context| {
        let document = arguments.text("generate")?.and_then(Document::find);
        let names = DOCUMENT_NAMES.join(", ");
        let wrong = || UsageError(format!("--generate takes one of: {names}"));
        Ok(context.print(&document.ok_or_else(wrong)?.text())?)
    },
};

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Document {
    /// postern(8).
    Man,
    /// For bash.
    CompleteBash,
    /// For zsh.
    CompleteZsh,
    /// For fish.
    CompleteFish,
}

impl Document {
    /// The one of that name.
    fn find(name: &str) -> Option<Self> {
        Some(match name {
            "man" => Self::Man,
            "complete-bash" => Self::CompleteBash,
            "complete-zsh" => Self::CompleteZsh,
            "complete-fish" => Self::CompleteFish,
            _ => return None,
        })
    }

    /// All of it.
    fn text(self) -> String {
        match self {
            Self::Man => man::page(),
            Self::CompleteBash => bash::script(),
            Self::CompleteZsh => zsh::script(),
            Self::CompleteFish => fish::script(),
        }
    }
}

/// A point on the command line, behind these words, and what may follow there.
#[derive(Debug)]
struct CompletionPoint {
    /// The words without flags, as `journal verify`; empty at the beginning.
    words: String,
    /// Words that lead on, each with what it is for.
    next: Vec<(&'static str, String)>,
    /// The flags that go here.
    flags: Vec<&'static FlagRow>,
    /// Whether a file may be named.
    files: bool,
}

/// What may stand where something is to be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArgumentKind {
    /// A path.
    File,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Whatever it is, it cannot be known here.
    Anything,
}

/// Every point where something may follow, the beginning first.
fn completion_points() -> Vec<CompletionPoint> {
    let mut completion_points = vec![CompletionPoint {
        words: String::new(),
        next: next_words(""),
        flags: flags(super::serve::ROW.flags, PROGRAM_FLAGS),
        files: false,
    }];
    // Groups, as `journal`, are no commands.
    for (word, _) in next_words("") {
        if super::table::command(word).is_none() {
            completion_points.push(CompletionPoint {
                words: word.to_owned(),
                next: next_words(word),
                flags: flags(&[], &[]),
                files: false,
            });
        }
    }
    for command in COMMANDS {
        completion_points.push(CompletionPoint {
            words: command.name.to_owned(),
            next: match command.operand {
                Operand::Command(_) => next_words(""),
                _ => next_words(command.name),
            },
            flags: flags(command.flags, &[]),
            files: matches!(command.operand, Operand::File(_) | Operand::Folder(_)),
        });
        if let Operand::Command(_) = command.operand {
            let led_on = next_words("").into_iter();
            let led_on = led_on.map(|(word, _)| (word, next_words(word)));
            completion_points.extend(led_on.filter(|(_, next)| !next.is_empty()).map(
                |(word, next)| CompletionPoint {
                    words: format!("{} {word}", command.name),
                    next,
                    flags: Vec::new(),
                    files: false,
                },
            ));
        }
    }
    completion_points
}

/// The words that make a longer command of these.
fn next_words(begin: &str) -> Vec<(&'static str, String)> {
    let mut words: Vec<(&str, String)> = Vec::new();
    for command in COMMANDS {
        let Some((word, is_whole)) = next_word(command, begin) else {
            continue;
        };
        if words.iter().all(|(known, _)| *known != word) {
            let purpose = if is_whole {
                command.summary.to_owned()
            } else {
                format!("commands about the {word}")
            };
            words.push((word, purpose));
        }
    }
    words
}

/// The command's word behind these, and whether it is its last.
fn next_word(command: &CommandRow, begin: &str) -> Option<(&'static str, bool)> {
    let rest = command.name.strip_prefix(begin)?;
    let rest = match begin {
        "" => rest,
        _ => rest.strip_prefix(' ')?,
    };
    Some(match rest.split_once(' ') {
        Some((word, _)) => (word, false),
        None => (rest, true),
    })
}

fn flags(own: &'static [FlagRow], more: &'static [FlagRow]) -> Vec<&'static FlagRow> {
    own.iter().chain(more).chain(COMMON_FLAGS).collect()
}

/// Every flag that takes an argument, each once; where two commands have one of the same name, its argument is the
/// same.
fn flags_with_arguments() -> Vec<(&'static FlagRow, ArgumentKind)> {
    let mut found: Vec<(&FlagRow, ArgumentKind)> = Vec::new();
    let all = COMMANDS.iter().flat_map(|command| command.flags);
    for flag in all.chain(PROGRAM_FLAGS).chain(COMMON_FLAGS) {
        if let Some(fill) = fill(flag.argument)
            && found.iter().all(|(known, _)| known.long != flag.long)
        {
            found.push((flag, fill));
        }
    }
    found
}

/// What a flag's argument is filled in with, if it has one.
fn fill(argument: FlagArgument) -> Option<ArgumentKind> {
    Some(match argument {
        FlagArgument::None => return None,
        FlagArgument::Path(_) => ArgumentKind::File,
        FlagArgument::Word(_, words) => ArgumentKind::Word(words),
        FlagArgument::Number(..) | FlagArgument::Text(_) => ArgumentKind::Anything,
    })
}

/// The spellings of a flag: `-n` and `--lines`.
fn spellings(flag: &FlagRow) -> Vec<String> {
    let short = flag.short.map(|letter| format!("-{letter}"));
    short
        .into_iter()
        .chain([format!("--{}", flag.long)])
        .collect()
}

/// In single quotes, as bash and zsh read it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

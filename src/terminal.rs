//! Where a command reads and writes: a terminal, pipes, or what a test holds in their place.

pub(crate) mod escape;
pub(crate) mod prompt;

use std::io::{Read, Write};

/// Standard input, output and error. Tests hold the other ends.
pub struct Terminal<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Whether somebody types there.
    pub input_is_terminal: bool,
    /// Standard output: answers.
    pub out: &'a mut dyn Write,
    /// Standard error: questions, warnings and what went wrong.
    pub err: &'a mut dyn Write,
    /// Whether root's rights are given up where they should be: by starting the program anew, with the same words.
    pub hands_over: bool,
}

impl Terminal<'_> {
    /// The same, lent out.
    pub(crate) fn reborrow(&mut self) -> Terminal<'_> {
        Terminal {
            input: &mut *self.input,
            input_is_terminal: self.input_is_terminal,
            out: &mut *self.out,
            err: &mut *self.err,
            hands_over: self.hands_over,
        }
    }
}

//! Where a command reads and writes: a terminal, pipes, or a test's buffers.

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
}

impl Terminal<'_> {
    /// The same, lent out.
    pub(crate) fn reborrow(&mut self) -> Terminal<'_> {
        Terminal {
            input: &mut *self.input,
            input_is_terminal: self.input_is_terminal,
            out: &mut *self.out,
            err: &mut *self.err,
        }
    }
}

//! The program: words to a command, a command to an exit status.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::{env, io};

use postern::cli::{self, RootRights};
use postern::config::Config;
use postern::privileges;
use postern::terminal::Terminal;

fn main() -> ExitCode {
    privileges::forbid_dumps();
    // Handles, not locks: the server's threads write to these too.
    let mut terminal = Terminal {
        input_is_terminal: io::stdin().is_terminal(),
        input: &mut io::stdin(),
        out: &mut io::stdout(),
        err: &mut io::stderr(),
    };
    let status = cli::run(
        env::args_os().skip(1),
        &mut terminal,
        RootRights::GiveUp,
        |env_file| Config::load(env::vars_os(), env_file),
        postern::server::run,
    );
    ExitCode::from(status)
}

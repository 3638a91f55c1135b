//! What a server of a test is set to, be it a process or in this one: a port that the kernel chooses, a cheap bcrypt, and
//! limits that are in nobody's way.

use std::collections::BTreeMap;
use std::path::Path;

use postern::config::{Config, Machine};

/// These variables, besides those that every server of a test has. Its state is in the folder.
pub fn variables(folder: &Path, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let state = folder.join("state");
    let own = [
        ("LISTEN", "127.0.0.1:0"),
        ("STATE_DIR", state.to_str().expect("UTF-8")),
        ("BCRYPT_COST", "4"),
        ("LOG_SOURCES", ""),
        ("RATE_LIMIT_RPS", "1000"),
        ("RATE_LIMIT_BURST", "100000"),
    ];
    let all = own.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The configuration that these variables come to; nothing of this very machine leaks in.
pub fn config(folder: &Path, variables: &BTreeMap<String, String>) -> Config {
    let machine = Machine {
        env_file: folder.join("no-such.env"),
        ..Machine::detect()
    };
    Config::load_on(&machine, variables.clone(), None).expect("a good configuration")
}

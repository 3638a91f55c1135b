//! What is made before the program is compiled, a file each: the page and the API's description, packed, and the
//! inventory. Neither cargo nor the network is asked for anything here, and the same tree makes the same bytes.

#[cfg(feature = "console")]
mod console;
mod inventory;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use zopfli::{Format, Options};

fn main() {
    let out = env::var_os("OUT_DIR").map(PathBuf::from);
    let out = out.expect("cargo names the folder");
    #[cfg(feature = "console")]
    let packed = console::pack(&out);
    #[cfg(not(feature = "console"))]
    let packed = Ok(());
    let packed = packed.and_then(|()| pack_openapi(&out));
    if let Err(error) = packed.and_then(|()| pack_inventory(&out)) {
        // cargo shows it, and builds nothing.
        println!("cargo::error={error}");
    }
}

fn pack_openapi(out: &Path) -> io::Result<()> {
    fs::write(out.join("openapi.json.gz"), gzip(&read(OPENAPI)?)?)
}

fn pack_inventory(out: &Path) -> io::Result<()> {
    let (lock, not_linked) = (read(LOCK)?, read(NOT_LINKED)?);
    let lines = inventory::linked(&lock, &not_linked)
        .map_err(|problem| io::Error::other(format!("{LOCK}: {problem}")))?;
    fs::write(out.join("inventory.gz"), gzip(&lines)?)
}

/// A file of the tree. When it changes, all of this is done again.
fn read(path: &str) -> io::Result<String> {
    println!("cargo::rerun-if-changed={path}");
    fs::read_to_string(path).map_err(|error| {
        io::Error::other(format!(
            "{path}: {error}; it belongs to the source, and is needed to build"
        ))
    })
}

/// As small as gzip can be: it is packed once, kept by each board, and sent to each browser. The header says neither when nor
/// from which file, so that the same text makes the same binary.
fn gzip(text: &str) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    zopfli::compress(
        Options::default(),
        Format::Gzip,
        text.as_bytes(),
        &mut packed,
    )?;
    Ok(packed)
}

const OPENAPI: &str = "src/api/openapi.json";

const LOCK: &str = "Cargo.lock";

const NOT_LINKED: &str = "src/build/not-linked.txt";

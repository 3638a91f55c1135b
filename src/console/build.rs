//! Packs the console's files, and the API's description: each gzipped, the former with a tag that names its content. `api/console.rs` embeds them.
//!
//! There is no other building: the files in this folder are what a browser gets, line for line. Only comments and
//! indentation stay behind: they are for whoever reads the source, and would be an eighth of what is sent.

use std::io::{self, Write};
use std::path::Path;
use std::{env, fs};

use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    let folder = Path::new("src/console");
    let out = env::var_os("OUT_DIR").expect("cargo names the folder");
    let out = Path::new(&out);
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| *name != "build.rs") else {
            continue;
        };
        let text = squeeze(&fs::read_to_string(&path)?);
        fs::write(out.join(format!("{name}.gz")), gzip(&text)?)?;
        fs::write(out.join(format!("{name}.tag")), tag(text.as_bytes()))?;
    }
    println!("cargo::rerun-if-changed={OPENAPI}");
    fs::write(
        out.join("openapi.json.gz"),
        gzip(&fs::read_to_string(OPENAPI)?)?,
    )
}

/// The header says neither when nor from which file, so that the same text makes the same binary.
fn gzip(text: &str) -> io::Result<Vec<u8>> {
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    gzip.write_all(text.as_bytes())?;
    gzip.finish()
}

/// Without indentation, empty lines, and comments that have a line to themselves or stand behind a statement.
fn squeeze(text: &str) -> String {
    let comment =
        |line: &str| line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"));
    text.lines()
        .map(|line| {
            line.split_once("; // ")
                .map_or(line, |(code, _)| &line[..=code.len()])
        })
        .map(str::trim)
        .filter(|line| !line.is_empty() && !comment(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// FNV-1a, 64 bits. Nobody but us writes these files, so it only has to tell one release's from another's.
fn tag(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

const OPENAPI: &str = "src/api/openapi.json";

//! Packs the console's files: each gzipped, with a tag that names its content. `api/console.rs` embeds them.
//!
//! There is no other building: the files in `src/console` are what a browser gets, line for line. Only comments,
//! indentation and a style sheet's blanks stay behind: they are for whoever reads the source, and would be an eighth of what is sent.

use std::path::Path;
use std::{fs, io};

use super::gzip;

/// Writes them into the folder `out`.
pub(super) fn pack(out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed={PAGE}");
    for entry in fs::read_dir(PAGE)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let mut text = squeeze(&fs::read_to_string(&path)?);
        if path.extension().is_some_and(|extension| extension == "css") {
            for (blank, none) in [
                (": ", ":"),
                ("; ", ";"),
                (", ", ","),
                (" {", "{"),
                (" }", "}"),
            ] {
                text = text.replace(blank, none);
            }
        }
        fs::write(out.join(format!("{name}.gz")), gzip(&text)?)?;
        fs::write(out.join(format!("{name}.tag")), tag(text.as_bytes()))?;
    }
    Ok(())
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

const PAGE: &str = "src/console";

//! Packs the console's files: each once as it is, once gzipped, and a tag that names its content. `api/console.rs` embeds them.
//!
//! This is all the building there is: the page in this folder is the page that a browser gets.

use std::io::{self, Write};
use std::path::Path;
use std::{env, fs};

use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    let folder = Path::new("src/console");
    let out = env::var_os("OUT_DIR").expect("cargo names the folder");
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !name.ends_with(".rs")) else {
            continue;
        };
        let bytes = fs::read(&path)?;
        // The header says neither when nor from which file, so that the same page makes the same binary.
        let mut gzip = GzBuilder::new()
            .mtime(0)
            .write(Vec::new(), Compression::best());
        gzip.write_all(&bytes)?;
        let out = Path::new(&out);
        fs::write(out.join(format!("{name}.gz")), gzip.finish()?)?;
        fs::write(
            out.join(format!("{name}.tag")),
            format!("{:016x}", fnv(&bytes)),
        )?;
    }
    Ok(())
}

/// FNV-1a, 64 bits. Nobody but us writes these files, so it only has to tell one release's from another's.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

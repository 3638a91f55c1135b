use super::{FILES, gunzip};

/// A board serves this page over whatever network there is, and carries it in its firmware.
#[test]
fn the_page_stays_within_60_kb_and_20_kb_gzipped() {
    let raw: usize = FILES.iter().map(|file| gunzip(file.gzip).len()).sum();
    let gzip: usize = FILES.iter().map(|file| file.gzip.len()).sum();
    println!("{raw} bytes, {gzip} gzipped");
    assert!(raw <= 60_000, "{raw} bytes");
    assert!(gzip <= 20_000, "{gzip} bytes gzipped");
}

#[test]
fn every_file_of_the_folder_is_served() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/console");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string())
        .map(|name| name.expect("UTF-8"))
        .collect();
    found.sort();
    let mut served: Vec<_> = FILES.iter().map(|file| file.name).collect();
    served.sort_unstable();
    assert_eq!(found, served);
}

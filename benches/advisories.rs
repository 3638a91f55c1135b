//! What it takes to hold 40,000 advisories against a Debian with 2,000 packages and this program's crates: time, and how
//! much memory more than before.
//!
//!     cargo bench --bench advisories

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use postern::clock::{Clock, SystemTimeSource};
use postern::device::advisories::{Advisories, AdvisorySettings};
use rawzip::{CompressionMethod, ZipArchiveWriter};

const ADVISORIES: usize = 40_000;
const PACKAGES: usize = 2_000;
const RUNS: usize = 5;

/// The word by which this program is told to do one check.
const CHECK: &str = "--check";

fn main() {
    let words: Vec<_> = std::env::args().collect();
    if let [_, word, root, place] = &words[..]
        && word == CHECK
    {
        return check(Path::new(root), Path::new(place));
    }
    // `cargo test --all-targets` runs this too, and wants no figures.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    system(root.path());
    let folder = root.path().join("advisories");
    fs::create_dir(&folder).expect("made");
    let mut zip = ZipArchiveWriter::new(Vec::new());
    let mut bytes = 0;
    for number in 0..ADVISORIES {
        let text = advisory(number);
        bytes += text.len();
        let name = format!("DEBIAN-CVE-2024-{number}.json");
        fs::write(folder.join(&name), &text).expect("written");
        let file = zip
            .new_file(&name)
            .compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = file.start().expect("begun");
        let encoder = DeflateEncoder::new(&mut entry, Compression::default());
        let mut writer = config.wrap(encoder);
        writer.write_all(text.as_bytes()).expect("written");
        let (encoder, descriptor) = writer.finish().expect("ended");
        encoder.finish().expect("ended");
        entry.finish(descriptor).expect("ended");
    }
    let archive = root.path().join("all.zip");
    fs::write(&archive, zip.finish().expect("ended")).expect("written");
    println!("{ADVISORIES} advisories, {} MB", bytes / 1_000_000);
    for (what, place) in [("files", &folder), ("zip", &archive)] {
        let mut figures: Vec<_> = (0..RUNS).map(|_| run(root.path(), place)).collect();
        figures.sort_unstable();
        let ((median, _), (slowest, _)) = (figures[RUNS / 2], figures[RUNS - 1]);
        let memory = figures.iter().map(|(_, memory)| memory).max();
        let memory = memory.expect("a run");
        println!(
            "{what:6} median {median} ms, slowest {slowest} ms, {memory} KiB of memory at most"
        );
    }
}

/// Milliseconds and KiB of a check in a process of its own, which has not needed memory for anything else.
fn run(root: &Path, place: &Path) -> (u64, u64) {
    let own = std::env::current_exe().expect("a program");
    let output = Command::new(own).arg(CHECK).args([root, place]).output();
    let output = output.expect("started");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut numbers = text
        .split_whitespace()
        .map(|word| word.parse().expect("a number"));
    let mut next = || numbers.next().expect("two of them");
    (next(), next())
}

fn check(root: &Path, place: &Path) {
    let clock = Arc::new(Clock::new(Arc::new(SystemTimeSource::new()), None));
    let settings = AdvisorySettings {
        place: place.to_owned(),
        is_given: true,
        ignored: Vec::new(),
    };
    let advisories = Advisories::new(settings, root.to_owned(), clock);
    let (before, begun) = (peak(), Instant::now());
    advisories.check(&|| false);
    println!("{} {}", begun.elapsed().as_millis(), peak() - before);
    let report = advisories.report();
    assert_eq!(
        (report.advisories, report.error.as_deref()),
        (ADVISORIES, None)
    );
    // One in forty applies.
    assert_eq!(report.findings.len(), ADVISORIES / 40);
}

fn system(root: &Path) {
    fs::create_dir_all(root.join("etc")).expect("made");
    fs::create_dir_all(root.join("var/lib/dpkg")).expect("made");
    fs::write(root.join("etc/os-release"), "ID=debian\nVERSION_ID=12\n").expect("written");
    let mut list = String::new();
    for number in 0..PACKAGES {
        let _ = write!(
            list,
            "Package: package-{number}\nStatus: install ok installed\nVersion: 1.2-3+deb12u1\nDescription: one of many\n\n"
        );
    }
    fs::write(root.join("var/lib/dpkg/status"), list).expect("written");
}

/// As long as Debian's are: three releases, dozens of versions each, some links.
fn advisory(number: usize) -> String {
    // Each package has ten, of which half of those in one in twenty are not mended here.
    let package = number % (2 * PACKAGES);
    let fixed = if number.is_multiple_of(40) {
        "1.2-3+deb12u2"
    } else {
        "1.2-2"
    };
    let package = if number.is_multiple_of(40) {
        package % PACKAGES
    } else {
        package
    };
    let versions: Vec<_> = (0..40).map(|n| format!("\"1.{n}-1\"")).collect();
    let affected: Vec<_> = ["11", "12", "13"]
        .iter()
        .map(|release| {
            format!(
                r#"{{"package":{{"ecosystem":"Debian:{release}","name":"package-{package}","purl":"pkg:deb/debian/package-{package}?arch=source"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}],"versions":[{}],"ecosystem_specific":{{"urgency":"not yet assigned"}}}}"#,
                versions.join(",")
            )
            .replace("\"1.2-3+deb12u1\",", "")
        })
        .collect();
    format!(
        r#"{{"id":"DEBIAN-CVE-2024-{number}","details":"{}","upstream":["CVE-2024-{number}"],"modified":"2026-11-18T00:00:00Z","published":"2024-01-01T00:00:00Z","references":[{{"type":"ADVISORY","url":"https://security-tracker.debian.org/tracker/CVE-2024-{number}"}}],"affected":[{}],"severity":[{{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],"schema_version":"1.7.0"}}"#,
        "In a function of the library a length is not checked. ".repeat(12),
        affected.join(",")
    )
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).expect("a number")
}

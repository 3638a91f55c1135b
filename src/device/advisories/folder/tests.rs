use std::cell::Cell;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::archive::tests::zip;
use super::*;
use crate::clock::LATEST;

const RING: (&str, &str) = ("ring", "0.17.8");

fn packages() -> Packages {
    Packages::default().with_crates(&[RING])
}

fn advisory(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","affected":[{{"package":{{"ecosystem":"crates.io","name":"ring"}},"ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}}]}}]}}]}}"#
    )
}

struct Place {
    folder: TempDir,
    packages: Packages,
    kept: Vec<StoredMatch>,
}

/// What a reading came to: the findings' names, how many were read, how many not, and the first trouble.
type Came = (Vec<String>, usize, usize, Option<String>);

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            packages: packages(),
            kept: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, contents).expect("written");
    }

    fn read_at(&mut self, place: &Path) -> Came {
        let reading = FolderReading::of(place, &self.packages, &self.kept, LATEST, &|| false)
            .expect("not stopped");
        let FolderReading {
            kept,
            advisories,
            broken,
            problem,
            ..
        } = reading;
        let mut ids: Vec<_> = kept.iter().map(|kept| kept.found.id.clone()).collect();
        ids.sort();
        self.kept = kept;
        (ids, advisories, broken, problem)
    }

    fn read(&mut self) -> Came {
        let place = self.path("");
        self.read_at(&place)
    }
}

#[test]
fn a_folder_is_read_with_all_that_is_below_it() {
    let mut place = Place::new();
    place.put("A-1.json", advisory("A-1"));
    place.put("deep/er/A-2.json", advisory("A-2"));
    place.put(
        "all.zip",
        zip(&[
            ("A-3.json", advisory("A-3").as_bytes()),
            ("x/A-4.json", advisory("A-4").as_bytes()),
        ]),
    );
    let front = "```toml\n[advisory]\nid = \"RUSTSEC-2025-1\"\npackage = \"ring\"\n[versions]\npatched = []\n```\n";
    place.put("crates/ring/RUSTSEC-2025-1.md", front);
    place.put("README.md", "# Words");
    place.put("notes.txt", "words");
    place.put(".git/A-5.json", advisory("A-5"));
    let (ids, advisories, broken, problem) = place.read();
    assert_eq!(problem, None);
    assert_eq!(ids, ["A-1", "A-2", "A-3", "A-4", "RUSTSEC-2025-1"]);
    assert_eq!((advisories, broken), (5, 0));
    // The archive by itself.
    assert_eq!(
        place.read_at(&place.path("all.zip").clone()).0,
        ["A-3", "A-4"]
    );
}

#[test]
fn what_a_broken_file_said_before_still_stands_and_what_a_removed_one_said_does_not() {
    let mut place = Place::new();
    place.put("A-1.json", advisory("A-1"));
    place.put("b/A-2.json", advisory("A-2"));
    assert_eq!(place.read().0, ["A-1", "A-2"]);
    place.put("A-1.json", "{\"id\":");
    for _ in 0..2 {
        let (ids, advisories, broken, problem) = place.read();
        assert_eq!(ids, ["A-1", "A-2"]);
        assert_eq!((advisories, broken), (1, 1));
        let problem = problem.expect("told");
        assert!(problem.ends_with("A-1.json: it is cut off"), "{problem}");
    }
    fs::remove_file(place.path("A-1.json")).expect("removed");
    assert_eq!(place.read(), (vec!["A-2".into()], 1, 0, None));
    // Nor once the package is of another version: nobody has judged that one.
    place.put("b/A-2.json", "");
    place.packages = Packages::default().with_crates(&[("ring", "0.17.14")]);
    let (ids, _, broken, _) = place.read();
    assert_eq!((ids.len(), broken), (0, 1));
}

#[test]
fn the_first_few_that_are_broken_are_named() {
    let mut place = Place::new();
    for name in ["A-1", "A-2", "A-3", "A-4"] {
        place.put(&format!("{name}.json"), "");
    }
    let (_, _, broken, problem) = place.read();
    let problem = problem.expect("told");
    assert_eq!((broken, problem.matches("it is cut off").count()), (4, 3));
}

#[test]
fn what_a_broken_archive_said_before_still_stands() {
    let mut place = Place::new();
    let [one, two] = ["A-1", "A-2"].map(advisory);
    let whole = zip(&[("A-1.json", one.as_bytes()), ("A-2.json", two.as_bytes())]);
    place.put("all.zip", &whole);
    assert_eq!(place.read().0, ["A-1", "A-2"]);
    // Of the whole, cut off, nothing can be read; of one with a damaged entry, the rest.
    place.put("all.zip", &whole[..whole.len() / 2]);
    let (ids, advisories, broken, _) = place.read();
    assert_eq!((ids.len(), advisories, broken), (2, 0, 1));
    place.put(
        "all.zip",
        zip(&[
            ("A-1.json", b"{".as_slice()),
            ("A-9.json", advisory("A-9").as_bytes()),
        ]),
    );
    let (ids, advisories, broken, problem) = place.read();
    assert_eq!(ids, ["A-1", "A-9"]);
    assert_eq!((advisories, broken), (1, 1));
    assert!(problem.expect("told").starts_with("A-1.json in "));
    let kept = place.kept.len();
    place.read();
    assert_eq!(place.kept.len(), kept, "nothing is kept twice");
}

#[test]
fn what_was_in_a_folder_that_is_gone_or_closed_is_told() {
    let mut place = Place::new();
    place.put("sub/A-1.json", advisory("A-1"));
    let sub = place.path("sub");
    assert_eq!(place.read_at(&sub).0, ["A-1"]);
    fs::rename(&sub, place.path("away")).expect("moved");
    let (ids, _, broken, problem) = place.read_at(&sub);
    assert_eq!((ids, broken), (vec!["A-1".to_owned()], 1));
    assert!(problem.is_some());
}

#[test]
fn links_fifos_and_depths_are_told_and_not_followed() {
    let mut place = Place::new();
    place.put("A-1.json", advisory("A-1"));
    symlink(place.path("A-1.json"), place.path("A-2.json")).expect("a link");
    symlink(place.folder.path(), place.path("loop")).expect("a link");
    let (ids, _, broken, problem) = place.read();
    assert_eq!((ids, broken), (vec!["A-1".to_owned()], 2));
    let problem = problem.expect("told");
    assert!(
        problem.ends_with("it is a link, which is not followed"),
        "{problem}"
    );
    for name in ["A-2.json", "loop"] {
        fs::remove_file(place.path(name)).expect("removed");
        assert_eq!(place.read().2, usize::from(name == "A-2.json"));
    }
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.path("f.json"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .expect("a FIFO");
    assert_eq!(place.read().2, 1);
    fs::remove_file(place.path("f.json")).expect("removed");
    let deep = "d/".repeat(MAX_DEPTH + 1);
    place.put(&format!("{deep}A-3.json"), advisory("A-3"));
    let (ids, _, broken, _) = place.read();
    assert_eq!((ids, broken), (vec!["A-1".to_owned()], 1));
    // The place itself may be one: an integrator's folder elsewhere.
    symlink(place.path("d"), place.path("link")).expect("a link");
    assert_eq!(place.read_at(&place.path("link").clone()).0, ["A-3"]);
    place.put("all.zip", zip(&[("A-4.json", advisory("A-4").as_bytes())]));
    symlink(place.path("all.zip"), place.path("link.zip")).expect("a link");
    assert_eq!(place.read_at(&place.path("link.zip").clone()).0, ["A-4"]);
}

#[test]
fn markdown_that_is_named_like_an_advisory_has_to_be_one() {
    let mut place = Place::new();
    place.put("RUSTSEC-2025-1.md", "");
    place.put("RUSTSEC-2025-2/README.md", "");
    place.put(
        "all.zip",
        zip(&[("a/RUSTSEC-2025-3.md", b""), ("a.md", b"")]),
    );
    assert_eq!(place.read().2, 2);
}

#[test]
fn a_file_that_is_far_too_large_is_not_read() {
    let mut place = Place::new();
    place.put("A-1.json", advisory("A-1"));
    place.read();
    let file = fs::File::create(place.path("A-1.json")).expect("made");
    file.set_len(1 << 30).expect("sparse");
    let (ids, advisories, broken, problem) = place.read();
    assert_eq!((ids.len(), advisories, broken), (1, 0, 1));
    assert!(problem.expect("told").contains("larger than"));
}

#[test]
fn a_reading_ends_when_it_is_told_to() {
    let mut place = Place::new();
    for number in 0..10 {
        place.put(&format!("A-{number}.json"), advisory("A-1"));
    }
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    assert!(FolderReading::of(place.folder.path(), &place.packages, &[], LATEST, &stop).is_none());
    assert!(asked.get() < 10);
    assert_eq!(place.read().1, 10);
}

#[test]
fn no_more_is_kept_than_there_is_room_for_and_that_is_told() {
    let mut place = Place::new();
    for number in 0..20 {
        place.put(
            &format!("A-{number}.json"),
            advisory(&format!("A-{number}")),
        );
    }
    place.read();
    // As many as there are in one file count once; those of many files until there is no room.
    let names: Vec<_> = (0..30).map(|n| format!("{}{n}", "N".repeat(60))).collect();
    let wide = |id: &str| {
        let text = advisory(id);
        text.replacen(
            '{',
            &format!("{{\"aliases\":{},", serde_json::json!(names)),
            1,
        )
    };
    for number in 0..4000 {
        place.put(
            &format!("wide/B-{number}.json"),
            wide(&format!("B-{number}")),
        );
    }
    let (ids, _, _, problem) = place.read();
    assert!(
        problem
            .expect("told")
            .ends_with("there is too much here; nothing behind it is read")
    );
    let size: usize = place.kept.iter().map(StoredMatch::size).sum();
    assert!(ids.len() > 1000 && size <= MAX_SIZE, "{} {size}", ids.len());
    let before = place.kept.len();
    place.read();
    assert!(place.kept.len() <= before.max(MAX_MATCHES));
    // Small ones are counted. Of what comes then, nothing is looked at.
    let mut place = Place::new();
    let one = advisory("A-1");
    place.put(
        "all.zip",
        zip(&vec![("A-1.json", one.as_bytes()); MAX_MATCHES + 2]),
    );
    let (ids, advisories, broken, _) = place.read();
    assert_eq!(
        (ids.len(), advisories, broken),
        (MAX_MATCHES, MAX_MATCHES, 1)
    );
}

#[test]
fn a_reading_has_an_end_however_much_there_is() {
    let place = Place::new();
    let path = place.folder.path();
    let reading =
        || FolderReading::of(path, &place.packages, &[], LATEST, &|| false).expect("not stopped");
    let mut full = reading();
    full.bytes = MAX_BYTES;
    assert!(
        full.advisory(path, &[], AdvisoryFormat::Osv, Ok(b"{}"))
            .is_err()
    );
    let mut full = reading();
    full.entries = MAX_ENTRIES;
    assert!(full.count(path).is_err());
}

#[test]
fn thousands_of_broken_files_end_it_and_what_was_known_stands() {
    let mut place = Place::new();
    place.put("A-1.json", advisory("A-1"));
    let two = advisory("A-2");
    let whole = [("A-2.json", two.as_bytes())];
    place.put("all.zip", zip(&whole));
    place.read();
    fs::remove_file(place.path("A-1.json")).expect("removed");
    let names: Vec<_> = (0..MAX_BROKEN + 100)
        .map(|n| format!("{}.json", n % 7))
        .collect();
    let broken = names.iter().map(|name| (name.as_str(), b"{".as_slice()));
    let files: Vec<_> = whole.into_iter().chain(broken).collect();
    place.put("all.zip", zip(&files));
    let (ids, _, broken, _) = place.read();
    assert_eq!(ids, ["A-1", "A-2"], "each once");
    assert!(broken <= MAX_BROKEN + 2, "{broken}");
}

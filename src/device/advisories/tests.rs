//! What becomes of advisories that come, change, break and go, with the server's clock and a system's files.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::clock::FakeTimeSource;

struct Board {
    advisories: Advisories,
    time: Arc<FakeTimeSource>,
    folder: TempDir,
}

/// A Debian 12 with one package. `place`: where its advisories are, under its root.
fn board(place: &str, is_given: bool) -> Board {
    board_that_ignores(place, is_given, &[])
}

fn board_that_ignores(place: &str, is_given: bool, ignored: &[&str]) -> Board {
    let folder = tempfile::tempdir().expect("a folder");
    let time = Arc::new(FakeTimeSource::new(Timestamp::from_secs(1_795_000_000)));
    let settings = AdvisorySettings {
        place: folder.path().join(place),
        is_given,
        ignored: ignored.iter().map(ToString::to_string).collect(),
    };
    let clock = Arc::new(Clock::new(time.clone(), None));
    let advisories = Advisories::new(settings, folder.path().to_owned(), clock);
    let board = Board {
        advisories,
        time,
        folder,
    };
    board.put("etc/os-release", "ID=debian\nVERSION_ID=12\n");
    board.install("1.0-1");
    board
}

impl Board {
    fn put(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn install(&self, version: &str) {
        let list = format!("Package: tool\nStatus: install ok installed\nVersion: {version}\n");
        self.put("var/lib/dpkg/status", &list);
    }

    fn advise(&self, id: &str, fixed: &str) {
        let text = format!(
            r#"{{"id":"{id}","affected":[{{"package":{{"ecosystem":"Debian:12","name":"tool"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
        );
        self.put(&format!("advisories/{id}.json"), &text);
    }

    /// Looks twice: what has just changed is only read at the second look.
    fn look(&self) -> (Vec<String>, AdvisoryState) {
        for _ in 0..2 {
            self.advisories.check(&|| false);
        }
        let report = self.advisories.report();
        (
            report.findings.iter().map(|one| one.id.clone()).collect(),
            report.state,
        )
    }
}

fn ids(ids: &[&str], state: AdvisoryState) -> (Vec<String>, AdvisoryState) {
    (ids.iter().map(ToString::to_string).collect(), state)
}

#[test]
fn what_changes_is_noticed() {
    let board = board("advisories", false);
    assert_eq!(board.advisories.report().state, AdvisoryState::Unknown);
    assert_eq!(board.look(), ids(&[], AdvisoryState::Off));
    board.advise("CVE-1", "1.0-2");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Current));
    board.advise("CVE-2", "1.0-3");
    assert_eq!(
        board.look(),
        ids(&["CVE-1", "CVE-2"], AdvisoryState::Current)
    );
    board.install("1.0-2");
    assert_eq!(board.look(), ids(&["CVE-2"], AdvisoryState::Current));
    let report = board.advisories.report();
    assert_eq!(report.advisories, 2);
    assert_eq!(report.checked, Some(Timestamp::from_secs(1_795_000_000)));
    assert_eq!(report.findings[0].fixed_in.as_deref(), Some("1.0-3"));
    board.install("1.0-3");
    assert_eq!(board.look(), ids(&[], AdvisoryState::Current));
}

#[test]
fn what_changes_just_now_is_read_at_the_next_look() {
    let board = board("advisories", false);
    board.look();
    board.advise("CVE-1", "1.0-2");
    board.advisories.check(&|| false);
    assert_eq!(board.advisories.report().state, AdvisoryState::Off);
    board.advisories.check(&|| false);
    assert_eq!(board.advisories.report().state, AdvisoryState::Current);
}

#[test]
fn what_cannot_be_read_is_no_good_news() {
    let board = board("advisories", false);
    board.advise("CVE-1", "1.0-2");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Current));
    board.put("advisories/CVE-1.json", "{");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Failing));
    let said = board.advisories.report().error.clone().expect("told");
    assert!(said.contains("CVE-1.json: it is cut off"), "{said}");
    // The list of packages too: then they are as they were.
    board.advise("CVE-1", "1.0-2");
    board.put("var/lib/dpkg/status", "Package: tool\nVers");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Failing));
    board.install("1.0-1");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Current));
    fs::remove_dir_all(board.folder.path().join("advisories")).expect("removed");
    assert_eq!(board.look(), ids(&[], AdvisoryState::Off));
    // Without advisories nobody asks for packages.
    board.put("var/lib/dpkg/status", "Package: tool\nVers");
    assert_eq!(board.look(), ids(&[], AdvisoryState::Off));
}

#[test]
fn a_configured_place_has_to_be_there() {
    let board = board("advisories", true);
    assert_eq!(board.look(), ids(&[], AdvisoryState::Failing));
    board.advise("CVE-1", "1.0-2");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Current));
    let away = |from: &str, to: &str| {
        let path = |name: &str| board.folder.path().join(name);
        fs::rename(path(from), path(to)).expect("moved");
    };
    away("advisories", "away");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Failing));
    away("away", "advisories");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Current));
}

#[test]
fn an_emptied_folder_has_no_advisories_but_one_that_lies_below_another_is_no_good_news() {
    let board = board("advisories", true);
    let path = |name: &str| board.folder.path().join(name);
    board.advise("CVE-1", "1.0-2");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Current));
    // As when a stick is pulled out that was mounted there.
    fs::rename(path("advisories"), path("stick")).expect("moved");
    fs::create_dir(path("advisories")).expect("made");
    for _ in 0..3 {
        assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Failing));
        board.time.advance(RETRY);
    }
    fs::remove_dir(path("advisories")).expect("removed");
    fs::rename(path("stick"), path("advisories")).expect("moved");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Current));
    fs::remove_file(path("advisories/CVE-1.json")).expect("removed");
    assert_eq!(board.look(), ids(&[], AdvisoryState::Off));
    // A link to a stick that is not in is something else than nothing.
    let board = self::board("advisories", false);
    let link = board.folder.path().join("advisories");
    std::os::unix::fs::symlink(board.folder.path().join("stick"), link).expect("a link");
    assert_eq!(board.look(), ids(&[], AdvisoryState::Failing));
    // So is what the system will not tell of.
    let board = self::board("file/advisories", false);
    board.put("file", "");
    assert_eq!(board.look(), ids(&[], AdvisoryState::Failing));
    // A folder that never had any is just empty.
    let board = self::board("advisories", false);
    fs::create_dir(board.folder.path().join("advisories")).expect("made");
    assert_eq!(board.look(), ids(&[], AdvisoryState::Off));
}

#[test]
fn what_never_comes_to_rest_is_read_all_the_same() {
    let board = board("advisories", false);
    board.look();
    board.advise("CVE-1", "1.0-2");
    for step in 0..20 {
        board.put("advisories/log", &"x".repeat(step));
        assert!(board.advisories.check(&|| false), "{step}");
        board.time.advance(RESTLESS / 20);
    }
    board.put("advisories/log", "");
    assert!(!board.advisories.check(&|| false));
    assert_eq!(board.advisories.report().findings.len(), 1);
}

#[test]
fn it_is_told_what_the_advisories_are_about() {
    let board = board("advisories", false);
    board.advise("CVE-1", "1.0-2");
    board.put(
        "advisories/A-1.json",
        r#"{"id":"A-1","affected":[{"package":{"ecosystem":"crates.io","name":"x"}}]}"#,
    );
    board.put(
        "advisories/A-2.json",
        r#"{"id":"A-2","affected":[{"package":{"ecosystem":"npm","name":"x"}}]}"#,
    );
    board.look();
    let report = board.advisories.report();
    assert_eq!(report.advisories, 3);
    let all = report.ecosystems.iter();
    let counts: Vec<_> = all
        .map(|one| (one.name.as_str(), one.advisories, one.newest))
        .collect();
    assert_eq!(counts, [("Debian:12", 1, None), ("crates.io", 1, None)]);
}

#[test]
fn it_is_told_how_old_they_are() {
    let board = board("advisories", false);
    let newest = || {
        board.look();
        let report = board.advisories.report();
        assert_eq!(report.state, AdvisoryState::Current);
        [0, 1].map(|index| {
            let newest = report.ecosystems[index].newest;
            newest.map(|time| time.to_string())
        })
    };
    for (name, ecosystem, modified) in [
        ("A-1", "Debian:12", "2026-11-17T10:11:12.345678Z"),
        ("A-2", "Debian:12", "2025-01-01T00:00:00Z"),
        ("A-3", "crates.io", "2024-02-29T00:00:00Z"),
        ("A-4", "crates.io", "tomorrow"),
        ("A-6", "Debian:12", "2026-11-20T00:00:00Z"),
        ("A-7", "crates.io", "9999-12-31T23:59:59Z"),
        ("A-5", "npm", "2026-11-18T00:00:00Z"),
    ] {
        let text = format!(
            r#"{{"id":"{name}","modified":"{modified}","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"x"}}}}]}}"#
        );
        board.put(&format!("advisories/{name}.json"), &text);
    }
    // What is no time at all costs nobody the advisory.
    board.put(
        "advisories/A-8.json",
        r#"{"id":"A-8","modified":12,"affected":[{"package":{"ecosystem":"crates.io","name":"x"}}]}"#,
    );
    let debian = Some("2026-11-17T10:11:12.000Z".to_owned());
    let crates = Some("2024-02-29T00:00:00.000Z".to_owned());
    assert_eq!(newest(), [debian.clone(), crates]);
    // RustSec's say it in their own way, and those that only inform count too.
    board.put(
        "advisories/RUSTSEC-2025-0009.md",
        "```toml\n[advisory]\nid = \"RUSTSEC-2025-0009\"\npackage = \"x\"\ndate = \"2025-03-06\"\ninformational = \"notice\"\n```\n",
    );
    assert_eq!(newest(), [debian, Some("2025-03-06T00:00:00.000Z".into())]);
}

#[test]
fn a_clock_that_was_never_set_calls_no_advisory_too_young() {
    let board = board("advisories", false);
    board.time.set_system(Timestamp::from_secs(5));
    let clock = Arc::new(Clock::new(board.time.clone(), None));
    let advisories = Advisories::new(
        board.advisories.settings.clone(),
        board.folder.path().to_owned(),
        clock,
    );
    board.put(
        "advisories/A-1.json",
        r#"{"id":"A-1","modified":"2026-11-17T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12","name":"x"}}]}"#,
    );
    advisories.check(&|| false);
    let newest = advisories.report().ecosystems[0].newest;
    assert_eq!(
        newest.map(|time| time.to_string()).as_deref(),
        Some("2026-11-17T00:00:00.000Z")
    );
}

#[test]
fn it_is_all_read_again_after_some_hours_and_sooner_after_a_failure() {
    let board = board("advisories", false);
    board.advise("CVE-1", "1.0-2");
    // Too far down for a look to notice that it changes.
    let deep = "advisories/a/b/c/CVE-2.json";
    board.put(deep, "{");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Failing));
    fs::copy(
        board.folder.path().join("advisories/CVE-1.json"),
        board.folder.path().join(deep),
    )
    .expect("copied");
    assert_eq!(board.look().1, AdvisoryState::Failing);
    board.time.advance(RETRY);
    assert_eq!(board.look().1, AdvisoryState::Current);
    board.put(deep, "{");
    board.time.advance(AGAIN / 2);
    assert_eq!(board.look().1, AdvisoryState::Current);
    board.time.advance(AGAIN / 2);
    assert_eq!(board.look().1, AdvisoryState::Failing);
}

#[test]
fn a_check_that_is_stopped_leaves_all_as_it_was() {
    let board = board("advisories", false);
    board.advise("CVE-1", "1.0-2");
    board.look();
    board.advise("CVE-2", "1.0-2");
    board.advisories.check(&|| true);
    board.advisories.check(&|| true);
    assert_eq!(board.advisories.report().findings.len(), 1);
    assert_eq!(board.look().0, ["CVE-1", "CVE-2"]);
}

#[test]
fn what_somebody_looked_into_is_counted_apart() {
    let board = board_that_ignores("advisories", false, &["CVE-2", "CVE-9"]);
    board.advise("CVE-1", "1.0-2");
    board.advise("CVE-2", "1.0-2");
    assert_eq!(board.look(), ids(&["CVE-1"], AdvisoryState::Current));
    assert_eq!(board.advisories.report().ignored, 1);
}

#[test]
fn only_what_can_be_a_name_is_one() {
    for good in ["CVE-2024-1", "GHSA-xxxx-1", "a:b+c.d_e"] {
        assert!(crate::config::is_advisory(good), "{good}");
    }
    for bad in ["", "a/b", "a b", "../x", "é", "a\n", &"a".repeat(65)] {
        assert!(!crate::config::is_advisory(bad), "{bad}");
    }
}

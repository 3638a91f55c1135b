//! The dropped file, good and bad.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;

impl Board {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn drop(&self, text: impl AsRef<[u8]>) {
        self.leave("update.json", text);
    }

    /// As a careful program does it: written whole, then given its name.
    fn leave(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path("new"), text).expect("written");
        std::fs::rename(self.path("new"), self.path(name)).expect("renamed");
        self.updates.look();
    }
}

const NEWS: &str = r#"{"version":"0.2.0","url":"https://example.org/p"}"#;

#[test]
fn a_dropped_file_is_noticed_and_so_is_its_end() {
    let board = Board::without_feed();
    assert_eq!(board.known(), (None, UpdateState::Off));
    board.drop(NEWS);
    assert_eq!(board.known(), available("0.2.0"));
    board.drop(r#"{"tag_name":"v0.3.0"}"#);
    assert_eq!(board.known(), available("0.3.0"));
    board.drop(NEWS);
    assert_eq!(board.known(), available("0.2.0"));
    board.drop(r#"{"version":"0.1.0"}"#);
    assert_eq!(board.known(), (None, UpdateState::Current));
    board.drop(NEWS);
    std::fs::remove_file(board.path("update.json")).expect("removed");
    board.updates.look();
    assert_eq!(board.known(), (None, UpdateState::Off));
}

#[test]
fn a_file_that_lies_there_at_the_start_is_read_then() {
    let board = Board::without_feed();
    board.drop(NEWS);
    let place = board.folder.path().to_owned();
    let clock = Arc::new(Clock::new(board.time.clone(), None));
    let again = Updates::new(
        UpdateSettings::default(),
        place,
        Version::new(0, 1, 0),
        clock,
    );
    assert_eq!(again.report().state, UpdateState::Available);
}

#[test]
fn a_file_that_cannot_be_used_leaves_what_was_known() {
    let board = Board::without_feed();
    let fails = |board: &Board, words: &str| {
        board.updates.look();
        assert_eq!(board.known(), available("0.2.0"), "{words}");
        let error = board.updates.report().error.expect(words);
        assert!(
            error.starts_with("update.json: ") && error.contains(words),
            "{error}"
        );
    };
    board.drop(NEWS);
    for text in ["", "{\"version\":\"0.", "[[[[", "null", "\0"] {
        board.drop(text);
        fails(&board, "not the JSON");
    }
    board.drop(vec![b' '; 256 * 1024 + 1]);
    fails(&board, "larger than 256 KiB");
    let path = board.path("update.json");
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("a folder");
    fails(&board, "not a regular file");
    std::fs::remove_dir(&path).expect("removed");
    // A link, to a file that would do and to one without end.
    let elsewhere = r#"{"version":"0.9.0"}"#;
    std::fs::write(board.path("elsewhere"), elsewhere).expect("written");
    for target in [board.path("elsewhere"), PathBuf::from("/dev/zero")] {
        symlink(target, &path).expect("a link");
        fails(&board, "cannot be read");
        std::fs::remove_file(&path).expect("removed");
    }
    // A FIFO nobody writes into holds nobody up.
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a FIFO");
    fails(&board, "not a regular file");
    std::fs::remove_file(&path).expect("removed");
    board.drop(NEWS);
    assert_eq!(board.updates.report().error, None);
}

#[test]
fn somebody_elses_file_is_not_believed() {
    let board = Board::without_feed();
    board.leave("theirs", NEWS);
    if !rustix::process::geteuid().is_root()
        || std::os::unix::fs::chown(board.path("theirs"), Some(1234), None).is_err()
    {
        return;
    }
    std::fs::rename(board.path("theirs"), board.path("update.json")).expect("renamed");
    board.updates.look();
    assert_eq!(board.known(), (None, UpdateState::Failing));
    assert!(
        board
            .updates
            .report()
            .error
            .expect("why")
            .contains("user 1234")
    );
}

#[test]
fn with_a_key_a_dropped_file_needs_its_signature_too() {
    let signer = Signer::new(1);
    let board = Board::with(UpdateSettings {
        public_key: Some(signer.key()),
        ..UpdateSettings::default()
    });
    board.drop(NEWS);
    assert_eq!(board.known(), (None, UpdateState::Failing));
    assert!(
        board
            .updates
            .report()
            .error
            .expect("why")
            .contains("not signed")
    );
    board.leave("update.json.minisig", Signer::new(2).sign(NEWS.as_bytes()));
    assert!(
        board
            .updates
            .report()
            .error
            .expect("why")
            .contains("not that of")
    );
    // The signature alone has changed: that is enough.
    board.leave("update.json.minisig", signer.sign(NEWS.as_bytes()));
    assert_eq!(board.known(), available("0.2.0"));
    board.drop(r#"{"version":"9.0.0"}"#);
    assert_eq!(board.known(), available("0.2.0"));
}

#[test]
fn of_a_feed_and_a_file_the_newer_one_counts() {
    let feed = Feed::with(vec![("/u", "200 OK", br#"{"version":"0.2.0"}"#.to_vec())]);
    let board = Board::asking(&feed);
    board.ask().expect("news");
    board.drop(r#"{"version":"0.3.0"}"#);
    assert_eq!(board.known(), available("0.3.0"));
    board.drop(NEWS);
    assert_eq!(board.known(), available("0.2.0"));
    assert!(board.updates.known().expect("an update").url.is_some());
    std::fs::remove_file(board.path("update.json")).expect("removed");
    board.updates.look();
    assert_eq!(board.known(), available("0.2.0"));
    assert_eq!(board.updates.known().expect("an update").url, None);
}

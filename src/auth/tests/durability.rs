//! When the journal cannot be written: what is answered, what is in force all the same, and what a power cut leaves.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::journal::MemoryStorage;
use crate::journal::storage::Failing;

/// Syncs fail, and so does the rewriting of the journal that would heal it.
const BROKEN: Failing = Failing {
    appends: false,
    syncs: true,
    replacements: true,
    publishing: false,
    read_only: false,
};

static BOOTS: AtomicU64 = AtomicU64::new(0);

/// Authentication over a journal whose storage the test breaks and mends.
pub(super) struct Board {
    pub storage: MemoryStorage,
    pub time: Arc<FakeTimeSource>,
    pub journal: Arc<Journal>,
    pub auth: Auth,
    directory: Arc<TempDir>,
}

impl Board {
    fn boot(storage: MemoryStorage, system: Timestamp, directory: Arc<TempDir>) -> Self {
        let settings = settings(&directory);
        Self::boot_with(settings, storage, system, directory)
    }

    fn boot_with(
        settings: Settings,
        storage: MemoryStorage,
        system: Timestamp,
        directory: Arc<TempDir>,
    ) -> Self {
        let time = Arc::new(FakeTimeSource::new(system));
        let durable = Arc::new(Durable::new());
        let opened = Journal::open(Box::new(storage.clone()), durable.clone(), time.clone());
        let (journal, replayed) = opened.unwrap();
        let journal = Arc::new(journal);
        // Another seed each time, as the kernel's would be.
        let seed = BOOTS.fetch_add(1, Ordering::Relaxed);
        let entropy = Arc::new(FakeEntropy::new(seed));
        let auth = Auth::new(
            settings,
            durable,
            journal.clone(),
            replayed.clock,
            entropy,
            None,
            Box::new(|| ()),
        );
        auth.initialise(Some(RIGHT), time.as_ref()).unwrap();
        Self {
            storage,
            time,
            journal,
            auth,
            directory,
        }
    }

    fn new() -> Self {
        Self::first_boot(NOON)
    }

    /// A first boot under this system clock.
    pub fn first_boot(system: Timestamp) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        Self::boot(MemoryStorage::new(), system, directory)
    }

    /// What is found when the power comes back, with the system's clock there and these settings changed.
    pub fn power_cut(&self, system: Timestamp, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(&self.directory);
        change(&mut settings);
        let storage = self.storage.after_power_cut();
        Self::boot_with(settings, storage, system, self.directory.clone())
    }

    /// What is found when the power comes back right now.
    fn after_power_cut(&self) -> Self {
        let storage = self.storage.after_power_cut();
        Self::boot(storage, self.auth.clock.now(), self.directory.clone())
    }

    /// What is found when the process was killed, but the machine went on: written is as good as synced.
    fn after_kill(&self) -> Self {
        let storage = MemoryStorage::with_bytes(self.storage.bytes());
        Self::boot(storage, self.auth.clock.now(), self.directory.clone())
    }

    fn mend(&self) {
        self.storage.fail(Failing::default());
        // As the housekeeper would. It may wait a while between two attempts.
        self.time.advance(Duration::from_secs(60));
        self.journal.tick();
        assert!(self.journal.healthy());
    }

    pub fn login(&self) -> TokenPair {
        self.auth.login(CLIENT, "admin", RIGHT).unwrap()
    }

    pub fn is_good(&self, pair: &TokenPair) -> bool {
        self.auth.bearer(&pair.access_token).is_ok()
    }

    pub fn logout(&self, pair: &TokenPair) -> Result<(), AuthError> {
        self.auth
            .logout(&self.auth.bearer(&pair.access_token).unwrap())
    }

    fn is_password(&self, password: &str) -> bool {
        self.auth.basic(None, "admin", password).is_ok()
    }
}

#[test]
fn a_logout_that_cannot_be_written_says_so_and_is_in_force() {
    let board = Board::new();
    let (pair, other) = (board.login(), board.login());
    board.storage.fail(BROKEN);
    assert_eq!(board.logout(&pair), Err(AuthError::NotDurable));
    assert!(!board.journal.healthy());
    assert!(!board.is_good(&pair) && board.is_good(&other));
    assert!(board.auth.refresh(&pair.refresh_token).is_err());
    // That is why it was not answered with a success.
    assert!(board.after_power_cut().is_good(&pair));

    board.mend();
    for board in [&board, &board.after_power_cut()] {
        assert!(!board.is_good(&pair) && board.is_good(&other));
        assert!(board.auth.refresh(&pair.refresh_token).is_err());
    }
}

#[test]
fn a_refresh_that_cannot_be_written_gives_no_pair_and_is_no_theft_when_it_comes_again() {
    let board = Board::new();
    let pair = board.login();
    board.storage.fail(BROKEN);
    for _ in 0..2 {
        let refused = refusal(board.auth.refresh(&pair.refresh_token));
        assert_eq!(refused, Some(AuthError::NotDone));
    }
    board.mend();
    // The client waits as long as it was told to, which is longer than any grace.
    board.time.advance(Duration::from_secs(60));
    let next = board.auth.refresh(&pair.refresh_token).unwrap();
    assert!(board.is_good(&pair) && board.is_good(&next));
    let after = board.after_power_cut();
    assert!(after.is_good(&next));
    let again = refusal(after.auth.refresh(&pair.refresh_token));
    assert_eq!(again, Some(AuthError::InvalidToken));
}

#[test]
fn a_theft_that_cannot_be_written_ends_the_login_all_the_same() {
    let board = Board::new();
    let pair = board.login();
    let next = board.auth.refresh(&pair.refresh_token).unwrap();
    board.time.advance(Duration::from_secs(11));
    board.storage.fail(BROKEN);
    let refused = refusal(board.auth.refresh(&pair.refresh_token));
    assert_eq!(refused, Some(AuthError::NotDurable));
    assert!(!board.is_good(&next));
    board.mend();
    assert!(!board.after_power_cut().is_good(&next));
}

#[test]
fn a_change_that_cannot_be_written_leaves_exactly_the_old_password() {
    let board = Board::new();
    let (mine, other) = (board.login(), board.login());
    let principal = board.auth.bearer(&mine.access_token).unwrap();
    board.storage.fail(BROKEN);
    let change = board.auth.change_password(CLIENT, &principal, RIGHT, OTHER);
    assert_eq!(change, Err(AuthError::NotDone));
    let only_the_old_one = |board: &Board| {
        assert!(board.is_password(RIGHT) && !board.is_password(OTHER));
        assert!(board.is_good(&mine) && board.is_good(&other));
    };
    only_the_old_one(&board);
    only_the_old_one(&board.after_power_cut());
    // A kill may let through what was never synced; even then one password works, and only one.
    let killed = board.after_kill();
    assert_ne!(killed.is_password(RIGHT), killed.is_password(OTHER));

    board.mend();
    only_the_old_one(&board);
    only_the_old_one(&board.after_power_cut());
    only_the_old_one(&board.after_kill());
    let change = board.auth.change_password(CLIENT, &principal, RIGHT, OTHER);
    assert_eq!(change, Ok(()));
    for board in [&board, &board.after_power_cut()] {
        assert!(board.is_password(OTHER) && !board.is_password(RIGHT));
        assert!(board.is_good(&mine) && !board.is_good(&other));
    }
}

#[test]
fn a_lock_out_that_cannot_be_written_locks_out_all_the_same() {
    let board = Board::new();
    board.storage.fail(BROKEN);
    for _ in 0..5 {
        let wrong = board.auth.basic(CLIENT, "admin", "wrong");
        assert_eq!(wrong, Err(AuthError::BadCredentials));
    }
    let locked = Err(AuthError::LockedOut { retry_after: 300 });
    assert_eq!(board.auth.basic(CLIENT, "admin", RIGHT), locked);
    board.mend();
    let locked = Err(AuthError::LockedOut { retry_after: 240 });
    assert_eq!(board.auth.basic(CLIENT, "admin", RIGHT), locked);
    let after = board.after_power_cut();
    assert_eq!(after.auth.basic(CLIENT, "admin", RIGHT), locked);
}

#[test]
fn a_lock_out_whose_lifting_cannot_be_written_is_lifted() {
    let board = Board::new();
    for _ in 0..5 {
        assert!(board.auth.basic(CLIENT, "admin", "wrong").is_err());
    }
    board.storage.fail(BROKEN);
    assert_eq!(board.auth.clear_lockout(CLIENT), Err(AuthError::NotDurable));
    assert!(board.auth.basic(CLIENT, "admin", RIGHT).is_ok());
    assert!(
        board
            .after_power_cut()
            .auth
            .basic(CLIENT, "admin", RIGHT)
            .is_err()
    );
    board.mend();
    assert!(
        board
            .after_power_cut()
            .auth
            .basic(CLIENT, "admin", RIGHT)
            .is_ok()
    );
}

#[test]
fn logging_in_needs_no_journal() {
    let board = Board::new();
    board.storage.fail(BROKEN);
    let pair = board.login();
    assert!(board.is_good(&pair));
    assert_eq!(board.logout(&pair), Err(AuthError::NotDurable));
    assert!(!board.is_good(&pair));
}

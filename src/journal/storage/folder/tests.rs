use std::fs;
use std::path::Path;

use super::*;

#[test]
fn a_second_process_is_told_that_the_folder_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let first = FileStorage::open(folder.path()).unwrap();
    let second = FileStorage::open(folder.path()).unwrap_err();
    assert!(matches!(second, OpenError::Locked { .. }), "{second}");
    drop(first);
    FileStorage::open(folder.path()).unwrap();
}

#[test]
fn nothing_is_made_in_a_folder_whose_lock_somebody_else_has() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("state");
    let storage = FileStorage::open(&folder).unwrap();
    // As when another file system is mounted over it.
    fs::rename(&folder, outer.path().join("old")).unwrap();
    let other = FileStorage::open(&folder).unwrap();
    assert!(storage.create("journal.new").is_err());
    assert!(!folder.join("journal.new").exists());
    drop(other);
    storage.create("journal.new").unwrap();
    let refused = FileStorage::open(&folder).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
}

#[test]
fn what_is_no_file_does_not_pass_for_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::open(folder.path()).unwrap();
    assert!(storage.open("journal").unwrap().is_none());
    let path = folder.path().join("journal");
    let refused = || {
        let refused = storage.open("journal").err().expect("it is refused");
        assert!(refused.to_string().contains("move it away"), "{refused}");
    };
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    refused();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused();
    fs::remove_dir(&path).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    refused();
}

#[test]
fn root_touches_nothing_in_a_services_folder() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("state");
    let storage = FileStorage::open(&folder).unwrap();
    storage.create("journal").unwrap();
    fs::remove_file(folder.join("lock")).unwrap();
    std::os::unix::fs::chown(&folder, Some(1234), Some(2345)).unwrap();
    let refused = FileStorage::open(&folder).unwrap_err();
    assert!(refused.to_string().contains("--user 1234"), "{refused}");
    assert!(storage.open("journal").is_err());
    assert!(storage.rename("journal", "journal.new").is_err());
    assert!(storage.link("journal", "journal.damaged.1").is_err());
    assert!(storage.remove("journal").is_err());
    let names: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
    assert!(names.len() == 1 && names[0].file_name() == "journal");
}

#[test]
fn a_link_in_the_place_of_the_lock_or_the_journal_makes_and_changes_nothing_elsewhere() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("state");
    fs::create_dir(&folder).unwrap();
    let target = outer.path().join("target");
    std::os::unix::fs::symlink(&target, folder.join("lock")).unwrap();
    let refused = FileStorage::open(&folder).unwrap_err();
    assert!(refused.to_string().contains("link"), "{refused}");
    assert!(!target.exists());
    fs::remove_file(folder.join("lock")).unwrap();

    fs::write(&target, "theirs").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&target, folder.join("journal")).unwrap();
    let storage = FileStorage::open(&folder).unwrap();
    assert!(storage.open("journal").is_err());
    let mode = fs::metadata(&target).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode, fs::read(&target).unwrap().as_slice()),
        (0o644, &b"theirs"[..])
    );
}

#[test]
fn a_file_system_that_is_full_or_read_only_has_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::open(folder.path()).unwrap();
    assert_eq!(storage.room().unwrap(), Room::Enough);
    let mut stat = statvfs(folder.path()).unwrap();
    (stat.f_frsize, stat.f_blocks) = (4096, 1000);
    (stat.f_bfree, stat.f_bavail) = (16, 15);
    stat.f_flag = StatVfsMountFlags::empty();
    assert_eq!(room(&stat, false), Room::Full);
    assert_eq!(room(&stat, true), Room::Enough, "some is kept for root");
    stat.f_bfree = 15;
    assert_eq!(room(&stat, true), Room::Full);
    stat.f_blocks = 0;
    assert_eq!(room(&stat, true), Room::Enough, "nothing is counted");
    stat.f_flag = StatVfsMountFlags::RDONLY;
    assert_eq!(room(&stat, true), Room::ReadOnly);
}

#[test]
fn nobody_else_may_read_what_is_kept() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("state");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let storage = FileStorage::open(&folder).unwrap();
    storage.create("journal").unwrap();
    assert_eq!(mode(&folder), 0o700);
    for name in ["lock", "journal"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    fs::set_permissions(folder.join("journal"), Permissions::from_mode(0o644)).unwrap();
    storage.open("journal").unwrap();
    assert_eq!(mode(&folder.join("journal")), 0o600);
}

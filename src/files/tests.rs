use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_file_is_replaced_whole_and_is_private() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("secret");
    replace(&path, b"one").expect("written");
    // A leftover of a crashed replacement is no obstacle.
    fs::write(dir.path().join("secret.new"), b"half").expect("written");
    replace(&path, b"two").expect("replaced");
    assert_eq!(read(&path).expect("read"), b"two");
    assert_eq!(
        fs::metadata(&path).expect("there").permissions().mode() & 0o777,
        0o600
    );
    assert!(!dir.path().join("secret.new").exists());
    remove(&path).expect("removed");
    remove(&path).expect("removed twice");
    assert!(!path.exists());
}

#[test]
fn the_state_folder_is_closed_to_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a/b");
    fs::create_dir_all(&path).expect("made");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("opened");
    prepare_dir(&path, |_, _| true).expect("prepared");
    assert_eq!(
        fs::metadata(&path).expect("there").permissions().mode() & 0o777,
        0o700
    );
}

#[test]
fn who_may_not_use_a_file_is_told_whose_it_is_and_the_way_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("journal");
    fs::write(&path, "").expect("written");
    if !geteuid().is_root() || std::os::unix::fs::chown(&path, Some(1234), None).is_err() {
        return;
    }
    let said = whose(&path, Errno::ACCESS.into()).to_string();
    assert!(said.contains("belongs to user 1234"), "{said}");
    assert!(said.contains("chown 0:"), "{said}");
    let other = whose(&path, io::ErrorKind::StorageFull.into());
    assert_eq!(other.kind(), io::ErrorKind::StorageFull);
    assert!(!other.to_string().contains("belongs"));
}

#[test]
fn a_replacement_that_fails_leaves_nothing_beside() {
    let dir = tempfile::tempdir().expect("a directory");
    // A folder cannot be replaced by a file.
    let path = dir.path().join("taken");
    fs::create_dir(&path).expect("made");
    assert!(replace(&path, b"anew").is_err());
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
}

#[test]
fn a_folder_that_everybody_shares_is_not_closed_to_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let mode = || {
        fs::metadata(dir.path())
            .expect("there")
            .permissions()
            .mode()
            & 0o7777
    };
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).expect("opened");
    assert!(prepare_dir(dir.path(), |_, _| true).is_err());
    assert_eq!(mode(), 0o1777);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).expect("closed");
}

#[test]
fn what_is_no_small_regular_file_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(read(dir.path()).is_err());
    let large = dir.path().join("large");
    fs::write(&large, vec![0; 1024 * 1024 + 1]).expect("written");
    assert!(read(&large).is_err());
}

#[test]
fn a_folder_that_is_not_ours_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("letter"), "").expect("written");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("opened");
    let mut seen = Vec::new();
    let refused = prepare_dir(dir.path(), |names, is_private| {
        assert!(!is_private);
        seen = names.to_vec();
        false
    })
    .expect_err("a refusal");
    assert_eq!(seen, ["letter"]);
    assert!(refused.to_string().contains("letter"), "{refused}");
    let mode = fs::metadata(dir.path())
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn a_link_is_followed_on_the_way_to_a_folder_only_if_it_is_roots_or_ours() {
    let dir = tempfile::tempdir().expect("a directory");
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).expect("made");
    std::os::unix::fs::symlink("real", &link).expect("linked");
    let path = link.join("secret");
    replace(&path, b"ours").expect("written");
    assert_eq!(read_own(&real.join("secret")).expect("read"), b"ours");
    if !geteuid().is_root() || std::os::unix::fs::lchown(&link, Some(1234), None).is_err() {
        return;
    }
    for refused in [
        replace(&path, b"theirs"),
        read_own(&path).map(drop),
        read_no_link(&path, 10).map(drop),
        remove(&path),
        rename(&path, &link.join("other")),
        make_folder(&link.join("new")),
        prepare_dir(&link, |_, _| true),
    ] {
        let refused = refused.expect_err("a refusal").to_string();
        assert!(refused.contains("a link that user 1234 made"), "{refused}");
    }
    assert_eq!(fs::read_dir(&real).expect("listed").count(), 1);
    assert_eq!(read_own(&real.join("secret")).expect("read"), b"ours");
}

#[test]
fn what_is_no_regular_file_or_somebody_elses_is_not_opened_as_ours() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("secret");
    let refused = |what: &str| {
        for flags in [OFlags::RDONLY, OFlags::RDWR, OFlags::WRONLY] {
            let refused = open_own(&path, flags).expect_err("a refusal");
            assert!(refused.to_string().contains(what), "{refused}");
        }
    };
    std::os::unix::fs::symlink("/dev/null", &path).expect("linked");
    refused("link");
    fs::remove_file(&path).expect("removed");
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("made");
    refused("not a regular file");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "theirs").expect("written");
    if geteuid().is_root() && std::os::unix::fs::chown(&path, Some(1234), None).is_ok() {
        refused("belongs to user 1234");
    }
}

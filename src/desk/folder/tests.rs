use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_folders_are_closed_and_a_lock_holds_others_off() {
    let folder = tempfile::tempdir().unwrap();
    let keep = DeskFolder::at(folder.path().join("state/postern-client"));
    let (stop, tell) = StopSignal::by_hand().unwrap();
    let lock = keep.lock("logins/a", &stop).unwrap();
    for path in ["", "logins"] {
        let mode = keep.path(path).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{path}");
    }
    let mode = keep
        .path("logins/a.lock")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // Another one is not held off; the same one is, until somebody wants the end.
    drop(keep.lock("logins/b", &stop).unwrap());
    drop(tell);
    assert!(keep.lock("logins/a", &stop).is_err());
    drop(lock);
    assert!(keep.lock("logins/a", &StopSignal::default()).is_ok());
}

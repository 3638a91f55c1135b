use super::*;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;

fn refusal(path: &Path) -> String {
    match Door::open(path) {
        Err(error @ DoorError::Taken { .. }) => error.to_string(),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("taken"),
    }
}

/// Leaves a socket there at which nobody ever answers.
fn die(path: &Path) {
    drop(bound(&SocketAddrUnix::new(path).unwrap()).unwrap());
}

#[test]
fn what_is_not_a_dead_socket_of_ours_is_left_alone_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "precious").unwrap();
    fs::create_dir(at("folder")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    // A dead socket, but reached by a link.
    die(&at("dead"));
    symlink(at("dead"), at("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("pipe"),
        rustix::fs::FileType::Fifo,
        Mode::RWXU,
        0,
    )
    .unwrap();
    let _live = UnixListener::bind(at("live")).unwrap();
    let (_, full) = Door::open(&at("full")).unwrap();
    net::listen(&full, 0).unwrap();
    let _waits = UnixStream::connect(at("full")).unwrap();
    for name in ["file", "folder", "dangling", "link", "pipe", "live", "full"] {
        let before = fs::symlink_metadata(at(name)).unwrap();
        let words = refusal(&at(name));
        assert!(
            words.starts_with("LOCAL_SOCKET: ") && words.contains(name),
            "{words}"
        );
        let after = fs::symlink_metadata(at(name)).unwrap();
        assert_eq!(
            (identity(&before), before.modified().unwrap()),
            (identity(&after), after.modified().unwrap())
        );
    }
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "precious");
    assert!(refusal(&at("live")).contains("postern running twice"));
    // Only root can give a file away.
    if rustix::fs::chown(at("dead"), Some(rustix::fs::Uid::from_raw(65534)), None).is_ok()
        && geteuid().is_root()
    {
        assert!(refusal(&at("dead")).contains("65534"));
    }
}

#[test]
fn nobody_can_connect_before_the_mode_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let address = SocketAddrUnix::new(&path).unwrap();
    let socket = bound(&address).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(knock(&address), Err(Errno::CONNREFUSED));
    net::listen(&socket, BACKLOG).unwrap();
    assert_eq!(knock(&address), Ok(()));
}

#[test]
fn a_dead_socket_is_replaced_and_only_our_own_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    die(&path);
    let (door, _serving) = Door::open(&path).unwrap();
    UnixStream::connect(&path).unwrap();
    assert!(door.is_there().unwrap());
    // Another one has the name by now.
    fs::rename(&path, folder.path().join("elsewhere")).unwrap();
    let (other, _serving) = Door::open(&path).unwrap();
    assert!(!door.is_there().unwrap());
    door.leave();
    UnixStream::connect(&path).unwrap();
    other.leave();
    assert!(!path.exists() && !other.is_there().unwrap());
    other.leave();
}

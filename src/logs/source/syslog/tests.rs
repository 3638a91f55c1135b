//! Real sockets, in a temporary folder and on the loopback interface.

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use super::*;
use crate::logs::tests::wait_for;

/// Runs an inbox while `send` sends to it, until it has so many entries.
fn received(mut inbox: Inbox, count: u64, send: impl FnOnce()) -> Vec<Value> {
    let context = Arc::new(SourceContext::rigged("syslog"));
    let receiver = context.clone();
    let thread = thread::spawn(move || inbox.receive(&receiver));
    send();
    wait_for(|| context.shared.state().entries >= count);
    context.stop.stop();
    assert_eq!(thread.join().unwrap(), Ok(()));
    context.entries()
}

fn inbox_at(path: &Path) -> Result<Inbox, String> {
    Inbox::bind(&SyslogAddress::Path(path.to_owned()))
}

fn udp_inbox() -> (Inbox, SocketAddr) {
    let inbox = Inbox::bind(&SyslogAddress::Udp("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = rustix::net::getsockname(&inbox.socket).unwrap();
    (inbox, address.try_into().unwrap())
}

#[test]
fn whoever_is_on_the_machine_may_log_and_one_bad_datagram_hurts_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let inbox = inbox_at(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    let entries = received(inbox, 5, || {
        let socket = UnixDatagram::unbound().unwrap();
        let long = format!("<13>app: {}", "x".repeat(90_000));
        for datagram in [
            b"<30>Nov 24 11:36:33 dnsmasq[7]: lease\0".as_slice(),
            b"",
            b"\xff\xfe<<<\0\0",
            long.as_bytes(),
            b"<13>app: the last",
        ] {
            socket.send_to(datagram, &path).unwrap();
        }
    });
    assert_eq!(entries[0]["message"], "lease");
    assert_eq!(entries[0]["level"], "info");
    assert_eq!(
        entries[0]["fields"],
        json!({"facility": "daemon", "app": "dnsmasq", "pid": 7})
    );
    assert_eq!(entries[1]["message"], "");
    assert_eq!(entries[2]["message"], "\u{fffd}\u{fffd}<<<");
    assert_eq!(
        entries[3]["message"].as_str().unwrap().len(),
        MAX_MESSAGE_BYTES
    );
    assert_eq!(entries[3]["fields"]["truncated"], true);
    assert_eq!(entries[3]["fields"]["bytes"], 90_009);
    assert_eq!(entries[4]["message"], "the last");
    assert!(!path.exists(), "the socket is taken along");
}

#[test]
fn who_sends_over_the_network_is_told() {
    let (inbox, address) = udp_inbox();
    let entries = received(inbox, 2, || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let spoof = br#"<13>1 - router app - - [from a="b"] text"#;
        for datagram in [spoof.as_slice(), b"plain"] {
            socket.send_to(datagram, address).unwrap();
        }
    });
    assert_eq!(entries[0]["fields"]["from"], "127.0.0.1");
    assert_eq!(entries[0]["fields"]["hostname"], "router");
    assert_eq!(
        entries[0]["fields"]["structured_data"],
        json!({"from": {"a": "b"}})
    );
    assert_eq!(entries[1]["fields"], json!({"from": "127.0.0.1"}));
}

#[test]
fn messages_that_came_too_fast_are_counted() {
    let (mut inbox, address) = udp_inbox();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = 4000;
    for _ in 0..sent {
        socket.send_to(&[b'x'; 1000], address).unwrap();
    }
    let mut buffer = [0; 1000];
    let mut read = 0_u64;
    while recvfrom(&inbox.socket, &mut buffer[..], RecvFlags::DONTWAIT).is_ok() {
        read += 1;
    }
    let mut lost = Vec::new();
    inbox.busy = true;
    for _ in 0..2 {
        let later = inbox.looked + LOOK_AT_LOSSES;
        inbox.look(later, &mut |event| lost.push(event)).unwrap();
        inbox.busy = true;
    }
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].fields["missed"], sent - read);
    assert!(lost[0].message.contains("were lost"));
}

#[test]
fn the_kernels_table_of_sockets_is_read_and_nonsense_is_not_believed() {
    let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  12: 0100007F:158A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 8123 2 0000000000000000 17\n";
    assert_eq!(drops_in(table, 8123), Some(17));
    assert_eq!(drops_in(table, 812), None);
    assert_eq!(drops_in("1 2 3 4 5 6 7 8 9 8123 2", 8123), None);
}

#[test]
fn a_socket_that_somebody_listens_on_and_what_is_no_socket_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let error = inbox_at(&path).err().unwrap();
    assert!(error.contains("another program listens"), "{error}");
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(b"still there", &path).unwrap();
    assert_eq!(daemon.recv(&mut [0; 16]).unwrap(), 11);

    let streams = folder.path().join("streams");
    let _listener = std::os::unix::net::UnixListener::bind(&streams).unwrap();
    assert!(inbox_at(&streams).err().unwrap().contains("left alone"));

    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    let error = inbox_at(&file).err().unwrap();
    assert!(error.contains("not a socket"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

#[test]
fn a_stale_socket_is_replaced_and_another_ones_is_not_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    drop(UnixDatagram::bind(&path).unwrap());
    assert!(path.exists());
    let inbox = inbox_at(&path).unwrap();
    // Somebody else takes the name.
    fs::rename(&path, folder.path().join("aside")).unwrap();
    let _daemon = UnixDatagram::bind(&path).unwrap();
    drop(inbox);
    assert!(path.exists());
}

#[test]
fn a_socket_that_was_cleared_away_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut inbox = inbox_at(&path).unwrap();
    let later = inbox.looked + LOOK_AT_PATH;
    assert_eq!(inbox.look(later, &mut |_| ()), Ok(()));
    fs::remove_file(&path).unwrap();
    let error = inbox.look(later + LOOK_AT_PATH, &mut |_| ()).unwrap_err();
    assert!(error.contains("taken away"), "{error}");
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it_and_does_not_hold_up_a_stop() {
    let (_inbox, address) = udp_inbox();
    let context = Arc::new(SourceContext::rigged("syslog"));
    let running = context.clone();
    let at = SyslogAddress::Udp(address);
    let thread = thread::spawn(move || Box::new(SyslogSource { at }).run(&running));
    wait_for(|| context.shared.state().state == "error");
    context.stop.stop();
    thread.join().unwrap();
    let state = context.shared.state();
    assert_eq!(state.state, "stopped");
    let error = state.last_error.unwrap();
    assert!(
        error.contains(&address.to_string()) && error.contains("in use"),
        "{error}"
    );
}

#[test]
fn a_link_in_the_sockets_place_opens_nothing_to_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let (secret, link) = (dir.path().join("secret"), dir.path().join("log"));
    fs::write(&secret, "").expect("written");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("closed");
    std::os::unix::fs::symlink(&secret, &link).expect("linked");
    assert!(open_to_all(&link).is_err() && open_to_all(&secret).is_err());
    let mode = fs::metadata(&secret).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

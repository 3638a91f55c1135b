use super::*;
use std::net::TcpStream;

#[test]
fn the_unspecified_ipv6_address_serves_ipv4_too() {
    let address = "[::]:0".parse().expect("an address");
    let listener = listen(address).expect("listening");
    let port = listener.local_addr().expect("bound").port();
    TcpStream::connect(("127.0.0.1", port)).expect("reached by IPv4");
}

#[test]
fn what_is_said_fits_the_error() {
    let said = |errno: Errno, address: &str| {
        let address = address.parse().expect("an address");
        Missing::new(address, &errno.into()).to_string()
    };
    assert!(said(Errno::ADDRNOTAVAIL, "192.0.2.1:8443").contains("not an address of this machine"));
    assert!(said(Errno::ACCESS, "127.0.0.1:443").contains("under 1024"));
    assert!(said(Errno::NOBUFS, "127.0.0.1:8443").contains("No buffer space"));
    let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("listening");
    let address = listener.local_addr().expect("bound");
    let own = format!("process {}", std::process::id());
    let text = said(Errno::ADDRINUSE, &address.to_string());
    assert!(text.contains(&own), "{text}");
}

#[test]
fn who_has_an_address_is_looked_up_once_until_the_error_changes() {
    let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("listening");
    let address = listener.local_addr().expect("bound");
    let mut missing = Missing::new(address, &Errno::ADDRINUSE.into());
    let first = missing.to_string();
    // Whoever looked again would find nobody.
    drop(listener);
    assert!(!missing.failed_again(&Errno::ADDRINUSE.into()));
    assert_eq!(missing.to_string(), first);
    assert!(missing.failed_again(&Errno::ADDRNOTAVAIL.into()));
    assert!(missing.failed_again(&Errno::ADDRINUSE.into()));
    assert!(missing.to_string().contains("another program"), "{missing}");
}

#[test]
fn a_low_limit_of_open_files_is_shared_out() {
    let shared = |limit| {
        let ConnectionRoom { network, local } = share_out(limit, 1000);
        (network, local)
    };
    assert_eq!(shared(64), (12, 4));
    assert_eq!(shared(128), (24, 8));
    assert_eq!(shared(256), (120, 40));
    assert_eq!(shared(65536), (1000, 64));
    assert_eq!(shared(usize::MAX), (1000, 64));
    assert_eq!(shared(0), (1, 1));
}

#[test]
fn a_listener_for_ipv6_alone_names_no_ipv4_address() {
    let flags = SocketFlags::CLOEXEC;
    let socket = net::socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None);
    let Ok(socket) = socket else {
        return; // A kernel without IPv6.
    };
    for alone in [true, false] {
        let socket = socket.try_clone().expect("a descriptor");
        sockopt::set_ipv6_v6only(&socket, alone).expect("set");
        let addresses = reachable(&TcpListener::from(socket)).expect("addresses");
        assert_eq!(addresses.iter().any(SocketAddr::is_ipv4), !alone);
    }
}

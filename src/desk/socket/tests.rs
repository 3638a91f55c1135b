use super::*;
use std::net::TcpListener;

fn listener() -> (TcpListener, BoardAddress) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let board = BoardAddress::parse(&listener.local_addr().unwrap().to_string()).unwrap();
    (listener, board)
}

#[test]
fn a_silent_board_is_waited_for_no_longer_than_the_deadline() {
    let (listener, board) = listener();
    let stop = StopSignal::default();
    let mut socket = BoardSocket::connect(&board, &stop, Duration::from_secs(20)).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"x").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(socket.read(&mut buffer).unwrap(), 1);
    socket.deadline = Some(Instant::now() + Duration::from_millis(20));
    let error = socket.read(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn nobody_there_is_told_and_the_end_ends_a_wait() {
    let (listener, board) = listener();
    let (stop, tell) = StopSignal::by_hand().unwrap();
    let mut socket = BoardSocket::connect(&board, &stop, Duration::from_secs(20)).unwrap();
    socket.deadline = None;
    drop(tell);
    assert!(socket.read(&mut [0; 8]).is_err());
    assert!(stop.ended().is_some());
    drop(listener);
    let stop = StopSignal::default();
    let refused = BoardSocket::connect(&board, &stop, Duration::from_secs(20));
    let refused = refused.err().expect("nobody");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_keepalive_asks_a_board_that_says_nothing() {
    let (_listener, board) = listener();
    let stop = StopSignal::default();
    let socket = BoardSocket::connect(&board, &stop, Duration::from_secs(20)).unwrap();
    assert!(sockopt::socket_keepalive(&socket.socket).unwrap());
    let idle = sockopt::tcp_keepidle(&socket.socket).unwrap();
    let interval = sockopt::tcp_keepintvl(&socket.socket).unwrap();
    let probes = sockopt::tcp_keepcnt(&socket.socket).unwrap();
    assert!(idle + interval * probes <= Duration::from_secs(90));
}

use super::*;
use std::net::TcpListener;

fn listener() -> (TcpListener, Board) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let board = Board::parse(&listener.local_addr().unwrap().to_string()).unwrap();
    (listener, board)
}

#[test]
fn a_silent_board_is_waited_for_no_longer_than_the_deadline() {
    let (listener, board) = listener();
    let stop = Stop::default();
    let mut wire = Wire::connect(&board, &stop, Duration::from_secs(20)).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"x").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(wire.read(&mut buffer).unwrap(), 1);
    wire.deadline = Some(Instant::now() + Duration::from_millis(20));
    let error = wire.read(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn nobody_there_is_told_and_the_end_ends_a_wait() {
    let (listener, board) = listener();
    let (stop, tell) = Stop::by_hand().unwrap();
    let mut wire = Wire::connect(&board, &stop, Duration::from_secs(20)).unwrap();
    wire.deadline = None;
    drop(tell);
    assert!(wire.read(&mut [0; 8]).is_err());
    assert!(stop.ended().is_some());
    drop(listener);
    let stop = Stop::default();
    let refused = Wire::connect(&board, &stop, Duration::from_secs(20));
    let refused = refused.err().expect("nobody");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_keepalive_asks_a_board_that_says_nothing() {
    let (_listener, board) = listener();
    let stop = Stop::default();
    let wire = Wire::connect(&board, &stop, Duration::from_secs(20)).unwrap();
    assert!(sockopt::socket_keepalive(&wire.socket).unwrap());
    let idle = sockopt::tcp_keepidle(&wire.socket).unwrap();
    let interval = sockopt::tcp_keepintvl(&wire.socket).unwrap();
    let probes = sockopt::tcp_keepcnt(&wire.socket).unwrap();
    assert!(idle + interval * probes <= Duration::from_secs(90));
}

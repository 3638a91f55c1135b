use super::*;
use std::io::Write;

#[test]
fn waiting_ends_with_what_is_waited_for_or_the_time_or_the_end() {
    let (stop, mut tell) = StopSignal::by_hand().unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let soon = || Some(Instant::now() + Duration::from_millis(1));
    let readable = Some((ours.as_fd(), Interest::Read));
    assert!(!stop.wait(readable, soon()).unwrap());
    assert!(
        stop.wait(Some((ours.as_fd(), Interest::Write)), None)
            .unwrap()
    );
    theirs.write_all(b"x").unwrap();
    assert!(stop.wait(readable, None).unwrap());
    assert_eq!(stop.ended(), None);
    tell.write_all(b"x").unwrap();
    for _ in 0..2 {
        assert!(stop.wait(readable, None).is_err());
        assert!(stop.pause(Duration::from_secs(3600)).is_err());
        assert_eq!(stop.ended(), Some(StopReason::Told));
    }
}

#[test]
fn one_that_nobody_tells_only_waits() {
    let stop = StopSignal::default();
    stop.pause(Duration::from_millis(1)).unwrap();
    assert_eq!(stop.ended(), None);
}

use super::*;
use std::thread;

#[test]
fn slots_and_queue_are_bounded() {
    let slots = BcryptSlots::new(1, 1);
    let slot = slots.enter().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| slots.enter().is_ok());
        while slots.count.lock().waiting == 0 {
            thread::yield_now();
        }
        assert!(slots.enter().is_err());
        drop(slot);
        assert!(waiter.join().unwrap());
    });
    assert!(slots.enter().is_ok());
}

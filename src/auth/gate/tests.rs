use super::*;
use std::thread;

#[test]
fn slots_and_queue_are_bounded() {
    let gate = Gate::new(1, 1);
    let slot = gate.enter().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| gate.enter().is_ok());
        while gate.count.lock().waiting == 0 {
            thread::yield_now();
        }
        assert!(gate.enter().is_err());
        drop(slot);
        assert!(waiter.join().unwrap());
    });
    assert!(gate.enter().is_ok());
}

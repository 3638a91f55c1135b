//! Limits how many threads run bcrypt at a time and how many wait for a turn. The rest are told to come back.

use parking_lot::{Condvar, Mutex};

/// The slots.
pub(super) struct BcryptSlots {
    slots: usize,
    queue: usize,
    count: Mutex<SlotCount>,
    freed: Condvar,
}

#[derive(Default)]
struct SlotCount {
    inside: usize,
    waiting: usize,
}

/// The right to run bcrypt, until it is dropped.
pub(super) struct BcryptSlot<'a>(&'a BcryptSlots);

/// The queue is full.
#[derive(Debug)]
pub(super) struct Busy;

impl BcryptSlots {
    pub fn new(slots: usize, queue: usize) -> Self {
        Self {
            slots: slots.max(1),
            queue,
            count: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Waits for a slot. That takes a few runs of bcrypt at most, since the queue is bounded.
    pub fn enter(&self) -> Result<BcryptSlot<'_>, Busy> {
        let mut count = self.count.lock();
        if count.inside >= self.slots {
            if count.waiting >= self.queue {
                return Err(Busy);
            }
            count.waiting += 1;
            self.freed
                .wait_while(&mut count, |count| count.inside >= self.slots);
            count.waiting -= 1;
        }
        count.inside += 1;
        Ok(BcryptSlot(self))
    }

    /// Whether somebody is inside.
    pub fn is_taken(&self) -> bool {
        self.count.lock().inside > 0
    }
}

impl Drop for BcryptSlot<'_> {
    fn drop(&mut self) {
        self.0.count.lock().inside -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests;

//! The place that a connection holds: it tells through it what it does and how much it holds, and gives it back at its
//! end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{
    Admission, ConnectionActivity, ConnectionId, ConnectionState, ConnectionsFull, MAX_LEAVING,
    SINCE_BITS, Standing,
};
use crate::auth::Principal;

/// A place that a connection holds, until it is dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    admission: Arc<Admission>,
    number: ConnectionId,
    told: Arc<ConnectionActivity>,
    bytes: usize,
    is_stream: bool,
}

impl ConnectionPermit {
    /// Of the place that a connection has just been given.
    pub(super) fn new(
        admission: &Arc<Admission>,
        number: ConnectionId,
        told: Arc<ConnectionActivity>,
    ) -> Self {
        Self {
            admission: admission.clone(),
            number,
            told,
            bytes: 0,
            is_stream: false,
        }
    }

    /// Which connection has it.
    #[must_use]
    pub const fn number(&self) -> ConnectionId {
        self.number
    }

    /// Tells what the connection does, and since when.
    pub fn tell(&self, conduct: ConnectionState, since: Instant) {
        let told = ((conduct as u64) << SINCE_BITS) | self.admission.micros(since);
        self.told.conduct.store(told, Ordering::Relaxed);
    }

    /// Tells who has signed in here.
    pub fn sign_in(&self, principal: &Principal) {
        let mut told = self.told.principal.lock();
        if told.as_ref() != Some(principal) {
            *told = Some(principal.clone());
        }
    }

    /// Tells how many bytes the connection holds of a client that has not signed in. Gives the connections that have to
    /// be closed for it: they have lost their places.
    ///
    /// # Errors
    /// [`ConnectionsFull`]: it is this one that has to be closed.
    pub fn hold(
        &mut self,
        bytes: usize,
        judge: &dyn Standing,
    ) -> Result<Vec<ConnectionId>, ConnectionsFull> {
        let mut gone = Vec::new();
        if bytes == self.bytes {
            return Ok(gone);
        }
        let mut table = self.admission.table.lock();
        let table = &mut *table;
        // One that has lost its place is about to be closed.
        let seat = table.seats.get_mut(&self.number).ok_or(ConnectionsFull)?;
        table.bytes.remove(seat.holder, seat.bytes);
        table.bytes.add(seat.holder, bytes);
        table.total_bytes = table.total_bytes - seat.bytes + bytes;
        (seat.bytes, self.bytes) = (bytes, bytes);
        while table.total_bytes > self.admission.max_bytes {
            let holding = table.seats.iter().filter(|(_, seat)| seat.bytes > 0);
            let worst = holding.max_by_key(|(number, seat)| {
                let precedence = seat.precedence(&table.bytes, judge);
                (precedence, seat.bytes, **number == self.number)
            });
            let (&worst, _) = worst.ok_or(ConnectionsFull)?;
            if worst == self.number || table.leaving >= MAX_LEAVING {
                return Err(ConnectionsFull);
            }
            self.admission.dismiss(table, worst);
            gone.push(worst);
        }
        Ok(gone)
    }

    /// Whether the connection has not lost it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let table = self.admission.table.lock();
        table.seats.contains_key(&self.number)
    }

    /// Makes it a stream's, which keeps it for as long as the client likes. Returns whether there may be one more.
    #[must_use]
    pub fn stream(&mut self) -> bool {
        let streams = &self.admission.streams;
        let most = self.admission.max_streams;
        self.is_stream = streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                (now < most).then_some(now + 1)
            })
            .is_ok();
        self.is_stream
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut table = self.admission.table.lock();
        if self.is_stream {
            self.admission.streams.fetch_sub(1, Ordering::Relaxed);
        }
        if table.free(self.number) {
            self.admission.total.fetch_sub(1, Ordering::Relaxed);
        } else {
            table.leaving = table.leaving.saturating_sub(1);
        }
    }
}

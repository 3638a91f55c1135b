//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::journal::ClientKey;

/// Counts connections against their limits.
#[derive(Debug)]
pub struct Admission {
    max_total: usize,
    max_per_client: usize,
    max_streams: usize,
    total: Arc<AtomicUsize>,
    streams: AtomicUsize,
    clients: Mutex<HashMap<ClientKey, usize>>,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The server has all it can carry.
    Total,
    /// This address has its share.
    Client,
}

/// A place that a connection holds, until it is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    client: ClientKey,
    counted: bool,
    streams: bool,
}

impl Admission {
    /// Limits for a whole door and for one address.
    #[must_use]
    pub fn new(max_total: usize, max_per_client: usize) -> Arc<Self> {
        Self::with_streams(max_total, max_per_client, max_total)
    }

    /// Limits for the local socket, where all are one client. Streams are not shed, so they leave half of it to questions.
    #[must_use]
    pub fn local(max_total: usize) -> Arc<Self> {
        Self::with_streams(max_total, max_total, max_total / 2)
    }

    fn with_streams(max_total: usize, max_per_client: usize, max_streams: usize) -> Arc<Self> {
        Arc::new(Self {
            max_total,
            max_per_client,
            max_streams,
            total: Arc::default(),
            streams: AtomicUsize::new(0),
            clients: Mutex::default(),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> Arc<AtomicUsize> {
        self.total.clone()
    }

    /// Takes a place. A proxy's connections (`counted` false) count in the whole only: many people come through one.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn enter(self: &Arc<Self>, client: ClientKey, counted: bool) -> Result<Place, Full> {
        let mut clients = self.clients.lock();
        if self.total.load(Ordering::Relaxed) >= self.max_total {
            return Err(Full::Total);
        }
        if counted {
            let share = clients.entry(client).or_default();
            if *share >= self.max_per_client {
                return Err(Full::Client);
            }
            *share += 1;
        }
        self.total.fetch_add(1, Ordering::Relaxed);
        Ok(Place {
            admission: self.clone(),
            client,
            counted,
            streams: false,
        })
    }
}

impl Place {
    /// Whether it is one of these.
    #[must_use]
    pub fn is_in(&self, admission: &Arc<Admission>) -> bool {
        Arc::ptr_eq(&self.admission, admission)
    }

    /// Makes it a stream's, which keeps it for as long as the client likes. Returns whether there may be one more.
    #[must_use]
    pub fn stream(&mut self) -> bool {
        let streams = &self.admission.streams;
        let most = self.admission.max_streams;
        self.streams = streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                (now < most).then_some(now + 1)
            })
            .is_ok();
        self.streams
    }

    /// Whose place it is.
    #[must_use]
    pub const fn client(&self) -> ClientKey {
        self.client
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.admission.clients.lock();
        self.admission.total.fetch_sub(1, Ordering::Relaxed);
        if self.streams {
            self.admission.streams.fetch_sub(1, Ordering::Relaxed);
        }
        if !self.counted {
            return;
        }
        if let Some(share) = clients.get_mut(&self.client) {
            *share -= 1;
            // Kept to those who are here: the table never outgrows the connections.
            if *share == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientKey = ClientKey::V4([192, 0, 2, 1]);
    const B: ClientKey = ClientKey::V4([192, 0, 2, 2]);

    #[test]
    fn one_address_gets_its_share_and_all_together_the_whole() {
        let admission = Admission::new(3, 2);
        let first = admission.enter(A, true).expect("room");
        let _second = admission.enter(A, true).expect("room");
        assert_eq!(admission.enter(A, true).unwrap_err(), Full::Client);
        let _third = admission.enter(B, true).expect("room");
        assert_eq!(admission.enter(B, true).unwrap_err(), Full::Total);
        drop(first);
        let _again = admission.enter(A, true).expect("room again");
    }

    #[test]
    fn streams_leave_half_of_the_local_socket_to_others() {
        let local = Admission::local(4);
        let mut places: Vec<_> = (0..4)
            .map(|_| local.enter(A, false).expect("room"))
            .collect();
        let streams: Vec<_> = places.iter_mut().map(Place::stream).collect();
        assert_eq!(streams, [true, true, false, false]);
        drop(places.remove(0));
        assert!(places[2].stream());
    }

    #[test]
    fn who_has_left_leaves_nothing_behind() {
        let admission = Admission::new(3, 2);
        drop(admission.enter(A, true));
        drop(admission.enter(B, false));
        assert!(admission.clients.lock().is_empty());
        assert_eq!(admission.total.load(Ordering::Relaxed), 0);
    }
}

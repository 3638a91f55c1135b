//! Everything that clients can connect to, and what of it is missing: an address that the machine does not have yet, a
//! local socket whose file somebody took away.

use std::net::SocketAddr;
use std::sync::Arc;

use super::listen::{Listener, Missing, listen};
use super::local::Door;
use super::mailbox::Mailbox;
use crate::api::{Api, MissingDoor};

/// What the housekeeper looks after.
pub struct Doors {
    /// The local socket, as long as its file is there.
    local: Option<Arc<Door>>,
    /// Why there is none, if there should be one.
    no_local: Option<MissingDoor>,
    /// Addresses of `LISTEN` that are not listened on.
    missing: Vec<Missing>,
    /// Who serves what is opened yet.
    workers: Vec<Arc<Mailbox>>,
}

impl Doors {
    /// What the start opened, and what it could not.
    pub fn new(
        api: &Api,
        local: Option<Arc<Door>>,
        no_local: Option<MissingDoor>,
        missing: Vec<Missing>,
        workers: Vec<Arc<Mailbox>>,
    ) -> Self {
        for missing in &missing {
            log::warn!(
                "LISTEN: {missing}; postern serves the others, and tries this one every few seconds"
            );
        }
        let doors = Self {
            local,
            no_local,
            missing,
            workers,
        };
        doors.tell(api);
        doors
    }

    /// Looks whether all is there, and opens what was missing.
    pub fn look(&mut self, api: &Api) {
        let gone = |door: &mut Arc<Door>| matches!(door.is_there(), Ok(false));
        if self.local.take_if(gone).is_some() {
            // It is not made anew: whoever replaced it may have meant to.
            let problem = "the local socket is gone: its file was removed or replaced; restart postern to make it anew";
            log::error!("{problem}");
            self.no_local = Some(MissingDoor {
                reason: "the local socket is gone",
                problem: problem.to_owned(),
            });
        }
        let workers = &self.workers;
        self.missing.retain_mut(|missing| {
            let listener = match listen(missing.address) {
                Ok(listener) => Listener::Tls(Arc::new(listener)),
                Err(error) => {
                    if missing.failed_again(&error) {
                        log::warn!("LISTEN: {missing}");
                    }
                    return true;
                }
            };
            let address: SocketAddr = missing.address;
            log::info!(address:% = address; "listening on an address of LISTEN that was missing");
            for worker in workers {
                worker.open(listener.clone());
            }
            false
        });
        self.tell(api);
    }

    fn tell(&self, api: &Api) {
        let missing = self.missing.iter().map(|missing| MissingDoor {
            reason: "an address of LISTEN is not there",
            problem: format!("LISTEN: {missing}"),
        });
        *api.missing_doors.lock() = self.no_local.iter().cloned().chain(missing).collect();
    }
}

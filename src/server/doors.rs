//! Everything that clients come in by, and what of it is not there: an address that the machine does not have yet, a local
//! socket whose file somebody took away.

use std::net::SocketAddr;
use std::sync::Arc;

use super::listen::{Listener, Missing, listen};
use super::local::Door;
use super::worker::Mailbox;
use crate::api::Api;

/// What the housekeeper looks after.
pub struct Doors {
    /// The local socket, as long as its file is there.
    local: Option<Arc<Door>>,
    /// Why there is none, if there should be one.
    no_local: Option<String>,
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
        no_local: Option<String>,
        missing: Vec<Missing>,
        workers: Vec<Arc<Mailbox>>,
    ) -> Self {
        for missing in &missing {
            log::warn!(
                "LISTEN: {missing}; the others serve, and this one is tried every few seconds"
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
            let reason = "the local socket is gone: its file was removed or replaced; a restart makes it anew";
            log::error!("{reason}");
            self.no_local = Some(reason.to_owned());
        }
        let workers = &self.workers;
        self.missing.retain_mut(|missing| {
            let listener = match listen(missing.address) {
                Ok(listener) => Listener::Tls(Arc::new(listener)),
                Err(error) => {
                    missing.error = error;
                    return true;
                }
            };
            let address: SocketAddr = missing.address;
            log::info!(address:% = address; "listening there at last");
            for worker in workers {
                worker.open(listener.clone());
            }
            false
        });
        self.tell(api);
    }

    fn tell(&self, api: &Api) {
        let missing = self
            .missing
            .iter()
            .map(|missing| format!("LISTEN: {missing}"));
        *api.missing_doors.lock() = self.no_local.iter().cloned().chain(missing).collect();
    }
}

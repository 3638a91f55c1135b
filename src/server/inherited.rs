//! Sockets that the server inherits when it starts, for example from a systemd socket unit: `sd_listen_fds(3)`.

use std::net::TcpListener;
use std::sync::Arc;
use std::{env, io, process};

use listenfd::ListenFd;
use rustix::net::sockopt;

/// Why what was handed over is of no use.
#[derive(Debug, thiserror::Error)]
pub enum InheritedError {
    /// Their number is none.
    #[error("LISTEN_FDS: {0:?} is not a number of sockets from 0 to {MAX_SOCKETS}")]
    Count(String),
    /// One is not what TLS can be served on.
    #[error(
        "LISTEN_FDS: descriptor {descriptor} is not a listening TCP socket ({error}); in the socket unit set \
         ListenStream= to a port or IP:PORT, and Accept=no"
    )]
    Socket {
        /// Its number.
        descriptor: usize,
        /// What it is.
        error: io::Error,
    },
}

/// Takes the listeners over, if there are any and they are for this process. They are closed in its children, and the
/// variables are gone.
///
/// To be called before anything else opens a descriptor, which might be taken for one of these, and before the first
/// thread, since the environment changes.
///
/// # Errors
/// [`InheritedError`]: what was handed over is none of that.
pub fn take() -> Result<Vec<Arc<TcpListener>>, InheritedError> {
    // `listenfd` takes them without this one too, but then they may have been meant for whoever started us.
    if env::var("LISTEN_PID").ok() != Some(process::id().to_string()) {
        return Ok(Vec::new());
    }
    let count = env::var("LISTEN_FDS").unwrap_or_default();
    if count
        .parse()
        .ok()
        .is_none_or(|count: usize| count > MAX_SOCKETS)
    {
        return Err(InheritedError::Count(count));
    }
    let mut handed = ListenFd::from_env();
    (0..handed.len())
        .map(|index| {
            listener(&mut handed, index).map_err(|error| InheritedError::Socket {
                descriptor: FIRST_DESCRIPTOR + index,
                error,
            })
        })
        .collect()
}

/// One of them, as our own would be.
fn listener(handed: &mut ListenFd, index: usize) -> io::Result<Arc<TcpListener>> {
    let listener = handed.take_tcp_listener(index)?;
    let listener = listener.ok_or(io::ErrorKind::NotFound)?;
    if !sockopt::socket_acceptconn(&listener)? {
        return Err(io::Error::other("it is a connection, or not open yet"));
    }
    listener.set_nonblocking(true)?;
    Ok(Arc::new(listener))
}

/// `SD_LISTEN_FDS_START`
const FIRST_DESCRIPTOR: usize = 3;

/// A unit with more addresses than that is a mistake. Higher descriptors may be anything.
const MAX_SOCKETS: usize = 32;

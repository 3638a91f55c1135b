//! The administrator's door on the device itself: a Unix socket, 0600, plain HTTP, served as any other connection is.
//!
//! The file's permission decides who may open it, and whoever may is the administrator. So no limits of requests or
//! attempts count there, but those of size and time do.

use std::fs::{self, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::geteuid;

/// The socket's file, as we made it.
pub struct Door {
    path: PathBuf,
    identity: Identity,
}

/// Which file it is, whatever its name.
type Identity = (u64, u64);

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Something lies there that is not ours to take away.
    #[error("LOCAL_SOCKET: {}: {what}; nothing was changed there", path.display())]
    Taken {
        /// Where.
        path: PathBuf,
        /// What it is, and what can be done.
        what: String,
    },
    /// What the system said.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Door {
    /// Opens it. Removes a socket that a killed run of ours left behind, and nothing else.
    ///
    /// # Errors
    /// [`DoorError::Taken`], or the system's.
    pub fn open(path: &Path) -> Result<(Self, Arc<UnixListener>), DoorError> {
        let address = SocketAddrUnix::new(path).map_err(io::Error::from)?;
        let taken = |what: String| DoorError::Taken {
            path: path.to_owned(),
            what,
        };
        if let Some(found) = look(path)? {
            if let Some(what) = why_not_ours(&address, &found) {
                return Err(taken(what));
            }
            // Still the one that was looked at.
            if look(path)?.is_some_and(|now| identity(&now) == identity(&found)) {
                fs::remove_file(path)?;
            }
        }
        let socket = match bound(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(taken("somebody else has just made it".into()));
            }
            other => other?,
        };
        let made = fs::symlink_metadata(path)?;
        if made.permissions().mode() & 0o177 != 0 {
            return Err(io::Error::other("this file system lets others open it").into());
        }
        net::listen(&socket, BACKLOG).map_err(io::Error::from)?;
        let door = Self {
            path: path.to_owned(),
            identity: identity(&made),
        };
        Ok((door, Arc::new(UnixListener::from(socket))))
    }

    /// Whether the file's name still leads to this socket.
    ///
    /// # Errors
    /// The system's: then that is not known.
    pub fn is_there(&self) -> io::Result<bool> {
        Ok(look(&self.path)?.is_some_and(|found| identity(&found) == self.identity))
    }

    /// Takes its file away, unless another one has its name by now.
    pub fn leave(&self) {
        if matches!(self.is_there(), Ok(true)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket of this name that nobody can connect to yet.
///
/// The file gets the socket's own mode (unix(7) does not say so, Linux does it), and does not listen: so there is no
/// instant at which anybody else could connect, whatever the folder's permissions and the umask, and no second name
/// beside it that a crash could leave.
fn bound(address: &SocketAddrUnix) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    net::bind(&socket, address)?;
    Ok(socket)
}

/// What lies there, links not followed.
fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino())
}

/// Why a server would refuse to start with its socket there, whether one runs already or not. Changes nothing. If it
/// cannot look, a server starts without that socket, and says so.
#[must_use]
pub fn obstacle(path: &Path) -> Option<String> {
    let found = look(path).ok().flatten()?;
    why_not_a_socket_of_ours(&found)
}

/// Whether something lies there other than a socket that a killed run of ours left.
fn why_not_ours(address: &SocketAddrUnix, found: &Metadata) -> Option<String> {
    if let Some(why) = why_not_a_socket_of_ours(found) {
        return Some(why);
    }
    match knock(address) {
        Err(Errno::CONNREFUSED) => None,
        Ok(()) | Err(Errno::AGAIN) => Some(
            "a server answers there already; is postern running twice? Give this one another LOCAL_SOCKET, or stop the other"
                .into(),
        ),
        Err(error) => Some(format!(
            "postern cannot tell whether a server answers there: {error}"
        )),
    }
}

fn why_not_a_socket_of_ours(found: &Metadata) -> Option<String> {
    if !found.file_type().is_socket() {
        return Some(
            "this is not a socket; move it away, or give LOCAL_SOCKET another name".into(),
        );
    }
    if found.uid() != geteuid().as_raw() {
        return Some(format!(
            "this socket is another user's (number {}); remove it if nobody needs it, or give LOCAL_SOCKET another name",
            found.uid()
        ));
    }
    None
}

/// Whether anybody listens. Waits for nothing.
fn knock(address: &SocketAddrUnix) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    net::connect(&socket, address)
}

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 128;

#[cfg(test)]
mod tests;

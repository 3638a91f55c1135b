//! Syslog messages, sent to a Unix socket or a UDP port of ours. A datagram is a message, whatever it holds.
//!
//! The socket is of mode 0666, as `/dev/log` is: whoever is on this machine may log. A stale socket in its place is taken
//! away, anything else never, least of all the socket of a daemon that listens.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recvfrom, sockopt};

use super::{Source, SourceContext, SourceEvent, missed};
use crate::clock::Moment;
use crate::config::SyslogAddress;
use crate::logs::entry::MAX_MESSAGE_BYTES;
use message::Reception;

mod message;

pub(super) struct SyslogSource {
    pub(super) at: SyslogAddress,
}

impl Source for SyslogSource {
    fn run(self: Box<Self>, context: &SourceContext) {
        let mut pause = FIRST_PAUSE;
        loop {
            let problem = match Inbox::bind(&self.at) {
                Ok(mut inbox) => {
                    pause = FIRST_PAUSE;
                    context.report("listening", None);
                    match inbox.receive(context) {
                        Ok(()) => return context.report("stopped", None),
                        Err(problem) => problem,
                    }
                }
                Err(problem) => problem,
            };
            context.report("error", Some(problem));
            if context.stop.sleep(pause) {
                return context.report("stopped", None);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// A bound socket.
struct Inbox {
    socket: OwnedFd,
    place: InboxAddress,
    /// Whether anything came since the last look at what was lost.
    busy: bool,
    looked: Moment,
}

enum InboxAddress {
    /// A path, and what has made it ours: its device and inode.
    Path(PathBuf, (u64, u64)),
    /// A port: the socket's number in `/proc/net/udp`, and how many datagrams the kernel had dropped there.
    Udp { inode: u64, dropped: u64 },
}

impl Inbox {
    fn bind(at: &SyslogAddress) -> Result<Self, String> {
        let (socket, place) = match at {
            SyslogAddress::Path(path) => bind_path(path)?,
            SyslogAddress::Udp(address) => {
                bind_udp(*address).map_err(|error| format!("udp:{address}: {error}"))?
            }
        };
        // As much as the kernel allows: it is for a burst that comes while this thread does not run.
        let _ = sockopt::set_socket_recv_buffer_size(&socket, KERNEL_BUFFER);
        Ok(Self {
            socket,
            place,
            busy: false,
            looked: Moment::default(),
        })
    }

    /// Takes messages until it is time to stop.
    fn receive(&mut self, context: &SourceContext) -> Result<(), String> {
        let own_name = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let mut buffer = vec![0; BUFFER];
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        self.looked = context.now();
        while !context.stop.stopped() {
            match recvfrom(&self.socket, &mut buffer[..], flags) {
                Ok((length, whole, from)) => {
                    self.busy = true;
                    let remote = matches!(self.place, InboxAddress::Udp { .. });
                    let reception = Reception {
                        at: context.clock.wall(),
                        remote,
                        own_name: &own_name,
                    };
                    let mut event = message::parse(&buffer[..length], &reception);
                    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
                    if let Some(from) = from.filter(|_| remote) {
                        let from = from.ip().to_canonical().to_string();
                        event.fields.insert("from".to_owned(), from.into());
                    }
                    if whole > length {
                        event.fields.insert("truncated".to_owned(), true.into());
                        event.fields.insert("bytes".to_owned(), whole.into());
                    }
                    context.push(event);
                }
                Err(Errno::AGAIN) => {
                    let patience = match self.place {
                        InboxAddress::Path(..) => Some(LOOK_AT_PATH),
                        InboxAddress::Udp { .. } => self.busy.then_some(LOOK_AT_LOSSES),
                    };
                    context.stop.until_readable(self.socket.as_fd(), patience);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).to_string()),
            }
            self.look(context.now(), &mut |event| context.push(event))?;
        }
        Ok(())
    }

    /// Looks, once in a while, whether messages were lost, or can still arrive.
    fn look(&mut self, now: Moment, give: &mut dyn FnMut(SourceEvent)) -> Result<(), String> {
        let since = now.saturating_since(self.looked);
        match &mut self.place {
            InboxAddress::Path(path, ours) if since >= LOOK_AT_PATH => {
                if identity(path) != Some(*ours) {
                    return Err(format!("{}: the socket was taken away", path.display()));
                }
            }
            InboxAddress::Udp { inode, dropped } if self.busy && since >= LOOK_AT_LOSSES => {
                let now_dropped = drops(*inode).unwrap_or(*dropped);
                if now_dropped > *dropped {
                    give(missed(
                        now_dropped - *dropped,
                        "syslog messages came faster than they could be read and were lost",
                    ));
                }
                *dropped = now_dropped;
                self.busy = false;
            }
            _ => return Ok(()),
        }
        self.looked = now;
        Ok(())
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        if let InboxAddress::Path(path, ours) = &self.place
            && identity(path) == Some(*ours)
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn bind_path(path: &Path) -> Result<(OwnedFd, InboxAddress), String> {
    clear(path)?;
    let bound = UnixDatagram::bind(path).and_then(|socket| {
        open_to_all(path)?;
        Ok(socket)
    });
    let socket = bound.map_err(|error| format!("{}: {error}", path.display()))?;
    let ours = identity(path).ok_or_else(|| format!("{}: it is gone again", path.display()))?;
    Ok((socket.into(), InboxAddress::Path(path.to_owned(), ours)))
}

/// Lets everybody write to the socket, and to nothing else: whoever may write in its folder could have put a link in its
/// place by now.
fn open_to_all(path: &Path) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW;
    let socket = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)?;
    if !socket.metadata()?.file_type().is_socket() {
        return Err(io::Error::other("something else took its place"));
    }
    // A handle of this sort has no other way to its mode (open(2), O_PATH).
    let handle = format!("/proc/self/fd/{}", socket.as_raw_fd());
    fs::set_permissions(handle, Permissions::from_mode(0o666))
}

/// Takes a socket away that nobody listens on any more.
fn clear(path: &Path) -> Result<(), String> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let path_is = |what| Err(format!("{} {what}; it is left alone", path.display()));
    if !metadata.file_type().is_socket() {
        return path_is("is there and not a socket");
    }
    let listener = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    match listener {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|error| format!("{}: a stale socket: {error}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A socket of streams that somebody listens on, or one that is not for us.
        Ok(()) | Err(_) => path_is("is a socket that another program listens on"),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn bind_udp(address: SocketAddr) -> io::Result<(OwnedFd, InboxAddress)> {
    let socket = OwnedFd::from(UdpSocket::bind(address)?);
    let inode = rustix::fs::fstat(&socket)?.st_ino;
    Ok((socket, InboxAddress::Udp { inode, dropped: 0 }))
}

/// How many datagrams the kernel has dropped since a UDP socket's buffer was full. The kernel would tell with each message
/// too (`SO_RXQ_OVFL`), but not without `unsafe`.
fn drops(inode: u64) -> Option<u64> {
    ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .find_map(|table| {
            let mut text = String::new();
            fs::File::open(table)
                .ok()?
                .take(TABLE_BYTES)
                .read_to_string(&mut text)
                .ok()?;
            drops_in(&text, inode)
        })
}

/// A line's tenth word is the inode, its thirteenth the count.
fn drops_in(table: &str, inode: u64) -> Option<u64> {
    let inode = inode.to_string();
    table.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(9);
        (words.next()? == inode).then(|| words.nth(2)?.parse().ok())?
    })
}

/// A datagram is a message and what precedes it; over this it is cut. UDP's are all smaller.
const BUFFER: usize = MAX_MESSAGE_BYTES + 1024;

/// What the kernel may hold for us, in bytes; it doubles that for its own needs.
const KERNEL_BUFFER: usize = 256 * 1024;

/// How soon it is told that messages were lost.
const LOOK_AT_LOSSES: Duration = Duration::from_secs(5);

/// How soon it is noticed that somebody has cleared the socket away.
const LOOK_AT_PATH: Duration = Duration::from_secs(60);

/// A port that is taken, or an address that is not there yet, is tried again after this long, …
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// … twice as long each time, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Thousands of sockets.
const TABLE_BYTES: u64 = 512 * 1024;

#[cfg(test)]
mod tests;

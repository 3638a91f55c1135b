//! When to look at the files: inotify says it, so that a board sleeps while nothing is written. Where inotify cannot,
//! they are looked at four times a second.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{StatFs, fstatfs, statfs};
use rustix::io::Errno;

use super::super::SourceStop;
use super::tail::{FileIdentity, Tail};
use super::watched::{WatchedFolder, WatchedName};

/// How files are watched; a test may ask for less than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchMethod {
    Inotify,
    #[cfg_attr(not(test), allow(dead_code))]
    PollingAlone,
}

/// What has happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WakeUp {
    /// The watches of the files that were written to.
    pub(super) written: HashSet<i32>,
    /// Names may mean other files now, or anything may have happened: all is to be looked at, and watched anew.
    pub(super) everything: bool,
}

/// What the kernel reports to one source.
pub(super) struct Watcher {
    inotify: Option<OwnedFd>,
    /// Readable, in its way, whenever something is mounted or unmounted: inotify does not tell of that.
    mounts: Option<File>,
    held: HashMap<i32, HeldWatch>,
    blind: Option<WatchProblem>,
    /// Whether a folder vanished while it was to be watched.
    unsettled: bool,
}

/// Why inotify does not do here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WatchProblem {
    /// The file system's changes come from elsewhere: nothing is wrong.
    FileSystem,
    /// It should, and does not.
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct HeldWatch {
    flags: WatchFlags,
    names: Vec<WatchedName>,
}

impl WakeUp {
    /// As it is at the start, when nothing has been seen yet.
    pub(super) fn everything() -> Self {
        Self {
            written: HashSet::new(),
            everything: true,
        }
    }
}

impl Watcher {
    pub(super) fn new(means: WatchMethod) -> Self {
        let (inotify, blind) = match means {
            WatchMethod::PollingAlone => (None, Some(WatchProblem::FileSystem)),
            WatchMethod::Inotify => {
                match inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
                    Ok(inotify) => (Some(inotify), None),
                    Err(error) => (None, Some(failed(error))),
                }
            }
        };
        Self {
            mounts: File::open("/proc/self/mountinfo").ok(),
            inotify,
            held: HashMap::new(),
            blind,
            unsettled: false,
        }
    }

    /// From now on the kernel refuses every watch.
    #[cfg(test)]
    pub(super) fn break_inotify(&mut self) {
        let flags = rustix::event::EventfdFlags::NONBLOCK;
        self.inotify = Some(rustix::event::eventfd(0, flags).expect("an event counter"));
        self.held.clear();
    }

    /// Why the files are polled, if they are.
    pub(super) fn blind(&self) -> Option<&WatchProblem> {
        self.blind.as_ref()
    }

    /// How long to wait at most, where nothing is pending.
    pub(super) fn patience(&self) -> Option<Duration> {
        if self.blind.is_some() || self.unsettled {
            return Some(POLL);
        }
        self.mounts.is_none().then_some(SLOW_LOOK)
    }

    /// Watches these folders and open files, and nothing else any more. True if something is watched that was not
    /// before: then it must be looked at once more, since what happened up to now was not reported.
    pub(super) fn watch<'a>(
        &mut self,
        folders: Vec<WatchedFolder>,
        tails: impl Iterator<Item = &'a mut Tail>,
    ) -> bool {
        let Some(inotify) = &self.inotify else {
            return false;
        };
        let mut wanted = WantedWatches::default();
        let mut blind = None;
        let mut hidden = None;
        self.unsettled = false;
        for WatchedFolder { folder, name } in folders {
            let flags = if name.is_some() { FOLDER } else { PASSED };
            match inotify::add_watch(inotify, &folder, flags | WatchFlags::MASK_ADD) {
                Ok(watch) => {
                    if name.is_some() && statfs(&folder).is_ok_and(|found| is_silent(&found)) {
                        blind = Some(WatchProblem::FileSystem);
                    }
                    wanted.add(watch, flags, name);
                }
                Err(Errno::NOENT | Errno::NOTDIR) => self.unsettled = true,
                // Its own folder tells when it is opened to us.
                Err(Errno::ACCESS) => {
                    if let (Some(parent), Some(own)) = (folder.parent(), folder.file_name())
                        && let Ok(watch) =
                            inotify::add_watch(inotify, parent, FOLDER | WatchFlags::MASK_ADD)
                    {
                        wanted.add(watch, FOLDER, Some(WatchedName::Exactly(own.to_owned())));
                        if name.is_some() {
                            hidden = Some(failed(Errno::ACCESS));
                        }
                    } else if name.is_some() {
                        blind = Some(failed(Errno::ACCESS));
                    }
                }
                Err(error) => blind = Some(failed(error)),
            }
        }
        for tail in tails {
            // A file in a folder that cannot be listed: its rotation is not reported.
            blind = blind.or(hidden.take());
            let held = tail.watch.filter(|watch| self.held.contains_key(watch));
            match held.map_or_else(|| add_file(inotify, tail), Ok) {
                Ok(watch) => {
                    tail.watch = Some(watch);
                    wanted.add(watch, FILE, None);
                    if fstatfs(&*tail).is_ok_and(|found| is_silent(&found)) {
                        blind = Some(WatchProblem::FileSystem);
                    }
                }
                Err(error) => {
                    tail.watch = None;
                    if error == Errno::NOENT {
                        self.unsettled = true;
                    } else {
                        blind = Some(failed(error));
                    }
                }
            }
        }
        for watch in self
            .held
            .keys()
            .filter(|watch| !wanted.0.contains_key(watch))
        {
            // It may have gone by itself, with what it watched.
            let _ = inotify::remove_watch(inotify, *watch);
        }
        let is_new = |(watch, now)| self.held.get(watch) != Some(now);
        let any_new = wanted.0.iter().any(is_new);
        self.held = wanted.0;
        self.blind = blind;
        any_new
    }

    /// Sleeps until something happens, this long at most, or until it is time to stop.
    pub(super) fn wait(&mut self, stop: &SourceStop, timeout: Option<Duration>) -> WakeUp {
        let event = stop.event.as_fd();
        let mut fds = vec![PollFd::from_borrowed_fd(event, PollFlags::IN)];
        if let Some(inotify) = &self.inotify {
            fds.push(PollFd::from_borrowed_fd(inotify.as_fd(), PollFlags::IN));
        }
        if let Some(mounts) = &self.mounts {
            fds.push(PollFd::from_borrowed_fd(mounts.as_fd(), PollFlags::PRI));
        }
        stop.wait(&mut fds, timeout);
        let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let remounted = self.mounts.is_some() && fds.last().is_some_and(ready);
        let is_slow_look = timeout == Some(SLOW_LOOK) && !fds.iter().any(ready);
        drop(fds);
        let mut woken = self.read();
        woken.everything |= remounted || is_slow_look || self.blind.is_some() || self.unsettled;
        woken
    }

    /// Takes what inotify has, a bounded amount of it.
    fn read(&mut self) -> WakeUp {
        let mut woken = WakeUp::default();
        let Some(inotify) = &self.inotify else {
            return woken;
        };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        for _ in 0..MAX_EVENTS {
            let Ok(event) = reader.next() else {
                break;
            };
            let events = event.events();
            if events.contains(ReadFlags::QUEUE_OVERFLOW) {
                woken.everything = true;
                continue;
            }
            // Otherwise it is of a watch that is no more.
            let Some(held) = self.held.get(&event.wd()) else {
                continue;
            };
            if events == ReadFlags::MODIFY {
                woken.written.insert(event.wd());
                continue;
            }
            woken.everything |= match event.file_name() {
                Some(name) => {
                    let name = OsStr::from_bytes(name.to_bytes());
                    held.names.iter().any(|wanted| wanted.matches(name))
                }
                None => true,
            };
            if events.contains(ReadFlags::IGNORED) {
                self.held.remove(&event.wd());
            }
        }
        woken
    }
}

/// Watches an open file: by its descriptor, since its name may mean another one already; where there is no `/proc`, by its name,
/// if it still means this one.
fn add_file(inotify: &OwnedFd, tail: &Tail) -> Result<i32, Errno> {
    let flags = FILE | WatchFlags::MASK_ADD;
    let path = format!("/proc/self/fd/{}", tail.as_fd().as_raw_fd());
    let added = inotify::add_watch(inotify, path.as_str(), flags);
    if !matches!(added, Err(Errno::NOENT | Errno::ACCESS)) {
        return added;
    }
    let watch = inotify::add_watch(inotify, tail.path(), flags)?;
    match std::fs::metadata(tail.path()) {
        Ok(found) if FileIdentity::of(&found) == tail.identity() => Ok(watch),
        _ => {
            let _ = inotify::remove_watch(inotify, watch);
            Err(Errno::NOENT)
        }
    }
}

/// What is to be watched. One watch may serve several wishes.
#[derive(Default)]
struct WantedWatches(HashMap<i32, HeldWatch>);

impl WantedWatches {
    fn add(&mut self, watch: i32, flags: WatchFlags, name: Option<WatchedName>) {
        let held = self.0.entry(watch).or_insert(HeldWatch {
            flags,
            names: Vec::new(),
        });
        held.flags |= flags;
        if let Some(name) = name
            && !held.names.contains(&name)
        {
            held.names.push(name);
        }
    }
}

fn failed(error: Errno) -> WatchProblem {
    let limit = match error {
        Errno::NOSPC => " (fs.inotify.max_user_watches)",
        Errno::MFILE => " (fs.inotify.max_user_instances)",
        _ => "",
    };
    WatchProblem::Failed(format!("inotify: {error}{limit}"))
}

/// Whether changes to this file system's files may come from where the kernel does not see them: from another machine, from a
/// program, or out of the kernel itself.
fn is_silent(found: &StatFs) -> bool {
    // The field's type differs by architecture; the numbers have 32 bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let kind = found.f_type as u32;
    SILENT.contains(&kind)
}

/// The magic numbers of statfs(2).
const SILENT: [u32; 22] = [
    0x0000_6969, // NFS
    0x0000_517b, // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x0102_1997, // 9p
    0x6573_5546, // FUSE, virtiofs
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x6b41_4653, // AFS of the kernel
    0x7375_7245, // Coda
    0x0000_564c, // NCP
    0x0bd0_0bd0, // Lustre
    0x0116_1970, // GFS2
    0x7461_636f, // OCFS2
    0x786f_4256, // VirtualBox's shared folders
    0x00c0_ffee, // hostfs
    0x0000_9fa0, // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup 2
];

/// Of a folder in which a name matters.
const FOLDER: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(PASSED);

/// Of a folder that is only on the way: whether it is moved away, or closed to us.
const PASSED: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Of an open file.
const FILE: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF);

/// How often files are looked at where they must be: soon enough to be called live, seldom enough for a board to
/// sleep in between.
pub(super) const POLL: Duration = Duration::from_millis(250);

/// How often they are looked at for what nobody reports: a descriptor that was not to be had, a file that no pattern had room
/// for, and, where `/proc` does not tell, a file system mounted over them. If nothing is wrong there is no such look.
pub(super) const SLOW_LOOK: Duration = Duration::from_secs(30);

/// What is taken before the files are looked at; the rest stays in the kernel's queue.
const MAX_EVENTS: usize = 1024;

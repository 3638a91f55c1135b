//! The files: `audit.log`, which grows, and the older ones behind it, `audit.log.1` to `audit.log.3`, the newest first.
//!
//! What has been appended is on the disk. In which order things are done, and what a crash just there leaves behind:
//!
//! - **Append**: write, `fdatasync`. A crash leaves whole lines and at most one that is torn; nobody had been told that
//!   any of these was kept. The next start cuts what is torn.
//! - **Rotate**: what is rare in `.3` goes into `audit.log.kept` ([`rare`](super::rare)), which is replaced whole; a crash leaves
//!   it in both. Then, of files that are cut to their whole lines, `.2` becomes `.3`, `.1` becomes `.2`, `audit.log` becomes `.1`, a new one is made, the folder is synced;
//!   only then is anything appended. A crash leaves a number, or `audit.log`, missing. Whoever reads takes the files that
//!   there are in their order, and the chain goes on from one to the next all the same.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::folder::{FILES, NAME, open, path};
use super::rare::RareEntries;
use super::tail::{FileTail, tail};
use crate::files;
use crate::journal::storage::LOCK;

/// The calls of a file system that may fail, so that tests can have them do so.
pub trait FileCalls: Send {
    /// Adds all of the bytes; after an error some of them may be there.
    ///
    /// # Errors
    /// The file system's, as with the others.
    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Makes what was written survive a crash.
    ///
    /// # Errors
    /// Never to be tried again on the same descriptor.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Cuts a file.
    ///
    /// # Errors
    /// The file system's.
    fn cut(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// The file system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        files::rename(from, to)
    }

    /// Opens the growing file, and makes it if there is none.
    ///
    /// # Errors
    /// The file system's; of what is a link above all.
    fn open(&self, path: &Path) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::APPEND;
        files::open_or_create(path, flags).map_err(|error| files::whose(path, error))
    }
}

/// The real ones.
pub struct RealCalls;

impl FileCalls for RealCalls {}

/// The files, as whoever writes them sees them.
pub struct AuditFiles {
    folder: PathBuf,
    /// Bytes that one file may have.
    limit: u64,
    calls: Box<dyn FileCalls>,
    /// Open for appending, and as we left it.
    file: Option<File>,
    /// How much of the growing file is whole lines on the disk. What is behind that is cut before more is written.
    len: u64,
    /// What was found in a rotation, and is not told yet.
    pub note: Option<String>,
}

/// Why nothing was appended.
#[derive(Debug)]
pub enum NotWritten {
    /// The file system refuses. Nothing of it is kept, and it may be tried again.
    Failed(io::Error),
    /// The growing file is not as we left it: somebody else removed, cut or wrote it.
    Changed,
}

impl From<io::Error> for NotWritten {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl AuditFiles {
    /// The files in a folder; one has at most `limit` bytes.
    pub fn new(folder: &Path, limit: u64, calls: Box<dyn FileCalls>) -> Self {
        Self {
            folder: folder.to_owned(),
            limit,
            calls,
            file: None,
            len: 0,
            note: None,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of the growing file that are whole lines.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Looks how the growing file ends, to go on behind that. What is none of ours is set aside; then its new name is
    /// returned too.
    ///
    /// # Errors
    /// The file system's: nothing is known then.
    pub fn look(&mut self) -> io::Result<(FileTail, Option<String>)> {
        self.file = None;
        self.len = 0;
        let tail = tail(&path(&self.folder, 0))?;
        match &tail {
            FileTail::Nothing(_) => {}
            FileTail::Entries { len, .. } => self.len = *len,
            FileTail::Foreign => return Ok((tail, Some(self.set_aside()?))),
        }
        Ok((tail, None))
    }

    /// How the newest of the older files ends.
    ///
    /// # Errors
    /// The file system's.
    pub fn look_behind(&self) -> io::Result<FileTail> {
        for number in 1..FILES {
            match tail(&path(&self.folder, number))? {
                FileTail::Nothing(_) => {}
                found => return Ok(found),
            }
        }
        Ok(FileTail::Nothing(0))
    }

    /// Adds lines, each with its end, and has them on the disk.
    ///
    /// # Errors
    /// [`NotWritten`]; then none of them is there, or will be cut off before anything else is written.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), NotWritten> {
        if self.file.is_some() && !self.is_as_left()? {
            self.file = None;
            return Err(NotWritten::Changed);
        }
        // Whatever fails below, the file is opened anew and cut to its length before it is used again.
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        if self.len > 0 && self.len.saturating_add(lines.len() as u64) > self.limit {
            self.rotate()?;
            file = self.open()?;
        }
        self.calls.write(&file, lines)?;
        self.calls.sync(&file)?;
        self.len += lines.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    fn open(&mut self) -> Result<File, NotWritten> {
        let file = self.calls.open(&path(&self.folder, 0))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() < self.len {
            return Err(NotWritten::Changed);
        }
        if metadata.len() > self.len {
            self.calls.cut(&file, self.len)?;
        }
        if self.len == 0 {
            // It may be new. What is appended to a file without a durable name is gone after a power cut.
            self.calls.sync(&files::open_folder(&self.folder)?)?;
        }
        Ok(file)
    }

    /// Whether the file of that name is the open one, and has its length.
    fn is_as_left(&self) -> io::Result<bool> {
        let Some(file) = &self.file else {
            return Ok(true);
        };
        let own = file.metadata()?;
        match files::stat(&path(&self.folder, 0)) {
            Ok(named) => {
                let len = u64::try_from(named.st_size).unwrap_or(u64::MAX);
                Ok((named.st_dev, named.st_ino, len) == (own.dev(), own.ino(), self.len))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            // A card that does not answer for a moment: nobody's hand.
            Err(error) => Err(error),
        }
    }

    /// The number of the newest entry among those that are kept when their files are gone; 0: there is none.
    pub fn newest_kept(&self) -> u64 {
        RareEntries::read(&self.folder).map_or(0, |kept| kept.newest())
    }

    /// Leaves word, in the lock's file, that there is a log here: one that is missing at a start was taken away then. A crash
    /// before leaves no word, and so no false alarm.
    ///
    /// # Errors
    /// The file system's.
    pub fn leave_word(&self) -> io::Result<()> {
        let mut lock = files::open_own(&self.folder.join(LOCK), OFlags::WRONLY)?;
        lock.write_all(USED)?;
        lock.sync_all()
    }

    /// Puts aside what is rare in the file that is about to go.
    fn keep_what_is_rare(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        match open(&path(&self.folder, FILES - 1)) {
            Ok((file, len)) => file.take(len).read_to_end(&mut text)?,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let place = path(&self.folder, FILES);
        let mut kept = match RareEntries::read(&self.folder) {
            Ok(kept) if kept.whole => kept,
            Err(error)
                if !matches!(
                    error.kind(),
                    ErrorKind::InvalidData | ErrorKind::FileTooLarge
                ) =>
            {
                return Err(error);
            }
            changed => {
                let mut aside = place.clone().into_os_string();
                aside.push(".damaged");
                self.calls.rename(&place, Path::new(&aside))?;
                self.note = Some(format!(
                    "{NAME}.kept was changed or damaged, and is now {NAME}.kept.damaged"
                ));
                // What can be read of it is not lost for that.
                changed.unwrap_or_default()
            }
        };
        if kept.add(&text) || self.note.is_some() {
            files::replace(&place, kept.text(self.limit).as_bytes())?;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.keep_what_is_rare()?;
        for number in (0..FILES - 1).rev() {
            let (from, to) = (path(&self.folder, number), path(&self.folder, number + 1));
            match self.calls.rename(&from, &to) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.len = 0;
        Ok(())
    }

    /// Gives the growing file a name under which nobody looks for a log.
    fn set_aside(&self) -> io::Result<String> {
        let from = path(&self.folder, 0);
        for number in 1..=MOST_ASIDE {
            let name = format!("{NAME}.damaged.{number}");
            let to = self.folder.join(&name);
            // Nobody else makes such names here, or the folder is not ours.
            if files::stat(&to).is_err() {
                self.calls.rename(&from, &to)?;
                return Ok(name);
            }
        }
        let full = format!("{NAME}.damaged.1 to .{MOST_ASIDE} are taken; move them away");
        Err(io::Error::new(ErrorKind::AlreadyExists, full))
    }
}

/// What stands in the lock's file where a log was written.
const USED: &[u8] = b"used\n";

/// How many files that are no logs are kept beside. It takes bad luck to have one.
pub const MOST_ASIDE: usize = 4;

//! What this process may do, and what it gives up: root's rights in somebody else's folder, and dumps of its memory.
//!
//! Root that works in a folder which a service owns would follow what somebody who broke into the service laid there. So
//! before root touches anything in it, it becomes the folder's owner, by starting this program once more. `setuid` alone
//! would do for a process of one thread, but has no safe call; the standard library's `exec` has, and leaves standard
//! input, the terminal, the process's number and its exit status as they are. It needs no `setpriv`, which `BusyBox` often lacks.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getegid, geteuid, getgroups, set_dumpable_behavior,
    setrlimit,
};

use crate::files;

/// Keeps keys and passwords out of core dumps, and out of reach of the user's other processes (`ptrace`), also where no
/// systemd does it. Whatever is started from here dumps no core either.
pub fn forbid_dumps() {
    // Neither can fail: a limit may always be lowered, and Linux knows both.
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Whom to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserAndGroup {
    user: u32,
    group: u32,
}

impl UserAndGroup {
    /// Of what was typed: a name, a number, or two numbers with a colon between them, as `chown` takes them.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn find(typed: &str) -> Result<Self, String> {
        let accounts = fs::read_to_string(ACCOUNTS).unwrap_or_default();
        Self::find_in(typed, &accounts)
    }

    fn find_in(typed: &str, accounts: &str) -> Result<Self, String> {
        if let Some((user, group)) = typed.split_once(':') {
            let numbers = user.parse().ok().zip(group.parse().ok());
            let (user, group) = numbers.ok_or_else(|| {
                format!("--user {typed:?}: write a name, a number, or USER:GROUP in numbers")
            })?;
            return Ok(Self { user, group });
        }
        account(accounts, |name, user| {
            name == typed || typed.parse() == Ok(user)
        })
        .ok_or_else(|| format!("--user {typed:?}: there is no such user in {ACCOUNTS}"))
    }

    /// Whoever owns a folder, if it is there, and is somebody else than root: with the group that the account has, or else
    /// the folder's.
    ///
    /// # Errors
    /// The file system's.
    pub fn of_owner(folder: &Path) -> io::Result<Option<Self>> {
        let (user, group) = match files::owner(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        if user == 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string(ACCOUNTS).unwrap_or_default();
        let known = account(&accounts, |_, number| number == user);
        // Root's group would be a right that is kept.
        let group = if group == 0 { NO_GROUP } else { group };
        Ok(Some(known.unwrap_or(Self { user, group })))
    }

    /// Whether this process is that user already.
    ///
    /// # Errors
    /// If it still has root's group besides, or may not become anybody.
    pub fn is_in_force(self) -> io::Result<bool> {
        let user = geteuid().as_raw();
        if user == self.user {
            let groups = getgroups()?.into_iter().chain([getegid()]);
            // The standard library passes over a system that lets nobody give groups up.
            if user != 0 && groups.into_iter().any(|group| group.as_raw() == 0) {
                return Err(refused("root's group could not be given up"));
            }
            return Ok(true);
        }
        if user != 0 {
            return Err(refused(&format!(
                "only root can become user {}, and this is user {user}",
                self.user
            )));
        }
        Ok(false)
    }

    /// Starts this program once more in the place of this process, as that user and without any other group, with those
    /// words behind its name. Comes back only with an error.
    #[must_use]
    pub fn start(self, words: &[OsString], env: &[(&str, &Path)]) -> io::Error {
        let mut program = Command::new("/proc/self/exe");
        program
            .arg0(env!("CARGO_PKG_NAME"))
            .args(["--user", &format!("{}:{}", self.user, self.group)])
            .args(words)
            .envs(env.iter().copied())
            .uid(self.user)
            .gid(self.group);
        let error = program.exec();
        let message = format!("cannot go on as user {}: {error}", self.user);
        io::Error::new(error.kind(), message)
    }

    /// Its number.
    #[must_use]
    pub fn user(self) -> u32 {
        self.user
    }
}

/// The first account in the lines of `passwd(5)` whose name and number are meant.
fn account(accounts: &str, is_meant: impl Fn(&str, u32) -> bool) -> Option<UserAndGroup> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let mut numbers = fields.skip(1).map(str::parse);
        let (user, group) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        is_meant(name, user).then_some(UserAndGroup { user, group })
    })
}

fn refused(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, message)
}

const ACCOUNTS: &str = "/etc/passwd";

/// `nogroup`, nearly everywhere.
const NO_GROUP: u32 = 65534;

#[cfg(test)]
mod tests;

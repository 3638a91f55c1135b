//! Decides, before a command touches anything, with whose rights it runs. Root becomes the user named by --user, or the
//! owner of the folder that the command works in.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use rustix::process::geteuid;

use super::command::{LoadConfig, Operand, WorksOn};
use super::parse::Invocation;
use crate::config::{Config, ConfigError};
use crate::files;
use crate::privileges::UserAndGroup;
use crate::terminal::Terminal;

/// What a command run by root does with root's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootRights {
    /// Gives them up where it should, by starting the program anew with the same words.
    GiveUp,
    /// Keeps them: a test must not be replaced by another process.
    Keep,
}

/// Continues as the user that `--user` names. Returns if that is so already, or if it names nobody.
///
/// # Errors
/// When that cannot be.
pub(super) fn to_user(
    invocation: &Invocation,
    words: &[OsString],
    rights: RootRights,
) -> io::Result<()> {
    let Some(typed) = &invocation.user else {
        return Ok(());
    };
    let identity = UserAndGroup::find(typed).map_err(io::Error::other)?;
    if identity.is_in_force()? {
        return Ok(());
    }
    // Otherwise that user would look for a folder of its own, not for the installed service's.
    let given = ["STATE_DIR", STATE]
        .iter()
        .any(|name| env::var_os(name).is_some());
    let state: &[_] = if given {
        &[]
    } else {
        &[(STATE, Path::new(SERVICE))]
    };
    start(identity, words, state, rights)
}

/// Continues as the owner of the folder that the command works in, if root runs it and somebody else owns that.
/// Otherwise returns, with the way to the configuration.
///
/// # Errors
/// When that cannot be.
pub(super) fn to_owner<'a>(
    invocation: &Invocation,
    words: &[OsString],
    terminal: &mut Terminal<'_>,
    rights: RootRights,
    load: impl FnOnce() -> Result<Config, ConfigError> + 'a,
) -> io::Result<LoadConfig<'a>> {
    let Invocation {
        command, arguments, ..
    } = invocation;
    let named = match (command.works_on, command.operand, arguments.operand()) {
        (WorksOn::StateDir, Operand::File(_), Some(file)) => Some(files::parent(Path::new(file))),
        (WorksOn::StateDir, Operand::Folder(_), Some(folder)) => Some(Path::new(folder)),
        (WorksOn::Server | WorksOn::Configuration | WorksOn::StateDir, ..) => None,
        (WorksOn::SocketOrStateDir, ..) if !arguments.has("socket") => None,
        _ => return Ok(Box::new(load)),
    };
    if let Some(folder) = named {
        become_owner(folder, words, &[], terminal, rights)?;
        return Ok(Box::new(load));
    }
    let config = load();
    let folder = match &config {
        Ok(config) => &config.state_dir,
        Err(error) => &error.rest.state_dir,
    };
    // That user would find another folder: root's home is not its home.
    become_owner(folder, words, &[("STATE_DIR", folder)], terminal, rights)?;
    Ok(Box::new(move || config))
}

fn become_owner(
    folder: &Path,
    words: &[OsString],
    env: &[(&str, &Path)],
    terminal: &mut Terminal<'_>,
    rights: RootRights,
) -> io::Result<()> {
    if rights == RootRights::Keep || !geteuid().is_root() || folder.as_os_str().is_empty() {
        return Ok(());
    }
    let shown = folder.display();
    let owner = UserAndGroup::of_owner(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{shown}: {error}")))?;
    let Some(owner) = owner else { return Ok(()) };
    if words.is_empty() || words.iter().any(|word| word == "serve") {
        // A server without root's rights may be unable to read some logs.
        let user = owner.user();
        writeln!(
            terminal.err,
            "warning: {shown} belongs to user {user}: postern goes on as that user, not as root"
        )?;
    }
    start(owner, words, env, rights)
}

/// Comes back only with an error, or in a test.
fn start(
    identity: UserAndGroup,
    words: &[OsString],
    env: &[(&str, &Path)],
    rights: RootRights,
) -> io::Result<()> {
    match rights {
        RootRights::GiveUp => Err(identity.start(words, env)),
        RootRights::Keep => Ok(()),
    }
}

/// Where systemd says that the state is.
const STATE: &str = "STATE_DIRECTORY";

/// Where an installed service has it.
const SERVICE: &str = "/var/lib/postern";

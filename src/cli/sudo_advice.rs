//! A command may fail because this user may not enter the service's folder. Then it advises to run the command as root.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind::{NotFound, PermissionDenied};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::command::WorksOn;
use super::parse::Invocation;
use crate::config::{Config, ConfigError, DEFAULT_ENV_FILE, ROOT_STATE_DIR};
use crate::server::shell_word;

/// Where a command looked for the server, as far as it did.
#[derive(Default)]
pub(super) struct SeenConfig(RefCell<Option<ServerPaths>>);

struct ServerPaths {
    env_file: PathBuf,
    state_dir: PathBuf,
    local_socket: Option<PathBuf>,
}

impl SeenConfig {
    /// Notes what a configuration says of it.
    pub fn note(
        &self,
        env_file: Option<&Path>,
        config: Result<Config, ConfigError>,
    ) -> Result<Config, ConfigError> {
        let all = match &config {
            Ok(config) => config,
            Err(error) => &error.rest,
        };
        *self.0.borrow_mut() = Some(ServerPaths {
            env_file: env_file.unwrap_or(Path::new(DEFAULT_ENV_FILE)).to_owned(),
            state_dir: all.state_dir.clone(),
            local_socket: all.local_socket.clone(),
        });
        config
    }

    /// What to tell an ordinary user whose `invocation` has failed, if it is about the installed service.
    /// `root_state_dir`: where a service of this machine usually keeps its state.
    pub fn advice(
        &self,
        invocation: &Invocation,
        words: &[OsString],
        root_state_dir: &Path,
    ) -> Option<String> {
        let Invocation {
            command, arguments, ..
        } = invocation;
        let line = || {
            let words = words.iter().map(|word| shell_word(&word.to_string_lossy()));
            words.fold("sudo postern".to_owned(), |line, word| line + " " + &word)
        };
        let advice = |barred: bool| {
            let what = "postern runs here as another user, and this user may not ask it";
            barred.then(|| format!("{what}. As root: {}", line()))
        };
        let denied = |file: &Path| File::open(file).is_err_and(|e| e.kind() == PermissionDenied);
        if let Some(socket) = arguments.path("socket") {
            return advice(access(&socket, Access::WRITE_OK) == Err(Errno::ACCESS));
        }
        if let (WorksOn::StateDir, Some(file)) = (command.works_on, arguments.operand()) {
            return advice(denied(Path::new(file)));
        }
        let looked = self.0.borrow();
        let places = looked.as_ref()?;
        let closed = |error| match error {
            PermissionDenied => true,
            NotFound => places.state_dir != root_state_dir && root_state_dir.exists(),
            _ => false,
        };
        let folder = || fs::read_dir(&places.state_dir).is_err_and(|error| closed(error.kind()));
        let socket = || match &places.local_socket {
            Some(path) => access(path, Access::WRITE_OK).is_err_and(|error| match error {
                Errno::ACCESS => true,
                _ => closed(NotFound),
            }),
            None => false,
        };
        let denied = || denied(&places.env_file);
        let barred = match command.works_on {
            WorksOn::Nothing | WorksOn::Server => false,
            WorksOn::Configuration => denied(),
            WorksOn::Socket => denied() || socket(),
            WorksOn::SocketOrStateDir => denied() || (socket() && folder()),
            WorksOn::StateDir => denied() || folder(),
        };
        advice(barred)
    }
}

/// Where this machine's service keeps its state, unless it is told otherwise.
pub(super) fn root_state_dir() -> &'static Path {
    Path::new(ROOT_STATE_DIR)
}

#[cfg(test)]
mod tests;

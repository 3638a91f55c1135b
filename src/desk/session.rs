//! The session at a board: signs in with a password or the saved login, renews the token, signs out.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::client::{BoardClient, BoardRequest};
use super::environment::{Desk, Timing};
use super::error::DeskError;
use super::options::LogsOptions;
use super::response::MAX_SMALL;
use super::saved_login::SavedLogin;
use super::stop::{Interest, StopSignal};
use crate::config::SecretString;
use crate::json;
use crate::terminal::Terminal;
use crate::terminal::prompt::secret_line;

/// A login. The access token is only ever in memory.
pub(super) struct BoardSession<'a> {
    user: &'a str,
    access: SecretString,
    renewal: Renewal<'a>,
}

/// How the login goes on when the access token is over.
enum Renewal<'a> {
    /// `POSTERN_PASSWORD`.
    Password(&'a SecretString),
    /// A refresh token that is not to be kept, or could not be.
    Token(SecretString),
    /// The refresh token on the disk, where other commands take it from, too.
    SavedLogin(SavedLogin),
}

/// What the board gives.
struct LoginTokens {
    access: SecretString,
    refresh: SecretString,
}

impl<'a> BoardSession<'a> {
    /// Signs in by `POSTERN_PASSWORD`, else by the saved login, else by a password that is asked for.
    pub(super) fn sign_in(
        client: &BoardClient<'_>,
        options: &'a LogsOptions,
        desk: &'a Desk,
        terminal: &mut Terminal<'_>,
    ) -> Result<Self, DeskError> {
        let user = options.user.as_str();
        if let Some(password) = &desk.password {
            let access = log_in(client, user, password.expose())?.access;
            let renewal = Renewal::Password(password);
            return Ok(Self {
                user,
                access,
                renewal,
            });
        }
        let folder = desk.folder.as_ref().filter(|_| options.save);
        let saved = folder.map(|folder| SavedLogin::of(folder, user, client.board));
        if let Some(saved) = saved.as_ref().filter(|saved| saved.exists()) {
            match refresh_saved(client, saved, terminal) {
                Ok((access, renewal)) => {
                    return Ok(Self {
                        user,
                        access,
                        renewal,
                    });
                }
                Err(DeskError::Denied(_)) => {
                    writeln!(terminal.err, "the saved login has ended; sign in again")?;
                }
                Err(other) => return Err(other),
            }
        }
        if !terminal.input_is_terminal {
            return Err(DeskError::Permanent(
                "there is no terminal to ask for the password; set POSTERN_PASSWORD, or sign in at a terminal first"
                    .to_owned(),
            ));
        }
        let question = format!("Password of {user} at {}: ", client.board);
        let password = secret_line(terminal, &question, || typed(client.stop));
        let password = password.map_err(|error| DeskError::Permanent(error.to_string()))?;
        let pair = log_in(client, user, &password)?;
        drop(password);
        let (access, renewal) = match saved {
            None => (pair.access, Renewal::Token(pair.refresh)),
            Some(saved) => {
                let (access, renewal) = save_new(client, &saved, pair, terminal)?;
                if let Renewal::SavedLogin(saved) = &renewal {
                    writeln!(
                        terminal.err,
                        "this login is kept in {} for the next time; --sign-out ends it, --no-save keeps none",
                        saved.path().display()
                    )?;
                }
                (access, renewal)
            }
        };
        Ok(Self {
            user,
            access,
            renewal,
        })
    }

    pub(super) fn token(&self) -> &SecretString {
        &self.access
    }

    /// Gets another access token. [`DeskError::Denied`]: the login has ended.
    pub(super) fn renew(
        &mut self,
        client: &BoardClient<'_>,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), DeskError> {
        match &self.renewal {
            Renewal::Password(password) => {
                self.access = log_in(client, self.user, password.expose())?.access;
            }
            Renewal::Token(token) => {
                let pair = refresh(client, token)?;
                (self.access, self.renewal) = (pair.access, Renewal::Token(pair.refresh));
            }
            Renewal::SavedLogin(saved) => {
                let (access, renewal) = refresh_saved(client, saved, terminal)?;
                (self.access, self.renewal) = (access, renewal);
            }
        }
        Ok(())
    }

    /// Logs out a session that nobody can use again, if the board can be reached.
    pub(super) fn end(self, client: &BoardClient<'_>) {
        if matches!(self.renewal, Renewal::SavedLogin(_)) {
            return;
        }
        let deaf = StopSignal::default();
        let timing = Timing {
            connect: FAREWELL,
            answer: FAREWELL,
            ..client.timing
        };
        let _ = log_out(&client.with(&deaf, timing), &self.access);
    }
}

/// Logs the saved login out at the board, and removes it.
pub(super) fn sign_out(
    client: &BoardClient<'_>,
    saved: &SavedLogin,
    terminal: &mut Terminal<'_>,
) -> Result<(), DeskError> {
    let (board, path) = (client.board, saved.path());
    match refresh_saved(client, saved, terminal) {
        Ok((access, _)) => log_out(client, &access)?,
        Err(DeskError::Denied(_)) => {}
        Err(other) => return Err(other),
    }
    saved
        .remove()
        .map_err(|error| DeskError::Permanent(format!("{}: {error}", path.display())))?;
    writeln!(terminal.err, "signed out at {board}")?;
    Ok(())
}

/// Trades the saved token for a fresh pair, under a lock: used twice, the token would look stolen.
fn refresh_saved(
    client: &BoardClient<'_>,
    saved: &SavedLogin,
    terminal: &mut Terminal<'_>,
) -> Result<(SecretString, Renewal<'static>), DeskError> {
    let _lock = saved.lock(client.stop).map_err(|error| {
        DeskError::Permanent(format!(
            "the saved login, {}: {error}",
            saved.path().display()
        ))
    })?;
    let token = match saved.read() {
        // Only ever sent to the certificate that it came from.
        Some((fingerprint, token)) if fingerprint == client.trust.fingerprint => token,
        _ => return Err(DeskError::Denied("no login is saved".to_owned())),
    };
    let pair = refresh(client, &token).inspect_err(|failure| {
        if matches!(failure, DeskError::Denied(_)) {
            let _ = saved.remove();
        }
    })?;
    save(client, saved, pair, terminal)
}

/// Keeps a login that was made by a password.
fn save_new(
    client: &BoardClient<'_>,
    saved: &SavedLogin,
    pair: LoginTokens,
    terminal: &mut Terminal<'_>,
) -> Result<(SecretString, Renewal<'static>), DeskError> {
    match saved.lock(client.stop) {
        Ok(_lock) => save(client, saved, pair, terminal),
        Err(error) => not_saved(saved, pair, &error, terminal),
    }
}

/// Has the refresh token on the disk before it is relied upon.
fn save(
    client: &BoardClient<'_>,
    saved: &SavedLogin,
    pair: LoginTokens,
    terminal: &mut Terminal<'_>,
) -> Result<(SecretString, Renewal<'static>), DeskError> {
    match saved.write(client.trust.fingerprint, &pair.refresh) {
        Ok(()) => Ok((pair.access, Renewal::SavedLogin(saved.clone()))),
        Err(error) => {
            // What is there is used up.
            let _ = saved.remove();
            not_saved(saved, pair, &error, terminal)
        }
    }
}

fn not_saved(
    saved: &SavedLogin,
    pair: LoginTokens,
    error: &io::Error,
    terminal: &mut Terminal<'_>,
) -> Result<(SecretString, Renewal<'static>), DeskError> {
    let path = saved.path();
    writeln!(
        terminal.err,
        "warning: this login cannot be kept: {}: {error}",
        path.display()
    )?;
    Ok((pair.access, Renewal::Token(pair.refresh)))
}

fn log_in(client: &BoardClient<'_>, user: &str, password: &str) -> Result<LoginTokens, DeskError> {
    let asked = post(
        client,
        "/api/auth/login",
        &[("username", user), ("password", password)],
    );
    asked.map_err(|failure| match failure {
        // No other means is left to try.
        DeskError::Denied(reason) => DeskError::Permanent(reason),
        other => other,
    })
}

fn refresh(client: &BoardClient<'_>, token: &SecretString) -> Result<LoginTokens, DeskError> {
    post(
        client,
        "/api/auth/refresh",
        &[("refresh_token", token.expose())],
    )
}

fn log_out(client: &BoardClient<'_>, access: &SecretString) -> Result<(), DeskError> {
    let answer = client.ask(&BoardRequest {
        method: "POST",
        target: "/api/logout",
        token: Some(access),
        body: &[],
    });
    answer.map(|_| ())
}

/// Sends the members as a JSON object; the answer is a pair of tokens.
fn post(
    client: &BoardClient<'_>,
    target: &str,
    members: &[(&str, &str)],
) -> Result<LoginTokens, DeskError> {
    // Room enough at once: a buffer that grows leaves copies of the secret behind.
    let longest: usize = members
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let mut body = Zeroizing::new(Vec::with_capacity(64 + 6 * longest));
    for (index, (name, value)) in members.iter().enumerate() {
        body.push(if index == 0 { b'{' } else { b',' });
        for (text, end) in [(name, b':'), (value, b' ')] {
            // Writing text to a Vec cannot fail.
            let _ = serde_json::to_writer(&mut *body, text);
            body.push(end);
        }
    }
    body.push(b'}');
    let answer = client.ask(&BoardRequest {
        method: "POST",
        target,
        token: None,
        body: &body,
    })?;
    let answer = answer.whole(MAX_SMALL, client.timing.answer)?;
    let mut answer = json::parse(&answer).unwrap_or_default();
    let mut token = |name: &str| match answer.get_mut(name).map(Value::take) {
        Some(Value::String(token)) if is_token(&token) => Ok(SecretString::new(token)),
        _ => Err(DeskError::Permanent(format!(
            "{}: its answer to the login has no {name}",
            client.board
        ))),
    };
    Ok(LoginTokens {
        access: token("access_token")?,
        refresh: token("refresh_token")?,
    })
}

/// Whether it can stand in a header field and in a line of a file (RFC 6750, section 2.1).
fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Waits for a line at the terminal, or the end.
pub(super) fn typed(stop: &StopSignal) -> io::Result<()> {
    let stdin = io::stdin();
    // Only a terminal hands over whole lines: after one has begun to be read there is no more waiting.
    if stdin.is_terminal() {
        stop.wait(Some((stdin.as_fd(), Interest::Read)), None)?;
    }
    Ok(())
}

/// How long a logout may take at the end: the user is waiting for the prompt.
const FAREWELL: Duration = Duration::from_secs(2);

/// The board's have some 400 bytes; its heads take 8 KiB.
const MAX_TOKEN: usize = 4096;

#[cfg(test)]
mod tests;

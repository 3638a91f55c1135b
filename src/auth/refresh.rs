//! Renews a session: trades a refresh token, once, for a fresh pair, and handles its second use.

use super::change::{Change, Changed, Refresh, RefreshReuse};
use super::revocation::{Full, RefreshUse};
use super::{
    Auth, AuthError, Event, EventKind, EventOutcome, REFRESH_TTL, Token, TokenKind, TokenPair,
    Verified,
};
use crate::clock::Timestamp;
use crate::ids::ClientKey;
use crate::journal::CommitError;

impl Auth {
    /// Exchanges a refresh token for a fresh pair of the same session. Of any number of callers with one token exactly
    /// one gets a pair, once the token's use is durable. `client` asks, `None` on the local socket. Cheap.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`], [`AuthError::Full`]. When finished, [`AuthError::NotDone`]: the token is still good,
    /// and there is no pair; [`AuthError::InvalidToken`]: the session has ended meanwhile.
    pub fn begin_refresh(
        &self,
        client: Option<ClientKey>,
        token: &str,
    ) -> Result<Change, AuthError> {
        // Both are taken before the check, so that whatever ends the login from here on also ends the pair: a revoked
        // login's tokens by the time they were issued at, an old password's by their generation.
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let generation = self.durable.generation();
        let token = self.live_token(token, TokenKind::Refresh, wall)?;
        // Ours expire then. That a foreign one is shorter must not make it look older.
        let expires = token.expires.max(token.issued + REFRESH_TTL);
        match self.durable.revocations.use_up(token.id, now, expires) {
            Ok(RefreshUse::First) => Ok(Change::Refresh(Refresh {
                client,
                token,
                used: now,
                expires,
                issued: wall,
                generation,
            })),
            Ok(RefreshUse::Again(used)) => self.used_again(client, &token, used),
            Err(Full) => Err(AuthError::Full),
        }
    }

    /// Makes the pair, or gives the token back.
    pub(super) fn refreshed(
        &self,
        refresh: &Refresh,
        committed: Result<(), CommitError>,
    ) -> Result<Changed, AuthError> {
        let Refresh {
            client,
            token,
            issued,
            generation,
            ..
        } = refresh;
        if let Err(CommitError) = committed {
            // Nobody got a pair for it. Whoever comes again, as he is told to, is no thief.
            self.durable.revocations.give_back(token.id);
            return Err(AuthError::NotDone);
        }
        let pair = self.issue_pair(token.family, *generation, *issued)?;
        // The commit may have taken its time, and the login ended in it.
        let principal = self.living(Some(self.principal(token.proof())))?;
        self.prove(*client, &principal.user);
        Ok(Changed::Refreshed(pair))
    }

    /// As [`Auth::begin_refresh`] on the local socket, and waits for the journal. Blocks.
    ///
    /// # Errors
    /// As [`Auth::begin_refresh`].
    pub fn refresh(&self, token: &str) -> Result<TokenPair, AuthError> {
        let refresh = self.begin_refresh(None, token)?;
        match self.carry_out(refresh)? {
            Changed::Refreshed(pair) => Ok(pair),
            // No other change of a refresh token succeeds.
            _ => Err(AuthError::InvalidToken),
        }
    }

    /// A refresh token came a second time.
    fn used_again(
        &self,
        client: Option<ClientKey>,
        token: &Verified,
        used: Timestamp,
    ) -> Result<Change, AuthError> {
        let grace = self.settings.refresh_reuse_grace;
        if !grace.is_zero() && self.clock.elapsed(used) <= grace {
            // Two tabs, or a retry after a lost answer.
            return Err(AuthError::InvalidToken);
        }
        // One of two holders of this token has stolen it. Which one cannot be told: both lose the login.
        log::warn!(user:% = self.user, token:? = token.id; "refresh token reused: the login is revoked");
        let revoked = self.revoke_family(token.family, token.issued, token.expires);
        self.logins_ended();
        let token = token.told();
        let revoked =
            revoked.inspect_err(|_| self.tell_of_reuse(client, token, EventOutcome::NotDone))?;
        Ok(Change::RefreshReuse(RefreshReuse {
            client,
            token,
            revoked,
        }))
    }

    /// Tells of a reuse, and refuses the token.
    pub(super) fn refresh_reused(
        &self,
        reuse: &RefreshReuse,
        committed: Result<(), CommitError>,
    ) -> Result<Changed, AuthError> {
        let outcome = match committed {
            Ok(()) => EventOutcome::Refused,
            Err(CommitError) => EventOutcome::NotDurable,
        };
        self.tell_of_reuse(reuse.client, reuse.token, outcome);
        committed?;
        Err(AuthError::InvalidToken)
    }

    fn tell_of_reuse(&self, client: Option<ClientKey>, token: Token, outcome: EventOutcome) {
        let event = Event {
            token: Some(token),
            ..self.event(client, outcome)
        };
        self.audit(EventKind::RefreshReuse, &event);
    }
}

//! The API: a request comes in, an outcome goes out. Nothing here knows of sockets or threads; whoever has a
//! connection calls two functions, [`Api::admit`] once the head is there and [`Api::run`] once the body is.

pub mod account;
pub mod audit_log;
mod certificate;
#[cfg(feature = "console")]
pub mod console;
pub mod cors;
pub mod counts;
#[cfg(feature = "advisories")]
pub mod cve;
pub mod error;
pub mod health;
pub mod input;
pub mod logs;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod query;
pub mod rate_limits;
pub mod responses;
pub mod route;
pub mod status;
#[cfg(feature = "updates")]
mod updates;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use parking_lot::Mutex;
use tiny_http::Method;

use crate::audit::Audit;
use crate::auth::{Auth, Change, Principal, Quick};
use crate::clock::{Clock, Moment};
#[cfg(feature = "advisories")]
use crate::device::advisories::Advisories;
use crate::device::board::BoardReader;
#[cfg(feature = "updates")]
use crate::device::updates::Updates;
use crate::http::request::{Peer, Request};
use crate::http::response::Response;
use crate::ids::ClientKey;
use crate::journal::{CommitError, Journal, Record};
use crate::limits::bucket::Buckets;
use crate::limits::client::client_address;
use crate::limits::fairness::Holder;
use crate::logs::hub::{Alive, Encoding, Hub};
use crate::logs::ring::Ring;
use crate::logs::source::Sources;
pub use certificate::{CertificateState, CertificateTrouble};
use counts::Counts;
use error::ApiError;
use route::{Access, Cost, ROUTES, Route, RouteMatch};

/// What clients should come in by and can not.
#[derive(Debug, Clone)]
pub struct MissingDoor {
    /// For everybody, in `/health`: nothing of addresses, other programs or the system.
    pub reason: &'static str,
    /// For whoever is logged in, in `/api/status`.
    pub problem: String,
}

/// Everything that handlers need. One for the whole server.
pub struct Api {
    /// Who is who.
    pub auth: Arc<Auth>,
    /// The request limit of each address.
    pub buckets: Buckets,
    /// The newest log entries.
    pub ring: Arc<Ring>,
    /// The live streams.
    pub hub: Arc<Hub>,
    /// Where entries come from.
    pub sources: Mutex<Sources>,
    /// What outlives a power cut.
    pub journal: Arc<Journal>,
    /// Who came in, tried to, and changed what.
    pub audit: Arc<Audit>,
    /// The guarded clock.
    pub clock: Arc<Clock>,
    /// When this run began.
    pub started: Moment,
    /// How many connections the TLS listeners have.
    pub connections: Arc<AtomicUsize>,
    /// What clients should come in by and can not. Kept by the server.
    pub missing_doors: Mutex<Vec<MissingDoor>>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Which other origins a browser may call from.
    pub allowed_origins: Vec<String>,
    /// What is known of updates.
    #[cfg(feature = "updates")]
    pub updates: Arc<Updates>,
    /// What is known of vulnerabilities.
    #[cfg(feature = "advisories")]
    pub advisories: Arc<Advisories>,
    /// Where the state is kept, for the free space of its disk.
    pub state_dir: PathBuf,
    /// Where the board shows itself.
    pub board: BoardReader,
    /// What is counted of requests and connections.
    pub counts: Counts,
    /// What the TLS listener's certificate is like.
    pub certificate: Mutex<CertificateState>,
}

/// What becomes of a request.
pub enum Outcome {
    /// An ordinary answer.
    Response(Response),
    /// The connection becomes a log stream behind this head of an answer: 101, or 200 with a body that goes on.
    Stream(Response, Box<Stream>),
    /// The answer waits until this is durable, and whoever runs the request does not have to.
    Change(Box<PendingChange>),
}

/// A durable change that a request has begun, until it can be answered: so that a crowd of them shares one sync, no thread
/// waits for it. It must be committed, and given to [`Api::committed`], even if nobody waits for the answer any more.
pub struct PendingChange {
    change: Change,
    /// The request's, for the answer.
    origin: Option<String>,
}

impl PendingChange {
    /// The change that this request has begun.
    fn new(change: Change, request: &Request) -> Box<Self> {
        let origin = request.header("Origin").map(str::to_owned);
        Box::new(Self { change, origin })
    }

    /// What has to be durable before the answer.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.change.records()
    }
}

/// A log stream about to begin: whom the hub will serve, and with what.
pub struct Stream {
    /// How the entries are written.
    pub encoding: Encoding,
    /// Which entries.
    pub filter: crate::logs::filter::Filter,
    /// After which entry, of which run.
    pub since: Option<u64>,
    /// The run `since` belongs to.
    pub boot: Option<String>,
    /// How long the login it was opened under still holds.
    pub alive: Alive,
}

/// Who calls, as far as the head of the request tells.
pub struct Caller {
    /// The address that the limits count; none on the local socket.
    pub client: Option<ClientKey>,
    /// Who it is, once that is known.
    pub principal: Option<Principal>,
    /// The value of the path's parameter, still encoded; empty if it has none.
    pub parameter: String,
}

impl Caller {
    /// Who it is.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] if nobody was found out. The router lets nobody that far; this is the second lock.
    pub fn principal(&self) -> Result<&Principal, ApiError> {
        self.principal.as_ref().ok_or(ApiError::Unauthenticated)
    }
}

/// A request that may go on: its route is known, and its caller, unless a password still has to be checked.
pub struct Call {
    target: CallTarget,
    caller: Caller,
    password: Option<Credentials>,
}

enum CallTarget {
    Route(&'static Route),
    /// An answer that only the authenticated may see: 404, 405.
    Refusal(ApiError),
    Options(Option<String>),
}

struct Credentials {
    user: String,
    password: zeroize::Zeroizing<String>,
}

impl Call {
    /// Where it must run.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let own = match &self.target {
            CallTarget::Route(route) => route.cost,
            _ => Cost::Cheap,
        };
        match self.password {
            Some(_) => Cost::Password,
            None => own,
        }
    }

    /// Who sent it, once that is known.
    #[must_use]
    pub const fn principal(&self) -> Option<&Principal> {
        self.caller.principal.as_ref()
    }

    /// Whether its credential is in the body, where only the handler finds it.
    fn is_login(&self) -> bool {
        matches!(&self.target, CallTarget::Route(route)
            if route.access == Access::Open && route.cost == Cost::Password)
    }
}

impl Api {
    /// Looks at a request's head: limits, and whoever can be recognised without waiting. `found` is its route.
    ///
    /// # Errors
    /// The answer that refuses it.
    pub fn admit(&self, request: &Request, found: RouteMatch) -> Result<Call, Response> {
        self.admit_quietly(request, found)
            .map_err(|error| cors::decorate(self, request.header("Origin"), error.response()))
    }

    fn admit_quietly(&self, request: &Request, found: RouteMatch) -> Result<Call, ApiError> {
        let client = self.client(request);
        self.take_token(client)?;
        let mut call = Call {
            target: CallTarget::Options(None),
            caller: Caller {
                client,
                principal: None,
                parameter: String::new(),
            },
            password: None,
        };
        if request.method == Method::Options && cors::is_preflight(request) {
            if !cors::is_allowed(self, request) {
                return Err(ApiError::ForeignOrigin);
            }
            return Ok(call);
        }
        cors::refuse_foreign_changes(self, request)?;
        if request.target.path() == "*" {
            // RFC 9110, section 9.3.7: the server as a whole. It says nothing of any path, so anybody may ask.
            call.target = CallTarget::Options(Some(format!("{}, OPTIONS", cors::METHODS)));
            return Ok(call);
        }
        let (target, protected) = match found {
            RouteMatch::Route(row, parameter) => {
                let route = &ROUTES[row];
                parameter.clone_into(&mut call.caller.parameter);
                (CallTarget::Route(route), route.access == Access::User)
            }
            RouteMatch::OtherMethods(methods, open) if request.method == Method::Options => {
                (CallTarget::Options(Some(methods)), !open)
            }
            RouteMatch::OtherMethods(methods, open) => (
                CallTarget::Refusal(ApiError::MethodNotAllowed(methods)),
                !open,
            ),
            RouteMatch::Nothing => (
                CallTarget::Refusal(ApiError::NotFound("there is nothing at this path")),
                request.target.may_mean_api(),
            ),
        };
        call.target = target;
        let by_ticket =
            matches!(&call.target, CallTarget::Route(route) if route.access == Access::Ticket);
        if protected || (by_ticket && logs::brings_credentials(request)) {
            self.recognise(request, &mut call)?;
        }
        Ok(call)
    }

    /// Where the caller stands when the pool's places are short.
    #[must_use]
    pub fn holder(&self, call: &Call) -> Holder {
        let client = call.caller.client;
        let now = self.clock.monotonic();
        Holder {
            client,
            is_proven: call.caller.principal.is_some()
                || client.is_none_or(|client| self.auth.proven().contains(client, now)),
        }
    }

    /// Finishes a request that needs no place on the pool: it is [`Cost::Cheap`], or a login whose credential was confirmed
    /// a moment ago, or is not even looked at. `waited`: the body came after the head, which may have taken time. Cheap.
    ///
    /// # Errors
    /// The call back, if only [`Api::run`] can finish it.
    pub fn run_at_once(
        &self,
        mut call: Call,
        request: &Request,
        waited: bool,
    ) -> Result<Outcome, Box<Call>> {
        match call.cost() {
            Cost::Cheap if waited => Ok(self.run(&mut call, request)),
            Cost::Cheap => Ok(self.decorated(request, self.handle(&call, request))),
            Cost::Password if call.is_login() => {
                let origin = request.header("Origin");
                let answer = match account::login_at_once(self, request, &call.caller) {
                    Ok(Some(answer)) => answer,
                    Ok(None) => return Err(Box::new(call)),
                    Err(error) => error.response(),
                };
                Ok(Outcome::Response(cors::decorate(self, origin, answer)))
            }
            _ => Err(Box::new(call)),
        }
    }

    /// Finishes a request: checks the password if that is still to be done, and runs the handler. May wait, unless it is
    /// [`Cost::Cheap`].
    pub fn run(&self, call: &mut Call, request: &Request) -> Outcome {
        self.decorated(request, self.run_quietly(call, request))
    }

    fn decorated(&self, request: &Request, outcome: Result<Outcome, ApiError>) -> Outcome {
        let origin = request.header("Origin");
        match outcome {
            Ok(Outcome::Response(answer)) => {
                Outcome::Response(cors::decorate(self, origin, answer))
            }
            Ok(other @ (Outcome::Stream(..) | Outcome::Change(_))) => other,
            Err(error) => Outcome::Response(cors::decorate(self, origin, error.response())),
        }
    }

    /// Answers a change, now that it is known whether it is durable. Cheap.
    pub fn committed(
        &self,
        pending: PendingChange,
        committed: Result<(), CommitError>,
    ) -> Response {
        let PendingChange { change, origin } = pending;
        let answer = match self.auth.finish(change, committed) {
            Ok(changed) => account::changed_response(&changed),
            Err(error) => ApiError::from(error).response(),
        };
        cors::decorate(self, origin.as_deref(), answer)
    }

    fn run_quietly(&self, call: &mut Call, request: &Request) -> Result<Outcome, ApiError> {
        if let Some(Credentials { user, password }) = call.password.take() {
            let client = call.caller.client.ok_or(ApiError::Unauthenticated)?;
            call.caller.principal = Some(self.auth.basic(client, &user, &password)?);
        }
        // The body may have taken its time, and the queue: what was revoked meanwhile must not act any more.
        if let Some(principal) = &call.caller.principal
            && !self.auth.is_alive(principal)
        {
            return Err(ApiError::InvalidToken);
        }
        self.handle(call, request)
    }

    fn handle(&self, call: &Call, request: &Request) -> Result<Outcome, ApiError> {
        match &call.target {
            CallTarget::Route(route) => {
                // Whoever comes with a ticket is not known yet: the handler asks once he is.
                if route.access != Access::Ticket {
                    query::check_query(route.path, &request.target)?;
                }
                (route.handler)(self, request, &call.caller)
            }
            CallTarget::Refusal(error) => Err(error.clone()),
            CallTarget::Options(methods) => {
                Ok(Outcome::Response(cors::options(methods.as_deref())))
            }
        }
    }

    /// The address that this request's limits count under.
    fn client(&self, request: &Request) -> Option<ClientKey> {
        let Peer::Network(peer) = request.peer else {
            return None;
        };
        let forwarded = request.header_values("X-Forwarded-For");
        Some(client_address(peer, forwarded, &self.trusted_proxies))
    }

    fn take_token(&self, client: Option<ClientKey>) -> Result<(), ApiError> {
        let Some(client) = client else { return Ok(()) };
        self.buckets
            .take(client, self.clock.monotonic())
            .map_err(|wait| ApiError::TooManyRequests(wait.0))
    }

    /// Charges a request that never became one to its address.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`] when its bucket is empty: then that is the answer, not what was wrong with it.
    pub fn charge_malformed(&self, peer: Peer) -> Result<(), ApiError> {
        match peer {
            Peer::Network(peer) => {
                let client = client_address(peer, std::iter::empty(), &self.trusted_proxies);
                self.take_token(Some(client))
            }
            Peer::Local => Ok(()),
        }
    }

    /// Finds out who calls as far as that is quick; leaves a password to be checked otherwise.
    fn recognise(&self, request: &Request, call: &mut Call) -> Result<(), ApiError> {
        let mut values = request.header_values("Authorization");
        let value = match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ if call.caller.client.is_none() => "",
            (None, _) => return Err(ApiError::Unauthenticated),
            _ => return Err(ApiError::BadAuthorization("'Authorization' is given twice")),
        };
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let rest = rest.trim();
        // On the local socket too: a logout there means the login whose token is shown.
        if scheme.eq_ignore_ascii_case("Bearer") {
            let principal = self.auth.bearer(rest)?;
            self.auth.prove(call.caller.client, &principal.user);
            call.caller.principal = Some(principal);
            return Ok(());
        }
        let Some(client) = call.caller.client else {
            call.caller.principal = Some(self.auth.local());
            return Ok(());
        };
        if !scheme.eq_ignore_ascii_case("Basic") {
            return Err(ApiError::BadAuthorization(
                "the scheme in 'Authorization' is neither Basic nor Bearer",
            ));
        }
        // A browser adds Basic by itself, to an `<img>` of any site too: such a one is neither used nor counted.
        cors::refuse_foreign(self, request)?;
        let Credentials { user, password } =
            parse_basic(rest).map_err(ApiError::BadAuthorization)?;
        match self.auth.basic_quick(client, &user, &password) {
            Quick::Known(principal) => call.caller.principal = Some(principal),
            Quick::LockedOut(error) => return Err(error.into()),
            Quick::NeedsCheck => call.password = Some(Credentials { user, password }),
        }
        Ok(())
    }

    /// How many connections the TLS listener holds.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// RFC 7617, section 2: base64 of `user:password` in UTF-8, the user without a colon.
fn parse_basic(text: &str) -> Result<Credentials, &'static str> {
    let bytes = STANDARD.decode(text).map(zeroize::Zeroizing::new);
    let bytes = bytes.map_err(|_| "the Basic credential is not base64")?;
    let text = std::str::from_utf8(&bytes).map_err(
        |_| "the Basic credential is not UTF-8: user and password are sent in that encoding",
    )?;
    let (user, password) = text
        .split_once(':')
        .ok_or("the Basic credential has no colon between user and password")?;
    Ok(Credentials {
        user: user.to_owned(),
        password: zeroize::Zeroizing::new(password.to_owned()),
    })
}

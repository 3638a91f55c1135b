//! The running server: makes every part in the order in which they need each other, and ends them in reverse.

mod accept;
mod admission;
mod assembly;
mod banner;
mod connection;
mod dependencies;
mod doors;
mod holder;
#[doc(hidden)]
pub mod hot_paths;
mod housekeeper;
mod inherited;
mod journal_report;
mod link;
mod listen;
mod liveness;
pub(crate) mod local;
mod mailbox;
mod pool;
mod secret_key;
pub(crate) mod state_dir;
pub mod tls;
mod transport;
mod watchdog;
mod worker;

pub use assembly::{ResetError, can_reset, reset_password};
pub use dependencies::{Dependencies, OpenStorage};
pub use watchdog::Watchdog;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, Builder, JoinHandle};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::api::{Api, MissingDoor};
use crate::audit::{Event, EventKind};
use crate::auth::{self, Auth, FirstPassword, InitialiseError};
use crate::background;
use crate::config::Config;
#[cfg(feature = "advisories")]
use crate::device::advisories;
#[cfg(feature = "updates")]
use crate::device::updates;
use crate::journal::OpenError;
use crate::limits::bucket::Buckets;
use crate::logs::own;
use crate::logs::source::STARTING;
use admission::Admission;
use banner::Banner;
pub(crate) use banner::shell_word;
use doors::Doors;
use housekeeper::Housekeeper;
use listen::{Listener, Missing, Opened};
use liveness::Liveness;
use local::{Door, DoorError};
use mailbox::Mailbox;
use pool::Pool;
use tls::{Certificate, TlsError};
use watchdog::Feeder;
use worker::{Worker, WorkerContext};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or folder.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The first password.
    #[error(transparent)]
    Password(#[from] InitialiseError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The state folder.
    #[error("STATE_DIR: {} cannot be used: {error}", path.display())]
    StateDir {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Not one of the listening addresses.
    #[error("LISTEN: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Listen(Vec<Missing>),
    /// What lies where the local socket should be.
    #[error(transparent)]
    Door(DoorError),
    /// Threads, descriptors.
    #[error("the system has no resources left: {0}")]
    System(#[from] io::Error),
}

/// A running server. Dropped without [`Server::stop`], it goes on.
pub struct Server {
    api: Arc<Api>,
    addresses: Vec<SocketAddr>,
    /// What a person on the LAN could type for them.
    reachable: Vec<SocketAddr>,
    certificate: Arc<Certificate>,
    first_password: FirstPassword,
    /// The configuration has a password.
    configured: bool,
    local_socket: Option<PathBuf>,
    user: String,
    mailboxes: Vec<Arc<Mailbox>>,
    /// Workers first: they submit to the pool, which ends when the last of them has.
    workers: Vec<JoinHandle<()>>,
    pool: pool::Threads,
    door: Option<Arc<Door>>,
    housekeeper: Housekeeper,
    #[cfg(feature = "updates")]
    updates: Option<updates::watch::FeedWatch>,
    #[cfg(feature = "advisories")]
    advisories: advisories::watch::AdvisoryWatch,
}

impl Server {
    /// Makes everything and starts serving.
    ///
    /// # Errors
    /// The first thing that fails; nothing is left running then but threads that end by themselves.
    pub fn start(config: Config, dependencies: &Dependencies) -> Result<Self, StartError> {
        let room = listen::room_for_connections(config.max_connections);
        let admission = Admission::new(room.network, config.max_connections_per_ip);
        let local_admission = Admission::local(room.local);
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let bcrypt_at_once = bcrypts_on(cores);
        let (api, first_password) =
            assembly::assemble(&config, dependencies, bcrypt_at_once, admission.total())?;
        Self::open(
            config,
            dependencies,
            &api,
            first_password,
            [admission, local_admission],
            bcrypt_at_once,
        )
    }

    fn open(
        config: Config,
        dependencies: &Dependencies,
        api: &Arc<Api>,
        first_password: FirstPassword,
        [admission, local_admission]: [Arc<Admission>; 2],
        bcrypt_at_once: usize,
    ) -> Result<Self, StartError> {
        let certificate = Arc::new(match &config.tls_files {
            Some(files) => {
                let now = api.clock.wall();
                Certificate::given(&files.cert, &files.key, &config.state_dir, now)?
            }
            None => Certificate::own(&config.state_dir, api.clock.wall())?,
        });
        housekeeper::tell_certificate(api, &certificate, false);
        let Opened { listeners, missing } = listen::open_all(&config, dependencies)?;
        let addresses = listeners
            .iter()
            .map(|listener| listener.local_addr())
            .collect::<Result<Vec<_>, _>>()?;
        let reachable = listeners
            .iter()
            .map(|listener| listen::reachable(listener))
            .collect::<Result<Vec<_>, _>>()?;
        // Twice as many as requests, and a rush of them: whoever makes a request a connection meets the request limit
        // first, and is told so in words.
        let handshakes = Arc::new(Buckets::new(
            config
                .rate_limit_rps
                .saturating_mul(2)
                .max(MIN_HANDSHAKE_RPS),
            config
                .rate_limit_burst
                .saturating_mul(4)
                .max(MIN_HANDSHAKE_BURST),
            config.max_tracked_clients,
            api.auth.proven().clone(),
        ));
        let (pool, pool_threads) = Pool::start(api, bcrypt_at_once)?;
        let shared = Arc::new(WorkerContext {
            api: api.clone(),
            pool,
            certificate: certificate.clone(),
            admission,
            local_admission,
            handshakes: handshakes.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
        });
        let local = config.local_socket.as_deref().map(open_door).transpose()?;
        let listeners: Vec<_> = listeners.into_iter().map(Listener::Tls).collect();
        let (mailboxes, workers) = start_workers(&shared, &listeners, config.workers)?;
        let (door, no_door) = match local {
            Some(Ok((door, listener))) => {
                // One worker's: so it can always make room for a newcomer, without asking.
                if let Some(worker) = mailboxes.first() {
                    worker.open(Listener::Local(listener));
                }
                (Some(Arc::new(door)), None)
            }
            Some(Err(reason)) => (None, Some(reason)),
            None => (None, None),
        };
        let feeder = dependencies.watchdog.clone().map(|watchdog| {
            let parts = watchdog::parts(api, &mailboxes, &pool_threads);
            Feeder::new(watchdog, Liveness::new(parts), Instant::now())
        });
        let doors = Doors::new(api, door.clone(), no_door, missing, mailboxes.clone());
        let housekeeper =
            Housekeeper::start(api.clone(), handshakes, certificate.clone(), doors, feeder)?;
        #[cfg(feature = "updates")]
        let updates = (config.updates.url.as_ref())
            .map(|_| {
                let (updates, entropy) = (api.updates.clone(), dependencies.entropy.clone());
                updates::watch::FeedWatch::start(updates, dependencies.update_pace, entropy)
            })
            .transpose()?;
        #[cfg(feature = "advisories")]
        let advisories = advisories::watch::AdvisoryWatch::start(
            api.advisories.clone(),
            dependencies.advisory_pace,
        )?;
        settle_passwords(api.auth.clone())?;
        // Not before: a start that fails is tried again for ever, and serves nobody. With the fingerprint, so that a
        // certificate that was changed in between shows.
        let event = Event {
            more: Some(("fingerprint", &certificate.fingerprint())),
            ..Event::default()
        };
        api.audit.record(EventKind::Start, &event);
        api.audit.begin();
        Ok(Self {
            api: api.clone(),
            addresses,
            reachable: reachable.concat(),
            certificate,
            first_password,
            configured: config.password.is_some(),
            local_socket: config.local_socket.filter(|_| door.is_some()),
            user: config.username,
            mailboxes,
            workers,
            pool: pool_threads,
            door,
            housekeeper,
            #[cfg(feature = "updates")]
            updates,
            #[cfg(feature = "advisories")]
            advisories,
        })
    }

    /// Where the TLS listeners are.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The API, for a look inside.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// What to tell the person who started it. Holds the first password if this run generated it.
    #[must_use]
    pub fn banner(&self) -> String {
        let (first_password, password_file) = match &self.first_password {
            FirstPassword::Generated { password, file } => {
                (Some(password.expose()), Some(file.as_path()))
            }
            FirstPassword::Kept | FirstPassword::Configured => (None, None),
        };
        // A configured one takes a generated one's place in a moment, if that has never been changed.
        let initial = self.api.state_dir.join(auth::INITIAL_PASSWORD_FILE);
        let password_file = password_file
            .or_else(|| (!self.configured && initial.exists()).then_some(initial.as_path()));
        let program = std::env::args_os().next().unwrap_or_default();
        Banner {
            addresses: &self.reachable,
            certificate: &self.certificate,
            user: &self.user,
            first_password,
            password_file,
            local_socket: self.local_socket.as_deref(),
            program: &program.to_string_lossy(),
            has_logs: !self.api.sources.lock().states().is_empty(),
        }
        .text()
    }

    /// Waits until every log source has reported its state, or [`SETTLING`] is over.
    fn wait_for_sources(&self) {
        let until = Instant::now() + SETTLING;
        let starting = || {
            let states = self.api.sources.lock().states();
            states.iter().any(|source| source.state == STARTING)
        };
        while starting() && Instant::now() < until {
            thread::sleep(SETTLING / 100);
        }
    }

    /// A line for `systemctl status`.
    fn status(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        format!("serving TLS on {}", addresses.join(", "))
    }

    /// Reads the certificate again, soon.
    pub fn reload(&self) {
        self.housekeeper.reload();
    }

    /// Stops accepting, finishes what is under way (10 s at most), closes the streams, and commits.
    pub fn stop(self) {
        log::info!("stopping");
        self.housekeeper.leave();
        // Ask nobody and look no more; a question or a look under way is not waited for.
        #[cfg(feature = "updates")]
        drop(self.updates);
        #[cfg(feature = "advisories")]
        drop(self.advisories);
        let deadline = Instant::now() + LEAVE;
        for mailbox in &self.mailboxes {
            mailbox.leave(deadline);
        }
        if let Some(door) = &self.door {
            door.leave();
        }
        // First, since those who watch do not wait for anybody; a stream that begins now is dropped.
        self.api
            .hub
            .shutdown(deadline.saturating_duration_since(Instant::now()));
        for worker in self.workers {
            let _ = worker.join();
        }
        // With the last worker the way into the pool is gone.
        self.pool.finish(deadline);
        self.housekeeper.stop();
        self.api.sources.lock().stop();
        self.api.auth.heed_clock();
        self.api.journal.close();
        self.api.audit.record(EventKind::Stop, &Event::default());
        self.api.audit.stop();
        log::info!("stopped");
    }
}

/// Starts, serves until SIGTERM or SIGINT, and stops in good order.
///
/// # Errors
/// [`StartError`]; nothing fails once it is up.
pub fn run(config: Config) -> Result<(), Box<dyn Error>> {
    let listeners = inherited::take()?;
    own::install(config.log_level);
    // Before the first thread: a signal that comes while the server starts is handled as soon as it is up.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let dependencies = Dependencies {
        listeners,
        watchdog: Watchdog::of_systemd(),
        ..Dependencies::real()
    };
    let server = Server::start(config, &dependencies)?;
    // The workers have the listeners now, and close them when they leave.
    drop(dependencies);
    let status = server.status();
    let _ = sd_notify::notify(false, &[NotifyState::Ready, NotifyState::Status(&status)]);
    // Behind the log's lines about the start, so that it is what a person sees. Not through the log: the first password
    // is in it. A closed standard output is no reason to stop.
    server.wait_for_sources();
    let _ = io::Write::write_all(&mut io::stdout(), server.banner().as_bytes());
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        server.reload();
    }
    let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
    server.stop();
    Ok(())
}

/// The local socket, or in words why there is none. A foreign file in its place stops the start. A system that has no
/// socket to give does not: the board would lose its other door too.
fn open_door(path: &Path) -> Result<Result<(Door, Arc<UnixListener>), MissingDoor>, StartError> {
    match Door::open(path) {
        Ok(opened) => Ok(Ok(opened)),
        Err(DoorError::System(error)) => {
            log::error!(path:% = path.display(), error:% = error; "the local socket cannot be opened{}", elsewhere(&error));
            Ok(Err(MissingDoor {
                reason: "the local socket cannot be opened",
                problem: format!("the local socket cannot be opened: {error}"),
            }))
        }
        Err(taken) => Err(StartError::Door(taken)),
    }
}

/// Where a socket can be had all the same.
fn elsewhere(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            "; if STATE_DIR may become read-only, put the socket elsewhere: LOCAL_SOCKET=/run/postern.sock"
        }
        _ => "",
    }
}

type Workers = (Vec<Arc<Mailbox>>, Vec<JoinHandle<()>>);

/// Brings the kept password in line with the configured one, beside the first requests.
fn settle_passwords(auth: Arc<Auth>) -> io::Result<()> {
    let thread = Builder::new().name("settle".into());
    thread.spawn(move || {
        // It runs bcrypt, while the first requests are answered.
        background::yield_to_requests();
        // What fails here is tried again at the first password check.
        let _ = auth.settle();
    })?;
    Ok(())
}

fn start_workers(
    shared: &Arc<WorkerContext>,
    listeners: &[Listener],
    count: usize,
) -> io::Result<Workers> {
    let mailboxes = (0..count).map(|_| Mailbox::new());
    let mailboxes = mailboxes.collect::<io::Result<Vec<_>>>()?;
    let (mailboxes, mail): (Vec<_>, Vec<_>) = mailboxes.into_iter().unzip();
    let workers = mail
        .into_iter()
        .enumerate()
        .map(|(index, mail)| Worker::new(shared.clone(), listeners, &mailboxes, index, mail))
        .collect::<io::Result<Vec<_>>>()?;
    let threads = workers
        .into_iter()
        .enumerate()
        .map(|(index, worker)| {
            Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || worker.run())
        })
        .collect::<io::Result<Vec<_>>>()?;
    Ok((mailboxes, threads))
}

/// How many runs of bcrypt go on at once, with that many cores. They leave one to the requests, if there are two: a run
/// takes a tenth of a second and more, and lets whoever shares its core wait for some milliseconds.
fn bcrypts_on(cores: usize) -> usize {
    cores.saturating_sub(1).clamp(1, MAX_BCRYPTS)
}

/// How long the banner waits for the log sources' state, which they report at once unless something hangs.
const SETTLING: Duration = Duration::from_millis(500);

/// How long requests under way may take once the server is told to stop.
const LEAVE: Duration = Duration::from_secs(10);

/// The least number of new connections a second, however few requests are allowed.
const MIN_HANDSHAKE_RPS: u32 = 50;

/// And so many at once.
const MIN_HANDSHAKE_BURST: u32 = 512;

/// A board has neither the memory nor the time for more at once; the others wait their turn.
const MAX_BCRYPTS: usize = 2;

#[cfg(test)]
mod tests;

//! Makes everything below the sockets out of the configuration: the journal, authentication, the logs, the API.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use zeroize::Zeroizing;

use super::journal_report::JournalReport;
use super::{Dependencies, StartError, secret_key, state_dir};
use crate::api::Api;
use crate::api::counts::Counts;
use crate::audit::Audit;
use crate::auth::{self, Auth, AuthError, Durable, FirstPassword};
use crate::config::{Config, SecretString};
#[cfg(feature = "advisories")]
use crate::device::advisories::{self, Advisories};
use crate::device::board::BoardReader;
#[cfg(feature = "updates")]
use crate::device::updates::Updates;
use crate::entropy::Entropy;
use crate::files;
use crate::journal::storage::LOCK;
use crate::journal::survey::FILE_NAME;
use crate::journal::{Journal, OpenError};
use crate::limits::bucket::Buckets;
use crate::logs::hub::{Hub, Waker};
use crate::logs::own;
use crate::logs::ring::Ring;
use crate::logs::source::Sources;

/// Makes the API, in the order in which its parts need each other.
///
/// # Errors
/// The first thing that fails.
pub fn assemble(
    config: &Config,
    dependencies: &Dependencies,
    bcrypt_at_once: usize,
    connections: Arc<AtomicUsize>,
) -> Result<(Arc<Api>, FirstPassword), StartError> {
    let Dependencies {
        time,
        entropy,
        storage,
        ..
    } = dependencies;
    let state_dir = config.state_dir.clone();
    files::prepare_dir(&state_dir, state_dir::is_ours).map_err(|error| StartError::StateDir {
        path: state_dir.clone(),
        error,
    })?;
    // Nobody ever removes it; once an audit log has been written beside it, it says so. A start that failed does not
    // count.
    let used_before = files::stat(&state_dir.join(LOCK)).is_ok_and(|lock| lock.st_size > 0);
    // The lock in it is what makes everything below ours alone.
    let storage = storage(&state_dir)?;
    let durable = Arc::new(Durable::with_capacity(config.max_revocations));
    let (journal, replayed) = Journal::open(storage, durable.clone(), time.clone())?;
    let journal = Arc::new(journal);
    let found = JournalReport::new(config, &replayed, durable.password(), used_before);
    let clock = replayed.clock;

    let mut boot = [0; 8];
    entropy.fill(&mut boot);
    let boot = format!("{:016x}", u64::from_ne_bytes(boot));
    let waker = Arc::new(Waker::new()?);
    let ring = Arc::new(Ring::new(config.log_buffer_bytes, boot, waker.call()));
    // 0.1.0 kept there where the log's numbers went on. Nothing reads it any more.
    let _ = files::unlink(&state_dir.join("log-sequence"));
    own::attach(&ring, clock.clone());
    clock.tell();
    found.tell();
    let audit = Audit::open(
        &state_dir,
        config.audit_log_bytes,
        clock.clone(),
        used_before,
    )?;
    let audit = Arc::new(audit);
    log::info!(version = env!("CARGO_PKG_VERSION"), records = replayed.records; "starting");

    let hub = Arc::new(Hub::start(ring.clone(), waker, time.clone())?);
    // Weak, since a stream holds the way to ask whether its login still lives.
    let streams = Arc::downgrade(&hub);
    let on_end = move || {
        if let Some(hub) = streams.upgrade() {
            hub.recheck();
        }
    };
    let auth = Auth::new(
        auth_settings(
            config,
            entropy.as_ref(),
            bcrypt_at_once,
            // Every journal gets a password before anybody can log in. One without has forgotten who ever did.
            durable.password().is_none(),
        )?,
        durable,
        journal.clone(),
        clock.clone(),
        entropy.clone(),
        Some(audit.clone()),
        Box::new(on_end),
    );
    let configured = config.password.as_ref().map(SecretString::expose);
    let first_password = auth.initialise(configured, time.as_ref())?;

    let sources = Sources::start(&config.log_sources, &ring, &clock)?;
    let proven = auth.proven().clone();
    let api = Api {
        auth: Arc::new(auth),
        buckets: Buckets::new(
            config.rate_limit_rps,
            config.rate_limit_burst,
            config.max_tracked_clients,
            proven,
        ),
        ring,
        hub,
        sources: parking_lot::Mutex::new(sources),
        journal,
        audit,
        started: clock.monotonic(),
        connections,
        missing_doors: parking_lot::Mutex::default(),
        trusted_proxies: config.trusted_proxies.clone(),
        allowed_origins: config.cors_allowed_origins.clone(),
        #[cfg(feature = "updates")]
        updates: Arc::new(updates(config, &clock)),
        #[cfg(feature = "advisories")]
        advisories: Arc::new(advisories(config, dependencies, &clock)),
        clock,
        state_dir,
        board: BoardReader::default(),
        counts: Counts::default(),
        certificate: parking_lot::Mutex::default(),
    };
    Ok((Arc::new(api), first_password))
}

/// Whether there is a state folder in which [`reset_password`] could set one.
///
/// # Errors
/// [`ResetError::NeverStarted`].
pub fn can_reset(config: &Config) -> Result<(), ResetError> {
    let journal = config.state_dir.join(FILE_NAME);
    match files::stat(&journal) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ResetError::NeverStarted(journal))
        }
        Err(error) => Err(StartError::File {
            path: journal,
            error,
        }
        .into()),
    }
}

/// Who hears of a newer postern.
#[cfg(feature = "updates")]
fn updates(config: &Config, clock: &Arc<crate::clock::Clock>) -> Updates {
    let version = semver::Version::parse(env!("CARGO_PKG_VERSION"));
    Updates::new(
        config.updates.clone(),
        config.state_dir.clone(),
        version.expect("cargo refuses any other"),
        clock.clone(),
    )
}

/// What the device is held against.
#[cfg(feature = "advisories")]
fn advisories(
    config: &Config,
    dependencies: &Dependencies,
    clock: &Arc<crate::clock::Clock>,
) -> Advisories {
    let place = config.advisory_dir.clone();
    Advisories::new(
        advisories::AdvisorySettings {
            is_given: place.is_some(),
            place: place.unwrap_or_else(|| config.state_dir.join("advisories")),
            ignored: config.advisory_ignore.clone(),
        },
        dependencies.root.clone(),
        clock.clone(),
    )
}

/// Sets another password in the state folder of a server that is stopped; all logins end. Starts nothing, and makes no
/// first password where there is none yet.
///
/// # Errors
/// [`ResetError`]; the old password goes on then.
pub fn reset_password(
    config: &Config,
    dependencies: &Dependencies,
    new: &str,
) -> Result<(), ResetError> {
    can_reset(config)?;
    // The lock in it keeps a server from starting meanwhile.
    let storage = (dependencies.storage)(&config.state_dir)?;
    let durable = Arc::new(Durable::with_capacity(config.max_revocations));
    let (journal, replayed) = Journal::open(storage, durable.clone(), dependencies.time.clone())?;
    let journal = Arc::new(journal);
    let settings = auth_settings(config, dependencies.entropy.as_ref(), 1, false)?;
    let audit = Audit::open(
        &config.state_dir,
        config.audit_log_bytes,
        replayed.clock.clone(),
        true,
    );
    let audit = Arc::new(audit.map_err(StartError::System)?);
    let auth = Auth::new(
        settings,
        durable,
        journal.clone(),
        replayed.clock,
        dependencies.entropy.clone(),
        Some(audit.clone()),
        Box::new(|| ()),
    );
    let done = auth.reset_password(new);
    journal.close();
    audit.stop();
    Ok(done?)
}

/// Why there is no other password.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// There is nothing to change yet.
    #[error("{}: there is no journal yet; the first start of postern makes the first password", .0.display())]
    NeverStarted(PathBuf),
    /// The journal, or the server that has it.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The key.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The password, or the disk.
    #[error("{0}")]
    Refused(#[from] AuthError),
}

fn auth_settings(
    config: &Config,
    entropy: &dyn Entropy,
    bcrypt_at_once: usize,
    forgotten: bool,
) -> Result<auth::Settings, StartError> {
    let secret_key = match &config.secret_key {
        Some(key) => Zeroizing::new(key.expose().to_vec()),
        None => secret_key::load_or_generate(&config.state_dir, entropy, forgotten).map_err(
            |(path, error)| StartError::File {
                error: files::whose(&path, error),
                path,
            },
        )?,
    };
    let previous = config.secret_key_previous.as_ref();
    Ok(auth::Settings {
        user: config.username.clone(),
        secret_key,
        secret_key_previous: previous.map(|key| Zeroizing::new(key.expose().to_vec())),
        access_ttl: config.access_ttl,
        refresh_reuse_grace: config.refresh_reuse_grace,
        ticket_ttl: config.ws_ticket_ttl,
        max_attempts: config.max_login_attempts,
        attempts_window: config.rate_limit_window,
        max_attempt_clients: config.max_attempt_clients,
        max_tickets: config.max_tickets,
        max_cached_tokens: config.max_cached_tokens,
        bcrypt_cost: config.bcrypt_cost,
        bcrypt_at_once,
        // The pool's password lane is what bounds those who wait; only its threads ever stand here.
        bcrypt_waiting: bcrypt_at_once,
        state_dir: config.state_dir.clone(),
    })
}

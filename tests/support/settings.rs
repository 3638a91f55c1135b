//! What authentication is set to where no server reads a configuration.

use std::path::Path;
use std::time::Duration;

use postern::auth::Settings;

/// The defaults, but for a cheap bcrypt; a first password is only written to the folder if none is given.
pub fn settings(folder: &Path) -> Settings {
    Settings {
        user: "admin".into(),
        secret_key: b"0123456789abcdef0123456789abcdef".to_vec().into(),
        secret_key_previous: None,
        access_ttl: Duration::from_secs(8 * 3600),
        refresh_reuse_grace: Duration::from_secs(10),
        ticket_ttl: Duration::from_secs(120),
        max_attempts: 5,
        attempts_window: Duration::from_secs(300),
        max_attempt_clients: 4096,
        max_tickets: 1024,
        max_cached_tokens: 1024,
        bcrypt_cost: Some(4),
        bcrypt_at_once: 2,
        bcrypt_waiting: 64,
        state_dir: folder.to_owned(),
    }
}

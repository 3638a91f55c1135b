//! What is known of the device: its board, updates for it, what it is made of, and what is wrong with that.

#[cfg(feature = "advisories")]
pub mod advisories;
pub mod board;
#[cfg(any(feature = "advisories", feature = "sbom"))]
pub mod inventory;
#[cfg(feature = "advisories")]
pub mod packages;
#[cfg(feature = "updates")]
pub mod updates;

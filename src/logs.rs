//! The logs: sources fill one ring, and the hub streams it to whoever watches.
//!
//! Everything here is bounded in bytes: a line ([`entry`]), the ring ([`ring`]) and what a subscriber holds ([`hub`]).

pub mod entry;
pub mod filter;
pub mod hub;
pub mod label;
pub mod own;
pub mod ring;
pub mod ring_entry;
pub mod source;
#[cfg(test)]
mod tests;

pub use entry::{Level, NewEntry};
pub use filter::Filter;
pub use hub::{Encoding, Hub, Subscription, Transport};
pub use ring::Ring;
pub use ring_entry::RingEntry;
pub use source::{NO_SOURCES, SourceState, Sources};

//! What is known of the device: its board, updates for it, what it is made of, and what is wrong with that.

pub mod advisories;
pub mod board;
pub mod inventory;
pub mod packages;
pub mod updates;

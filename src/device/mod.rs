//! What postern knows of the device it runs on.

pub mod board;
pub mod updates;

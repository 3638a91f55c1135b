//! postern: the guarded back door of a small ARM Linux device.

pub mod api;
pub mod audit;
pub mod auth;
mod background;
pub mod cli;
pub mod clock;
pub mod config;
pub mod desk;
pub mod device;
pub mod entropy;
pub mod files;
mod gunzip;
pub mod histogram;
pub mod http;
pub mod ids;
pub mod journal;
mod json;
pub mod limits;
pub mod logs;
pub mod privileges;
pub mod server;
pub mod terminal;

#[cfg(all(test, not(feature = "default")))]
compile_error!("the tests want all features");

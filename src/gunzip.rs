//! Unpacks what `src/build/` put into the binary as gzip. Unpacking costs a fraction of a millisecond, and two copies of
//! the page, or a plain one of a document, would cost each board tens of kilobytes.

use std::io::Read;

use flate2::read::GzDecoder;

/// As it was before the build packed it.
///
/// # Panics
/// If it is not what `src/build/` made: tests unpack all there is.
pub(crate) fn gunzip(gzip: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let unpacked = GzDecoder::new(gzip).read_to_end(&mut plain);
    unpacked.expect("the build packed it");
    plain
}

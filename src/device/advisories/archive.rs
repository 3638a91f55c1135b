//! Advisories in a zip file, as osv.dev gives out all those of an ecosystem. Read where they lie: nothing is unpacked to a
//! disk, and a name in the archive never becomes a path.

use std::fs::File;
use std::io::{BufReader, Read};

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipVerification};

use super::AdvisoryError;
use super::format::{AdvisoryFormat, MAX_ADVISORY};

/// Is given a name, what that makes of it, and the contents.
pub type EachAdvisory<'a> = dyn FnMut(&[u8], AdvisoryFormat, Result<&[u8], AdvisoryError>) -> Result<(), AdvisoryError>
    + 'a;

/// Calls `step` for each file in the archive whose name is an advisory's, with its contents or what is wrong with it.
///
/// # Errors
/// [`AdvisoryError`] if the archive as a whole is; what `step` gives back.
pub fn each(file: File, step: &mut EachAdvisory) -> Result<(), AdvisoryError> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(|_| AdvisoryError::Zip)?;
    let mut entries = archive.entries(&mut buffer);
    let mut seen: u64 = 0;
    let mut contents = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(|_| AdvisoryError::Zip)? {
        seen += 1;
        let path = entry.file_path();
        let name: &[u8] = path.as_ref();
        let Some(kind) =
            AdvisoryFormat::of(name).filter(|kind| *kind != AdvisoryFormat::Zip && !entry.is_dir())
        else {
            continue;
        };
        if name.len() > MAX_NAME {
            return Err(AdvisoryError::Zip);
        }
        contents.clear();
        let read = || -> Result<(), AdvisoryError> {
            let method = entry.compression_method();
            let is_secret = entry.flags().is_encrypted();
            let deflated = method == CompressionMethod::DEFLATE;
            if is_secret || !(deflated || method == CompressionMethod::STORE) {
                return Err(AdvisoryError::Zip);
            }
            let entry = archive
                .get_entry(entry.wayfinder())
                .map_err(|_| AdvisoryError::Zip)?;
            let reader = entry.reader();
            let claim = reader.claim_verifier();
            let raw = BufReader::new(reader);
            let limit = MAX_ADVISORY + 1;
            let read = if deflated {
                DeflateDecoder::new(raw)
                    .take(limit)
                    .read_to_end(&mut contents)
            } else {
                raw.take(limit).read_to_end(&mut contents)
            };
            read.map_err(|_| AdvisoryError::Zip)?;
            if contents.len() as u64 > MAX_ADVISORY {
                return Err(AdvisoryError::TooLarge);
            }
            let found = ZipVerification {
                crc: crc32fast::hash(&contents),
                uncompressed_size: contents.len() as u64,
            };
            claim.valid(found).map_err(|_| AdvisoryError::Zip)
        };
        let read = { read }();
        step(name, kind, read.map(|()| contents.as_slice()))?;
    }
    // Its own count has sixteen bits, unless it needs more.
    if (seen ^ archive.entries_hint()) & 0xffff != 0 {
        return Err(AdvisoryError::Zip);
    }
    Ok(())
}

/// It is kept with what was found there.
const MAX_NAME: usize = 512;

#[cfg(test)]
pub mod tests;

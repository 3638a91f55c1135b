//! What the entries of a file are called, if nobody names them otherwise.

use std::path::Path;

/// The file's name without its extension, in the alphabet of source names: what is not in it becomes `_`.
#[must_use]
pub fn of_file(path: &Path) -> String {
    of_stem(&path.file_stem().unwrap_or_default().to_string_lossy())
}

/// The same, of a name that has lost its extension already.
#[must_use]
pub(super) fn of_stem(stem: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let label: String = stem
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .take(MAX_LABEL)
        .collect();
    match label.as_str() {
        "" => "_".to_owned(),
        // Nobody may speak in postern's own name.
        "postern" => "postern_".to_owned(),
        _ => label,
    }
}

/// The label stands in every entry of the stream.
const MAX_LABEL: usize = 64;

#[cfg(test)]
mod tests;

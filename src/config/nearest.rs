//! Finds the name that somebody probably meant.

/// The candidate closest to `name`, if it is close enough to be a slip of the fingers. Case does not count.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > MAX_LENGTH {
        return None;
    }
    let name = name.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = distance(name.as_bytes(), candidate.to_ascii_lowercase().as_bytes());
            (distance, candidate)
        })
        // Half of a short name replaced is another name, not a slip.
        .filter(|(distance, candidate)| *distance <= MAX_DISTANCE && distance * 2 < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The candidate that `name` misses by a single slip: a letter too many, too few or another one, two letters in each
/// other's place, small letters, or the `_` left out. For names among which others are at home: `LISTENER` and
/// `SSL_CERT_FILE` mean something else.
pub(crate) fn slip<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > MAX_LENGTH {
        return None;
    }
    let name = name.to_ascii_uppercase();
    candidates.into_iter().find(|candidate| {
        let (a, b) = (name.as_bytes(), candidate.as_bytes());
        distance(a, b) <= 1 || is_swap(a, b) || name.replace('_', "") == candidate.replace('_', "")
    })
}

/// Whether two neighbours have changed places, and nothing else.
fn is_swap(a: &[u8], b: &[u8]) -> bool {
    let same_length = a.len() == b.len();
    let first = a.iter().zip(b).position(|(x, y)| x != y);
    let last = a.iter().zip(b).rposition(|(x, y)| x != y);
    match (first, last) {
        (Some(first), Some(last)) if same_length => {
            last == first + 1 && a[first] == b[last] && a[last] == b[first]
        }
        _ => false,
    }
}

/// Levenshtein's distance, one row of the table at a time.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Two slips: a swap of neighbours counts as two.
const MAX_DISTANCE: usize = 2;

/// Twice the longest name there is; keeps the work small whatever is given.
const MAX_LENGTH: usize = 64;

#[cfg(test)]
mod tests;

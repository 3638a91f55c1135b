//! A small map from ids to values, sorted in one block of memory: no more of it than the entries need.

use crate::journal::Id;

/// The map. An insertion moves what is behind it, so it is for some thousand entries.
#[derive(Clone)]
pub(super) struct Sorted<V>(Vec<(Id, V)>);

impl<V: Copy> Sorted<V> {
    /// Where `id` stands, or else where it belongs.
    pub fn find(&self, id: Id) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(known, _)| *known)
    }

    pub fn contains(&self, id: Id) -> bool {
        self.find(id).is_ok()
    }

    /// The value at a place that [`find`](Self::find) found.
    pub fn at(&mut self, place: usize) -> &mut V {
        &mut self.0[place].1
    }

    /// Puts `id` where [`find`](Self::find) said it belongs.
    pub fn insert(&mut self, place: usize, id: Id, value: V) {
        if self.0.len() == self.0.capacity() {
            // A vector left to itself doubles, and wastes up to as much as it holds.
            self.0.reserve_exact(self.0.len() / SPARE + 1);
        }
        self.0.insert(place, (id, value));
    }

    pub fn remove(&mut self, id: Id) -> bool {
        let found = self.find(id);
        found.map(|place| self.0.remove(place)).is_ok()
    }

    /// Keeps what `keep` says, and gives memory back if that leaves the map mostly empty.
    pub fn retain(&mut self, keep: impl Fn(V) -> bool) {
        self.0.retain(|(_, value)| keep(*value));
        if self.0.len() * 2 < self.0.capacity() {
            self.0.shrink_to(self.0.len() + self.0.len() / SPARE);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Id, V)> {
        self.0.iter().copied()
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Id, V)>()
    }
}

impl<V> Default for Sorted<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A full map grows by an eighth: so much is wasted at most.
const SPARE: usize = 8;

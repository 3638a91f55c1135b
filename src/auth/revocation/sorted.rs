//! A map from ids to values, sorted, in small blocks of one size: whatever order the ids come in, the blocks are nearly
//! full, and an allocator that gets one back can use it for the next.
//!
//! A hash table of this size is half empty when it has just doubled, and so is a vector.

use crate::ids::Id;

/// The map: blocks of 1 to [`BLOCK`] entries.
pub(super) struct Sorted<V>(Vec<Vec<(Id, V)>>);

/// A block, and an entry in it.
pub(super) type Position = (usize, usize);

impl<V: Copy> Sorted<V> {
    /// Where `id` stands, or else where it belongs.
    pub fn find(&self, id: Id) -> Result<Position, Position> {
        // In the last block that begins before it, or in the first.
        let after = self.0.partition_point(|block| block[0].0 <= id);
        let block = after.saturating_sub(1);
        let entries = self.0.get(block).map_or(&[][..], Vec::as_slice);
        match entries.binary_search_by_key(&id, |(known, _)| *known) {
            Ok(at) => Ok((block, at)),
            Err(at) => Err((block, at)),
        }
    }

    pub fn contains(&self, id: Id) -> bool {
        self.find(id).is_ok()
    }

    /// The value at a place that [`find`](Self::find) found.
    pub fn at(&mut self, (block, at): Position) -> &mut V {
        &mut self.0[block][at].1
    }

    /// Puts `id` where [`find`](Self::find) said it belongs.
    pub fn insert(&mut self, place: Position, id: Id, value: V) {
        if self.0.is_empty() {
            self.0.push(Vec::new());
        }
        let (block, at) = self.make_room(place);
        put(&mut self.0[block], at, (id, value));
    }

    pub fn remove(&mut self, id: Id) -> bool {
        let Ok((block, at)) = self.find(id) else {
            return false;
        };
        self.0[block].remove(at);
        if self.0[block].is_empty() {
            self.0.remove(block);
        }
        true
    }

    /// Keeps what `keep` says, and gives memory back if that leaves the map mostly empty.
    pub fn retain(&mut self, keep: impl Fn(V) -> bool) {
        for block in &mut self.0 {
            block.retain(|(_, value)| keep(*value));
        }
        self.0.retain(|block| !block.is_empty());
        let room: usize = self.0.iter().map(Vec::capacity).sum();
        if self.len() * 2 <= room {
            let blocks = self.copy();
            self.0 = blocks.chunks(BLOCK).map(<[_]>::to_vec).collect();
        }
    }

    /// Forgets all but `id`.
    pub fn clear_but(&mut self, id: Option<Id>) {
        let kept = id.and_then(|id| Some((id, *self.at(self.find(id).ok()?))));
        self.0 = kept.map(|kept| vec![vec![kept]]).unwrap_or_default();
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// All of it, by id.
    pub fn copy(&self) -> Vec<(Id, V)> {
        self.0.concat()
    }

    /// Sees to it that the place's block has room for one more. Gives the place it is then.
    fn make_room(&mut self, (block, at): Position) -> Position {
        if self.0[block].len() < BLOCK {
            return (block, at);
        }
        // A neighbour that has room takes an entry: blocks that were split at once would be two thirds full.
        let has_room = |block: Option<&Vec<_>>| block.is_some_and(|block| block.len() < BLOCK);
        if has_room(self.0.get(block + 1)) {
            if at == BLOCK {
                return (block + 1, 0);
            }
            if let Some(last) = self.0[block].pop() {
                put(&mut self.0[block + 1], 0, last);
            }
            return (block, at);
        }
        if at > 0 && has_room(self.0[..block].last()) {
            let first = self.0[block].remove(0);
            let end = self.0[block - 1].len();
            put(&mut self.0[block - 1], end, first);
            return (block, at - 1);
        }
        let mut upper = Vec::with_capacity(BLOCK);
        upper.extend(self.0[block].drain(BLOCK / 2..));
        self.0.insert(block + 1, upper);
        if at <= BLOCK / 2 {
            (block, at)
        } else {
            (block + 1, at - BLOCK / 2)
        }
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let room: usize = self.0.iter().map(Vec::capacity).sum();
        room * size_of::<(Id, V)>() + self.0.capacity() * size_of::<Vec<(Id, V)>>()
    }
}

/// Inserts into a block that has room. One that is alone grows by doubling: a small map shall be small.
fn put<E>(block: &mut Vec<E>, at: usize, entry: E) {
    if block.len() == block.capacity() {
        block.reserve_exact(block.len().clamp(1, BLOCK - block.len()));
    }
    block.insert(at, entry);
}

impl<V> Default for Sorted<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Entries in a block: 1 to 2 KB of them, which are moved in no time.
const BLOCK: usize = 64;

#[cfg(test)]
mod tests;

//! Entries that never move until the block is over.
//!
//! Every entry lives in a chunk of fixed capacity, so a pointer to it stays good while more entries are added. An [`EntryRef`] is such
//! a pointer. The one rule, kept by [`super::BlockState`] and its owner: no `EntryRef` is used after the arena it came from was cleared or dropped.

use std::{fmt, marker::PhantomData, ops::Deref, ptr::NonNull};

const CHUNK: usize = 32;

/// Append-only storage with stable addresses, reused from block to block.
pub(crate) struct Arena<T> {
    chunks: Vec<Vec<T>>,
    /// Index of the chunk that takes the next entry.
    open: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), open: 0 }
    }
}

impl<T> Arena<T> {
    /// Adds an entry.
    #[inline(always)]
    pub(crate) fn push(&mut self, entry: T) -> EntryRef<T> {
        if self.chunks.get(self.open).is_some_and(|chunk| chunk.len() == CHUNK) {
            self.open += 1;
        }
        if self.open == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = &mut self.chunks[self.open];
        let index = chunk.len();
        assert!(index < chunk.capacity(), "an arena chunk never grows: {index} entries");
        chunk.push(entry);
        // SAFETY: `index` was just initialised. The pointer comes from the vector's own buffer, which is neither moved nor freed before
        // `clear`, since the chunk never holds more than its capacity.
        EntryRef { pointer: unsafe { NonNull::new_unchecked(chunk.as_mut_ptr().add(index)) }, owner: PhantomData }
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Drops the entries and keeps the memory.
    pub(crate) fn clear(&mut self) {
        for chunk in &mut self.chunks {
            chunk.clear();
        }
        self.open = 0;
    }
}

/// A pointer to an entry of an [`Arena`]; see the module's rule for how long it may be used.
pub(crate) struct EntryRef<T> {
    pointer: NonNull<T>,
    owner: PhantomData<T>,
}

impl<T> EntryRef<T> {
    /// A number that is different for every entry of a block.
    pub(crate) fn number(self) -> u64 {
        self.pointer.addr().get() as u64
    }

    /// Whether both point to the same entry.
    pub(crate) fn is(self, other: Self) -> bool {
        self.pointer == other.pointer
    }
}

impl<T> Clone for EntryRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for EntryRef<T> {}

impl<T> Deref for EntryRef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the entry was initialised by `Arena::push` and lives until the arena is cleared, after which nobody uses the pointer (module rule).
        // Only shared references to entries exist: `Arena` hands out no mutable ones.
        unsafe { self.pointer.as_ref() }
    }
}

impl<T> fmt::Debug for EntryRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryRef({:p})", self.pointer)
    }
}

// SAFETY: an `EntryRef` gives shared access only, so it may cross threads exactly when a shared reference may.
unsafe impl<T: Sync> Send for EntryRef<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for EntryRef<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_while_the_arena_grows() {
        let mut arena = Arena::default();
        let refs: Vec<_> = (0..1_000u64).map(|value| arena.push(value)).collect();
        assert!(refs.iter().enumerate().all(|(index, entry)| **entry == index as u64));
        assert_eq!(arena.iter().count(), 1_000);
    }

    #[test]
    fn clearing_keeps_chunks_and_starts_over() {
        let mut arena = Arena::default();
        for value in 0..300u64 {
            arena.push(value);
        }
        let chunks = arena.chunks.len();
        arena.clear();
        assert_eq!(arena.iter().count(), 0);
        let entry = arena.push(7);
        assert_eq!((*entry, arena.chunks.len()), (7, chunks));
    }
}

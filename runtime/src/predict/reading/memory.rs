//! Memory of a code that is read: pieces of words where they were written, zeros elsewhere.

use super::word::Word;
use alloy_primitives::U256;

/// Pieces that are kept; what is written beyond is forgotten.
const MAX_PIECES: usize = 512;

/// `width` bytes of a word, from its byte `from` on, at `start`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) width: u64,
    pub(super) from: u64,
    pub(super) word: Word,
}

impl Piece {
    const fn end(&self) -> u64 {
        self.start + self.width
    }

    /// The bytes of a known word, as a number.
    pub(super) fn constant(&self) -> Option<U256> {
        let bytes = self.word.value()?.to_be_bytes::<32>();
        bytes.get(self.from as usize..(self.from + self.width) as usize).map(U256::from_be_slice)
    }
}

/// Memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// By start, without overlaps.
    pieces: Vec<Piece>,
    /// Where the whole input was copied to.
    pub(super) whole_input: Option<u64>,
}

impl Memory {
    /// Makes room for `width` bytes at `start`.
    fn clear(&mut self, start: u64, width: u64) {
        let end = start + width;
        let Some(first) = self.pieces.iter().position(|piece| piece.end() > start) else { return };
        if self.pieces[first].start >= end {
            return;
        }
        let mut kept = Vec::with_capacity(2);
        let mut last = first;
        while let Some(piece) = self.pieces.get(last).filter(|piece| piece.start < end) {
            if piece.start < start {
                kept.push(Piece { width: start - piece.start, ..*piece });
            }
            if piece.end() > end {
                let cut = end - piece.start;
                kept.push(Piece { start: end, width: piece.width - cut, from: piece.from + cut, word: piece.word });
            }
            last += 1;
        }
        self.pieces.splice(first..last, kept);
    }

    fn insert(&mut self, piece: Piece) {
        self.clear(piece.start, piece.width);
        let at = self.pieces.partition_point(|seen| seen.start < piece.start);
        // What was copied piece by piece is whole again.
        if let Some(before) = at.checked_sub(1).and_then(|before| self.pieces.get_mut(before))
            && before.end() == piece.start
            && before.word == piece.word
            && before.from + before.width == piece.from
        {
            before.width += piece.width;
        } else if self.pieces.len() < MAX_PIECES {
            self.pieces.insert(at, piece);
        }
    }

    pub(super) fn write(&mut self, start: u64, word: Word) {
        match word {
            // Words are copied as they stand, and the selector is put before arguments that are there already.
            Word::Mixed(from) => return self.copy(start, from, 32),
            Word::Headed(from, head) => {
                if from != start {
                    self.copy(start, from, 32);
                }
                let word = Word::number(u64::from(head));
                return self.insert(Piece { start, width: 4, from: 28, word });
            }
            _ => {}
        }
        self.insert(Piece { start, width: 32, from: 0, word });
    }

    pub(super) fn write_byte(&mut self, start: u64, word: Word) {
        self.insert(Piece { start, width: 1, from: 31, word });
    }

    /// Makes `width` bytes unknown.
    pub(super) fn forget(&mut self, start: u64, width: u64) {
        for step in 0..width.min(2048).div_ceil(32) {
            let at = start + step * 32;
            self.insert(Piece { start: at, width: (start + width - at).min(32), from: 0, word: Word::Unknown });
        }
    }

    /// Copies within memory.
    pub(super) fn copy(&mut self, to: u64, from: u64, width: u64) {
        let moved: Vec<Piece> = self.range(from, width);
        self.clear(to, width);
        for piece in moved {
            self.insert(Piece { start: piece.start - from + to, ..piece });
        }
    }

    /// The pieces of a range, cut to it.
    pub(super) fn range(&self, start: u64, width: u64) -> Vec<Piece> {
        let end = start.saturating_add(width);
        let first = self.pieces.partition_point(|piece| piece.end() <= start);
        let inside = self.pieces[first..].iter().take_while(|piece| piece.start < end);
        let cut = |piece: &Piece| {
            let begin = piece.start.max(start);
            let from = piece.from + (begin - piece.start);
            Piece { start: begin, width: piece.end().min(end) - begin, from, word: piece.word }
        };
        inside.map(cut).collect()
    }

    /// End of the last piece that is connected with `start`.
    pub(super) fn extent(&self, start: u64) -> u64 {
        let mut end = start;
        for piece in &self.pieces[self.pieces.partition_point(|piece| piece.end() <= start)..] {
            if piece.start > end {
                break;
            }
            end = piece.end();
        }
        end
    }

    /// The word at `start`.
    pub(super) fn read(&self, start: u64) -> Word {
        let pieces = self.range(start, 32);
        if let [Piece { width: 32, from: 0, word, .. }] = pieces[..] {
            return word;
        }
        let mut bytes = [0; 32];
        for piece in pieces {
            let Some(value) = piece.constant() else { return Word::Mixed(start) };
            let value = value.to_be_bytes::<32>();
            let at = (piece.start - start) as usize;
            let width = piece.width as usize;
            bytes[at..at + width].copy_from_slice(&value[32 - width..]);
        }
        Word::known(U256::from_be_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_stands_before_the_arguments() {
        let mut memory = Memory::default();
        memory.write(0x80, Word::known(U256::from(0xa905_9cbb_u64) << 224));
        memory.write(0x84, Word::Node(3));
        memory.write(0xa4, Word::Unknown);
        let pieces = memory.range(0x80, 68);
        assert_eq!(pieces.len(), 3);
        assert_eq!((pieces[0].width, pieces[0].constant()), (4, Some(U256::from(0xa905_9cbb_u64))));
        assert_eq!(memory.read(0x84), Word::Node(3));
        assert_eq!(memory.extent(0x80), 0xc4);
    }

    #[test]
    fn what_is_copied_word_by_word_is_the_same() {
        let mut memory = Memory::default();
        memory.write(0x84, Word::Node(3));
        memory.write(0xa4, Word::Node(4));
        memory.write(0x80, Word::Headed(0x80, 0xa905_9cbb));
        for step in 0..3 {
            let word = memory.read(0x80 + 32 * step);
            memory.write(0x200 + 32 * step, word);
        }
        assert_eq!([0x204, 0x224].map(|at| memory.read(at)), [Word::Node(3), Word::Node(4)]);
        assert_eq!(memory.range(0x200, 4)[0].constant(), Some(U256::from(0xa905_9cbb_u64)));
    }

    #[test]
    fn known_bytes_make_a_word_and_what_is_not_written_is_zero() {
        let mut memory = Memory::default();
        memory.write(28, Word::number(0x1234_5678));
        assert_eq!(memory.read(0), Word::ZERO, "the four bytes of the number begin at 56");
        assert_eq!(memory.read(28), Word::number(0x1234_5678));
        memory.write(0, Word::Unknown);
        assert_eq!(memory.read(16), Word::Mixed(16));
        assert_eq!(memory.read(500), Word::ZERO);
    }
}

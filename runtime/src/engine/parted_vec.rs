//! A vector that several threads fill at once, each part by one of them.
//!
//! Large vectors are fresh memory each time, so writing an element twice (into a thread's own vector, then into the common one) costs more than
//! computing it. Here each part has its own place in the common vector from the start, as long as its largest possible number of elements;
//! in the end the gaps are closed, and mostly there are few.

use parking_lot::Mutex;
use std::mem::MaybeUninit;

/// A place for some of the elements.
#[derive(Debug)]
pub(crate) struct Part<'v, T> {
    place: &'v mut [MaybeUninit<T>],
    written: usize,
}

impl<T> Part<'_, T> {
    /// Adds an element.
    ///
    /// # Panics
    /// If the part is full.
    #[inline(always)]
    pub(crate) fn push(&mut self, element: T) {
        self.place[self.written].write(element);
        self.written += 1;
    }
}

/// A vector of what `fill` pushes into its parts, which have room for as many elements as `capacities` says.
pub(crate) fn filled<T>(capacities: &[usize], fill: impl FnOnce(&[Mutex<Part<'_, T>>])) -> Vec<T> {
    let mut vector = Vec::with_capacity(capacities.iter().sum());
    let mut rest = vector.spare_capacity_mut();
    let mut parts = Vec::with_capacity(capacities.len());
    for capacity in capacities {
        let (place, others) = rest.split_at_mut(*capacity);
        rest = others;
        parts.push(Mutex::new(Part { place, written: 0 }));
    }
    fill(&parts);
    let written: Vec<usize> = parts.into_iter().map(|part| part.into_inner().written).collect();
    let (mut from, mut to) = (0, 0);
    for (capacity, written) in capacities.iter().zip(written) {
        if from != to {
            let start = vector.as_mut_ptr();
            // SAFETY: both ranges lie within the capacity, since the parts do and `to` is at most `from`. They may overlap.
            unsafe { std::ptr::copy(start.add(from), start.add(to), written) };
        }
        from += capacity;
        to += written;
    }
    // SAFETY: the first `to` elements are those that were written, moved together.
    unsafe { vector.set_len(to) };
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_closed_in_order() {
        for capacities in [vec![], vec![0, 3, 0], vec![2, 5, 1, 4], vec![4; 40]] {
            let mut expected = Vec::new();
            let vector = filled(&capacities, |parts| {
                for (number, (part, capacity)) in parts.iter().zip(&capacities).enumerate() {
                    for element in 0..capacity - (number * 7) % (capacity + 1) {
                        part.lock().push((number, element));
                        expected.push((number, element));
                    }
                }
            });
            assert_eq!(vector, expected);
        }
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_part_takes_no_more_than_its_capacity() {
        filled(&[1, 1], |parts| (0..2).for_each(|element| parts[0].lock().push(element)));
    }
}

//! A list that grows without ever copying what it holds, so that growing needs no second copy in memory.

use crate::limits::{Budget, Limit};

/// A list in pieces of equal size. Only the first piece starts small, so that tiny searches stay cheap.
#[derive(Debug)]
pub(crate) struct Pieces<T> {
    pieces: Vec<Vec<T>>,
    len: usize,
}

impl<T> Pieces<T> {
    /// The binary logarithm of the items per piece: at most 1,024 items (what is asked for and never used should be
    /// little) and 64 KiB, but at least 16 items.
    const SHIFT: u32 = {
        let size = if size_of::<T>() == 0 { 1 } else { size_of::<T>() };
        let items = 64 * 1024 / size;
        match items {
            0..16 => 4,
            16..1024 => items.ilog2(),
            _ => 10,
        }
    };
    const ITEMS: usize = 1 << Self::SHIFT;
    /// The size of a piece.
    pub(crate) const BYTES: usize = Self::ITEMS * size_of::<T>();

    pub(crate) fn new() -> Self {
        Self { pieces: Vec::new(), len: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> &T {
        &self.pieces[index >> Self::SHIFT][index & (Self::ITEMS - 1)]
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T, budget: &Budget) -> Result<(), Limit> {
        self.push_with(|| value, budget)
    }

    /// Adds an item that is only made when there is room for it.
    #[inline]
    pub(crate) fn push_with(&mut self, make: impl FnOnce() -> T, budget: &Budget) -> Result<(), Limit> {
        let index = self.len >> Self::SHIFT;
        if self.pieces.get(index).is_none_or(|piece| piece.len() == piece.capacity()) {
            self.make_room(index, budget)?;
        }
        self.pieces[index].push(make());
        self.len += 1;
        Ok(())
    }

    #[cold]
    fn make_room(&mut self, index: usize, budget: &Budget) -> Result<(), Limit> {
        let before = self.pieces.get(index).map_or(0, Vec::capacity);
        let after = if index == 0 { before.saturating_mul(2).clamp(8, Self::ITEMS) } else { Self::ITEMS };
        self.widen(index, after, budget)
    }

    /// Lets a piece have this capacity.
    fn widen(&mut self, index: usize, capacity: usize, budget: &Budget) -> Result<(), Limit> {
        budget.reserve(capacity * size_of::<T>())?;
        if index == self.pieces.len() {
            self.pieces.push(Vec::new());
        }
        let piece = &mut self.pieces[index];
        let before = piece.capacity();
        let widened = piece.try_reserve_exact(capacity - piece.len());
        let unused = if widened.is_ok() { before } else { capacity };
        budget.release(unused.saturating_mul(size_of::<T>()));
        widened.map_err(|_| Limit::Memory)
    }

    /// Begins with a piece of full size, if there is memory for it.
    pub(crate) fn expect_many(&mut self, budget: &Budget) {
        if self.pieces.first().is_none_or(|piece| piece.capacity() < Self::ITEMS) {
            // If there is none, whoever needs it is told.
            let _ = self.widen(0, Self::ITEMS, budget);
        }
    }

    /// Forgets the items and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.pieces.iter_mut().for_each(Vec::clear);
        self.len = 0;
    }

    /// The memory that is held, in bytes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.capacity() * size_of::<T>()).sum()
    }

    /// The items in their order, piece by piece.
    #[cfg(test)]
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[T]> {
        self.pieces.iter().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_where_they_are() {
        let budget = Budget::new(None);
        let mut list = Pieces::new();
        for n in 0..100_000_u32 {
            list.push(n, &budget).unwrap();
        }
        assert!((0..100_000).all(|n| *list.get(n) == n as u32));
        assert!(list.pieces().flatten().copied().eq(0..100_000));
        assert!(budget.used() >= 400_000 && budget.used() < 400_000 + 66_000);
    }

    #[test]
    fn memory_is_asked_for_before_it_is_taken() {
        let budget = Budget::new(Some(100_000));
        let mut list = Pieces::new();
        let taken = (0..).take_while(|n| list.push(*n, &budget).is_ok()).count();
        assert!(taken > 15_000, "{taken}");
        assert!(budget.peak() <= 100_000);
    }

    #[test]
    fn where_many_are_expected_the_first_piece_is_not_moved() {
        let budget = Budget::new(None);
        let mut list = Pieces::new();
        (0..9_u32).for_each(|n| list.push(n, &budget).unwrap());
        list.expect_many(&budget);
        let (first, used) = (std::ptr::from_ref(list.get(0)), budget.used());
        assert_eq!(used, 4 * Pieces::<u32>::ITEMS as u64);
        (9..Pieces::<u32>::ITEMS as u32).for_each(|n| list.push(n, &budget).unwrap());
        assert_eq!((std::ptr::from_ref(list.get(0)), budget.used()), (first, used));
        assert!(list.pieces().flatten().copied().eq(0..Pieces::<u32>::ITEMS as u32));
    }

    #[test]
    fn what_is_expected_may_be_refused() {
        let budget = Budget::new(Some(100));
        let mut list = Pieces::new();
        list.push(1_u8, &budget).unwrap();
        list.expect_many(&budget);
        assert_eq!((budget.used(), *list.get(0)), (8, 1));
    }

    #[test]
    fn items_without_size_can_be_kept() {
        let budget = Budget::new(None);
        let mut list = Pieces::new();
        (0..100).for_each(|_| list.push((), &budget).unwrap());
        assert_eq!(list.pieces().flatten().count(), 100);
    }
}

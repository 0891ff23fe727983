//! What was collected lately, in the part under way. Most states that are reached twice within a level are reached twice
//! soon, from neighbours: what is left out here need not be handed from thread to thread.

/// For some bits of a hash the number of the last candidate that had them. A number can be out of date, or of another
/// part, so whoever asks has to look at that candidate.
#[derive(Debug)]
pub(crate) struct Recent(Box<[u32; Self::LEN]>);

impl Recent {
    /// As many as the first cache takes easily.
    const LEN: usize = 2048;

    pub(crate) fn new() -> Self {
        Self(Box::new([0; Self::LEN]))
    }

    /// The number that was noted last for a hash like this one.
    #[inline]
    pub(crate) fn like(&mut self, hash: u32) -> &mut u32 {
        &mut self.0[hash as usize % Self::LEN]
    }
}

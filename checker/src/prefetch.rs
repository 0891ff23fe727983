//! A hint to the processor. Nothing depends on it but time.

const CACHE_LINE: usize = 64;

/// Asks for the cache lines of `value`, which will be needed soon.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first = std::ptr::from_ref(value).cast::<i8>();
        // SAFETY: a prefetch reads nothing that the program can see and never faults, whatever the address.
        unsafe { _mm_prefetch(first, _MM_HINT_T0) };
        // A value may begin in one cache line and end in the next.
        let last = first.wrapping_add(size_of::<T>().saturating_sub(1));
        if size_of::<T>() > align_of::<T>().min(CACHE_LINE) {
            // SAFETY: as above.
            unsafe { _mm_prefetch(last, _MM_HINT_T0) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

//! Litmus tests of the primitives: the weak outcome is seen without the primitive, and gone with it.

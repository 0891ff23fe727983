//! The LDT in a user-visible page-table slot under page table isolation.

pub mod memory;

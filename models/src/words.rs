//! What each mechanism is called and asks, in words. One copy for the command line, the reports and the Explorer.

/// A mechanism in words.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// For example `ldt`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The question that the mail thread is about.
    pub question: &'static str,
    /// The kernel source that is modelled.
    pub source: &'static str,
}

/// The I/O permission bitmap.
pub const IO_BITMAP: Words = Words {
    name: "io-bitmap",
    title: "the ioperm bitmap, its copy in the TSS, and a sequence number to skip the copying",
    question: "The number changes with every ioperm(): why compare the pointer to the bitmap as well?",
    source: "arch/x86/kernel/ioport.c, arch/x86/kernel/process.c",
};

/// The local descriptor table.
pub const LDT: Words = Words {
    name: "ldt",
    title: "the two-slot swap of the LDT under page table isolation",
    question: "Is it really the old LDT that is freed on an error, and when may the old one go?",
    source: "arch/x86/kernel/ldt.c",
};

/// The flush of the IOMMU.
pub const IOMMU_FLUSH: Words = Words {
    name: "iommu-flush",
    title: "an RCU-published function that flushes the IOMMU when kernel mappings change",
    question: "Can the pointer be cleared again when the last kernel PASID goes, and what orders it with the flush?",
    source: "arch/x86/mm/tlb.c, arch/x86/include/asm/tlbflush.h, drivers/iommu/iommu-sva.c",
};

/// Protection keys.
pub const PKEYS: Words = Words {
    name: "pkeys",
    title: "the allocation map of protection keys, read without a lock",
    question: "What does mmap_sem give a reader of the map that READ_ONCE() does not?",
    source: "arch/x86/include/asm/pkeys.h, arch/x86/mm/pkeys.c, mm/mprotect.c",
};

/// The bitmap of dirty IOVAs.
pub const IOVA_BITMAP: Words = Words {
    name: "iova-bitmap",
    title: "index and window arithmetic over a user bitmap of dirty IOVAs",
    question: "The two index functions are not inverse to each other: does this code work?",
    source: "drivers/vfio/iova_bitmap.c, drivers/iommu/iommufd/iova_bitmap.c",
};

//! What both machines of the LDT share: pages, LDT structs, the slots' page-table entries, and how the kernel
//! allocates, maps, unmaps and frees them. The only copy of these operations.

/// Most entries of an LDT.
pub const MAX_ENTRIES: u8 = 3;
/// How many entries fit into a page.
pub const PER_PAGE: u8 = 2;
/// Most pages of an LDT, and so the most page-table entries of a slot.
pub const MAX_SIZE: usize = MAX_ENTRIES.div_ceil(PER_PAGE) as usize;
/// Most pages of memory.
pub const MAX_PAGES: usize = 4;
/// Most LDT structs that live at once: the installed one and one for each of two calls.
pub const MAX_LDTS: usize = 3;
/// What stands in a page that is free or belongs to somebody else: data that the process must not see. The
/// allocator does not clear a page when it is freed; whatever stands in it then is not told apart.
pub const SECRET: u8 = 7;

/// A page of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the variants are numbers")]
pub enum Page {
    P0,
    P1,
    P2,
    P3,
}

impl Page {
    /// All pages, in order.
    pub const ALL: [Self; MAX_PAGES] = [Self::P0, Self::P1, Self::P2, Self::P3];
}

/// The address of an LDT struct. Addresses are used again after a struct has been freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the variants are numbers")]
pub enum LdtId {
    L0,
    L1,
    L2,
}

impl LdtId {
    /// All addresses, in order.
    pub const ALL: [Self; MAX_LDTS] = [Self::L0, Self::L1, Self::L2];
}

/// One of the two fixed user-visible address ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the variants are numbers")]
pub enum Slot {
    S0,
    S1,
}

impl Slot {
    /// Both slots.
    pub const BOTH: [Self; 2] = [Self::S0, Self::S1];

    /// The slot that this one is not.
    pub const fn other(self) -> Self {
        match self {
            Self::S0 => Self::S1,
            Self::S1 => Self::S0,
        }
    }
}

/// For each page-table entry of each slot no page or a page: the slots' part of a page table, or of a TLB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Translations(u16);

impl Translations {
    /// Nothing is translated.
    pub const NONE: Self = Self(0);

    const fn shift(slot: Slot, entry: u8) -> u16 {
        4 * (2 * slot as u16 + entry as u16)
    }
    /// The page of an entry.
    pub const fn get(self, slot: Slot, entry: u8) -> Option<Page> {
        match (self.0 >> Self::shift(slot, entry)) & 0xf {
            1 => Some(Page::P0),
            2 => Some(Page::P1),
            3 => Some(Page::P2),
            4 => Some(Page::P3),
            _ => None,
        }
    }
    /// The same translations but for one entry.
    pub const fn with(self, slot: Slot, entry: u8, page: Option<Page>) -> Self {
        let number = match page {
            None => 0,
            Some(page) => page as u16 + 1,
        };
        Self(self.0 & !(0xf << Self::shift(slot, entry)) | number << Self::shift(slot, entry))
    }
    /// Whether any entry leads to the page.
    pub fn leads_to(self, page: Page) -> bool {
        Slot::BOTH.into_iter().any(|slot| (0..MAX_SIZE as u8).any(|entry| self.get(slot, entry) == Some(page)))
    }
    /// The same translations without the first `entries` of a slot.
    pub const fn without(self, slot: Slot, entries: u8) -> Self {
        let mut left = self;
        let mut entry = 0;
        while entry < entries {
            left = left.with(slot, entry, None);
            entry += 1;
        }
        left
    }
}

/// Who has a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// The allocator, or somebody else to whom it has given the page. It may be handed out for an LDT.
    Free,
    /// The kernel, for an LDT.
    Ldt,
}

/// What stands in a page: a descriptor for each entry that has its place there. A descriptor is the number of the
/// call that wrote it, 0 for zeroes, or [`SECRET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content(u8);

impl Content {
    /// A page of zeroes.
    pub const ZEROES: Self = Self(0);
    /// A page of somebody else's data.
    pub const SECRETS: Self = Self(SECRET | SECRET << 3);

    /// The descriptor at a place.
    pub const fn get(self, place: u8) -> u8 {
        self.0 >> (3 * place) & 7
    }
    /// The same with one descriptor replaced.
    pub const fn with(self, place: u8, descriptor: u8) -> Self {
        Self(self.0 & !(7 << (3 * place)) | descriptor << (3 * place))
    }
}

/// What the kernel knows about a page, and what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// Who has it.
    pub used_by: Use,
    /// What stands in it.
    pub content: Content,
}

impl Frame {
    /// A page that nobody has.
    pub const FREE: Self = Self { used_by: Use::Free, content: Content::SECRETS };
}

/// `struct ldt_struct`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LdtStruct {
    /// Allocated, that is not freed.
    pub alive: bool,
    /// `entries`: the pages in which they stand.
    pub pages: [Option<Page>; MAX_SIZE],
    /// `nr_entries`.
    pub entries: u8,
    /// The number of pages: `nr_entries`, rounded up to whole pages.
    pub size: u8,
    /// `slot`; `None` is -1.
    pub slot: Option<Slot>,
}

impl LdtStruct {
    /// A freed struct, or one that never was.
    pub const DEAD: Self = Self { alive: false, pages: [None; MAX_SIZE], entries: 0, size: 0, slot: None };

    /// The number of pages that are already allocated.
    pub const fn pages_held(&self) -> u8 {
        self.pages[0].is_some() as u8 + self.pages[1].is_some() as u8
    }
}

/// An LDT as a process means it: how many entries, and what stands in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Image(u16);

impl Image {
    /// No LDT.
    pub const NONE: Self = Self(0);

    /// The number of entries.
    pub const fn entries(self) -> u8 {
        (self.0 & 3) as u8
    }
    /// The descriptor at `entry`.
    pub const fn descriptor(self, entry: u8) -> u8 {
        (self.0 >> (2 + 3 * entry) & 7) as u8
    }
    /// The same with one descriptor replaced, and entries of zero before it if it was shorter.
    pub const fn with(self, entry: u8, descriptor: u8) -> Self {
        let entries = if entry < self.entries() { self.entries() } else { entry + 1 };
        let shift = 2 + 3 * entry;
        Self(self.0 & !(7 << shift) & !3 | (descriptor as u16) << shift | entries as u16)
    }
}

/// Memory: the pages and the LDT structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memory {
    /// The pages.
    pub frames: [Frame; MAX_PAGES],
    /// The LDT structs.
    pub ldts: [LdtStruct; MAX_LDTS],
}

impl Memory {
    /// All pages are free, and there is no LDT.
    pub const EMPTY: Self = Self { frames: [Frame::FREE; MAX_PAGES], ldts: [LdtStruct::DEAD; MAX_LDTS] };

    /// The LDT struct at an address, alive or not.
    pub const fn ldt(&self, id: LdtId) -> LdtStruct {
        self.ldts[id as usize]
    }
    /// What is known about a page.
    pub const fn frame(&self, page: Page) -> Frame {
        self.frames[page as usize]
    }

    /// Whether the page allocator of a machine with that many pages may hand out this one: it is free, and of the free
    /// pages that no translation leads to it is the lowest (the others differ from it in nothing).
    pub fn may_hand_out(&self, page: Page, pages: u8, is_remembered: impl Fn(Page) -> bool) -> bool {
        let is_free = |page: Page| (page as u8) < pages && self.frame(page).used_by == Use::Free;
        let is_plain = |page: Page| is_free(page) && !is_remembered(page);
        let has_lower = Page::ALL.into_iter().any(|other| (other as u8) < page as u8 && is_plain(other));
        is_free(page) && (!has_lower || is_remembered(page))
    }

    /// `alloc_ldt_struct()`, first half: the struct, at the lowest free address. `None`: no address is free.
    pub fn allocate_struct(&mut self, entries: u8) -> Option<LdtId> {
        let id = LdtId::ALL.into_iter().find(|id| !self.ldt(*id).alive)?;
        let size = entries.div_ceil(PER_PAGE);
        self.ldts[id as usize] = LdtStruct { alive: true, entries, size, ..LdtStruct::DEAD };
        Some(id)
    }

    /// `alloc_ldt_struct()`, second half: one zeroed page. `None`: the page is not free, or no page is missing.
    pub fn allocate_page(&mut self, id: LdtId, page: Page) -> Option<()> {
        let ldt = &mut self.ldts[id as usize];
        let next = ldt.pages_held();
        if self.frames[page as usize].used_by != Use::Free || next >= ldt.size {
            return None;
        }
        ldt.pages[next as usize] = Some(page);
        self.frames[page as usize] = Frame { used_by: Use::Ldt, content: Content::ZEROES };
        Some(())
    }

    /// The descriptor at `entry`; `None` if its page is freed.
    fn descriptor(&self, id: LdtId, entry: u8) -> Option<u8> {
        let page = self.ldt(id).pages[(entry / PER_PAGE) as usize]?;
        Some(self.frame(page).content.get(entry % PER_PAGE))
    }

    /// `memcpy(new_ldt->entries, old_ldt->entries, ...)`.
    pub fn copy_entries(&mut self, from: LdtId, to: LdtId) {
        let mut entry = 0;
        while entry < self.ldt(from).entries {
            if let Some(descriptor) = self.descriptor(from, entry) {
                self.edit_entry(to, entry, descriptor);
            }
            entry += 1;
        }
    }

    /// `ldt->entries[entry] = descriptor`.
    pub fn edit_entry(&mut self, id: LdtId, entry: u8, descriptor: u8) {
        if let Some(page) = self.ldt(id).pages[(entry / PER_PAGE) as usize] {
            let content = &mut self.frames[page as usize].content;
            *content = content.with(entry % PER_PAGE, descriptor);
        }
    }

    /// `free_ldt_struct()`, first half: the pages.
    pub fn free_pages(&mut self, id: LdtId) {
        let mut index = 0;
        while index < MAX_SIZE {
            if let Some(page) = self.ldts[id as usize].pages[index].take() {
                self.frames[page as usize] = Frame::FREE;
            }
            index += 1;
        }
    }

    /// `free_ldt_struct()`, second half: the struct itself.
    pub fn free_struct(&mut self, id: LdtId) {
        self.ldts[id as usize] = LdtStruct::DEAD;
    }

    /// What the kernel reads in an LDT; `None` if it is freed or lacks a page.
    pub fn image(&self, id: LdtId) -> Option<Image> {
        let mut image = Image::NONE;
        let mut entry = 0;
        while entry < self.ldt(id).entries {
            image = image.with(entry, self.descriptor(id, entry)?);
            entry += 1;
        }
        Some(image)
    }

    /// Whether an LDT that is alive owns the page.
    pub fn owned(&self, page: Page) -> bool {
        self.frame(page).used_by == Use::Ldt && self.owners(page) == 1
    }

    /// The number of live LDTs that list the page.
    pub fn owners(&self, page: Page) -> u8 {
        let lists = |ldt: &LdtStruct| ldt.alive && ldt.pages.contains(&Some(page));
        self.ldts.iter().filter(|ldt| lists(ldt)).count() as u8
    }
}

/// How page tables (the pages that hold the entries) are shared out over the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// One page table holds all entries of both slots, as in the kernel. Once it exists, mapping cannot fail.
    OneForAll,
    /// Each entry has a page table of its own, so mapping may fail at any entry.
    OneForEach,
}

/// The part of a `struct mm_struct` that concerns the LDT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mm {
    /// `context.ldt`.
    pub ldt: Option<LdtId>,
    /// The slots' page-table entries.
    pub entries: Translations,
    /// For which page-table entries (bit 2 * slot + entry) a page table exists.
    pub tables: u8,
    /// The upper levels of the page table are there, perhaps without the last.
    pub upper: bool,
    /// The user-mode page table leads to the slots.
    pub visible: bool,
}

impl Mm {
    /// A new address space without an LDT.
    pub const EMPTY: Self = Self { ldt: None, entries: Translations::NONE, tables: 0, upper: false, visible: false };

    /// Whether a page table for the entry exists.
    pub const fn has_table(&self, slot: Slot, entry: u8) -> bool {
        self.tables & 1 << (2 * slot as u8 + entry) != 0
    }
    /// What `get_locked_pte()` does before it takes the lock: provides a page table for the entry.
    pub const fn provide_table(&mut self, tables: Tables, slot: Slot, entry: u8) {
        self.upper = true;
        self.tables |= match tables {
            Tables::OneForAll => 0b1111,
            Tables::OneForEach => 1 << (2 * slot as u8 + entry),
        };
    }
    /// `free_ldt_pgtables()`: takes the page tables out, with every entry in them. The flush comes after it.
    pub const fn unlink_tables(&mut self) {
        *self = Self { ldt: self.ldt, ..Self::EMPTY };
    }
    /// The translation that user mode gets from the page table.
    pub const fn walk(&self, slot: Slot, entry: u8) -> Option<Page> {
        if self.visible {
            self.entries.get(slot, entry)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations_are_kept_apart() {
        let mut all = Translations::NONE;
        for (slot, entry, page) in [(Slot::S0, 0, Page::P3), (Slot::S0, 1, Page::P0), (Slot::S1, 1, Page::P2)] {
            all = all.with(slot, entry, Some(page));
        }
        assert_eq!(all.get(Slot::S0, 0), Some(Page::P3));
        assert_eq!(all.get(Slot::S0, 1), Some(Page::P0));
        assert_eq!(all.get(Slot::S1, 0), None);
        assert_eq!(all.without(Slot::S0, 2), Translations::NONE.with(Slot::S1, 1, Some(Page::P2)));
    }

    #[test]
    fn an_image_grows_with_zeroes() {
        let image = Image::NONE.with(1, 5);
        assert_eq!((image.entries(), image.descriptor(0), image.descriptor(1)), (2, 0, 5));
        let image = image.with(0, 6);
        assert_eq!((image.entries(), image.descriptor(0), image.descriptor(1)), (2, 6, 5));
    }

    #[test]
    fn an_ldt_is_allocated_filled_and_freed() {
        let mut memory = Memory::EMPTY;
        let id = memory.allocate_struct(3).unwrap();
        assert_eq!(memory.image(id), None);
        memory.allocate_page(id, Page::P1).unwrap();
        assert_eq!(memory.allocate_page(id, Page::P1), None);
        memory.allocate_page(id, Page::P0).unwrap();
        memory.edit_entry(id, 0, 3);
        memory.edit_entry(id, 2, 4);
        assert_eq!(memory.image(id), Some(Image::NONE.with(0, 3).with(2, 4)));
        assert!(memory.owned(Page::P0) && memory.owned(Page::P1) && !memory.owned(Page::P2));
        memory.free_pages(id);
        memory.free_struct(id);
        assert!(!memory.owned(Page::P0));
        assert_eq!(memory.ldts, Memory::EMPTY.ldts);
    }
}

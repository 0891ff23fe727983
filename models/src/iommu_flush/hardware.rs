//! What both machines of this mechanism share: page frames and who uses them, the kernel's page tables, the
//! IOMMUs with their device walkers and caches, the caches of the CPUs, and invalidation requests.
//!
//! An *area* is a stretch of kernel virtual addresses with one upper entry (a PMD), one page-table page and
//! one lower entry (a PTE) that maps one data page:
//! ```text
//!   pmd[a] ---> page-table page of a: pte[a] ---> data page of a
//! ```
//! # Assumptions
//! - H1: an area is only ever mapped by its own two frames, and nothing is mapped during a run, so a cached
//!   entry needs one bit. A mapping that appears needs no flush: non-present entries are not cached. A freed
//!   page goes to somebody else, who may also use it as a page table: for the old area he is somebody else.
//! - H2: an IOMMU executes an invalidation in one step: the entries go, and a walk that already read one of
//!   the entries concerned is thrown away. Hardware that reports an invalidation as complete and afterwards
//!   caches an older translation would break every variant, so nothing can be said about it here.
//! - H3: requests of different CPUs are executed in any order. A real queue is first in, first out, so this
//!   allows more than the hardware does. Submitting is one step: the queue's spinlock is not modelled.
//! - H4: an IOMMU has one walker and one device. A second walker would add walks in progress, and every
//!   property about a walk is about each walk by itself.
//! - H5: the caches of all CPUs are one set of entries, and `F5` empties it for an area in one step. The
//!   interrupts behind that step are the subject of the mechanism `ldt`.

/// How many areas there may be.
pub const AREAS_MAX: usize = 2;
/// How many IOMMUs there may be.
pub const IOMMUS_MAX: usize = 2;
/// How many page frames there are: a page-table page and a data page for each area.
pub const FRAMES: usize = 2 * AREAS_MAX;

/// A small set of areas, IOMMUs or threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set(pub u8);

impl Set {
    /// The set without elements.
    pub const EMPTY: Self = Self(0);

    /// The set of one element.
    pub const fn of(element: u8) -> Self {
        Self(1 << element)
    }
    /// The set of all numbers below `count`.
    pub const fn below(count: u8) -> Self {
        Self(((1u16 << count) - 1) as u8)
    }
    /// Whether the element is in the set.
    pub const fn has(self, element: u8) -> bool {
        self.0 & (1 << element) != 0
    }
    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The set with this element.
    #[must_use]
    pub const fn with(self, element: u8) -> Self {
        Self(self.0 | 1 << element)
    }
    /// The set without this element.
    #[must_use]
    pub const fn without(self, element: u8) -> Self {
        Self(self.0 & !(1 << element))
    }
    /// The elements of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// The elements of this set that are not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Whether every element of this set is in the other.
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
    /// The smallest element of a set that is not empty.
    pub const fn first(self) -> u8 {
        self.0.trailing_zeros() as u8
    }
    /// The set with elements 0 and 1 exchanged and the rest kept.
    #[must_use]
    pub const fn swapped(self) -> Self {
        Self(self.0 & !3 | (self.0 & 1) << 1 | (self.0 & 2) >> 1)
    }
    /// The elements as a person writes them: `none`, `0`, `0 1`.
    pub fn written(self) -> String {
        let elements: Vec<String> = (0..8).filter(|e| self.has(*e)).map(|e| e.to_string()).collect();
        if elements.is_empty() {
            "none".into()
        } else {
            elements.join(" ")
        }
    }
}

/// What a page frame is used for. Only the page allocator and its customers change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// It belongs to the page allocator.
    Free,
    /// It is a page-table page of the kernel, linked or about to be freed.
    Table,
    /// It is a data page of the kernel, mapped or about to be freed.
    Data,
    /// The page allocator gave it to somebody who writes what he likes into it.
    Other,
    /// The same, and a device has set an accessed bit in what it took for a page-table entry.
    Scribbled,
}

/// The level of the page tables at which an entry is cleared and a page freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The PTE is cleared and the data page freed: `vunmap()`, `vfree()`.
    Data,
    /// The PMD is cleared and the page-table page freed: `pmd_free_pte_page()`.
    Table,
}

/// The frame that holds the page-table page or the data page of an area.
pub const fn frame_of(area: u8, level: Level) -> usize {
    match level {
        Level::Table => 2 * area as usize,
        Level::Data => 2 * area as usize + 1,
    }
}

/// Where the walker of a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Walk {
    /// No walk.
    Idle,
    /// The PASID entry allowed a walk for this area; nothing of the page tables was read yet.
    Started(u8),
    /// The upper entry was read, or found in the cache: the next read goes into the page-table page.
    InTable(u8),
    /// The lower entry was read and points to the data page.
    HasLeaf(u8),
    /// What was read as the lower entry does not come from a page table: it points anywhere.
    HasWild(u8),
}

impl Walk {
    /// The area of the walk, once it depends on an entry.
    const fn depends_on(self) -> Option<u8> {
        match self {
            Self::Idle | Self::Started(_) => None,
            Self::InTable(area) | Self::HasLeaf(area) | Self::HasWild(area) => Some(area),
        }
    }

    fn swap_areas(self) -> Self {
        match self {
            Self::Idle => Self::Idle,
            Self::Started(a) => Self::Started(1 - a),
            Self::InTable(a) => Self::InTable(1 - a),
            Self::HasLeaf(a) => Self::HasLeaf(1 - a),
            Self::HasWild(a) => Self::HasWild(1 - a),
        }
    }
}

/// An IOMMU with its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iommu {
    /// The PASID entry in memory is present.
    pub entry: bool,
    /// The PASID entry is in the IOMMU's PASID cache.
    pub entry_cached: bool,
    /// The device was told to work with the PASID, and not yet to stop.
    pub working: bool,
    /// The areas whose upper entry is in the paging-structure cache.
    pub upper: Set,
    /// The areas whose lower entry is in the IOTLB.
    pub leaf: Set,
    /// The areas for which the IOTLB holds something that never stood in a page table.
    pub wild: Set,
    /// The walk in progress.
    pub walk: Walk,
}

impl Iommu {
    /// An IOMMU that knows nothing and does nothing.
    pub const QUIET: Self = Self {
        entry: false,
        entry_cached: false,
        working: false,
        upper: Set::EMPTY,
        leaf: Set::EMPTY,
        wild: Set::EMPTY,
        walk: Walk::Idle,
    };

    /// Whether a walk can start: the device has work and the PASID entry is present, in memory or in the cache.
    pub const fn can_walk(&self) -> bool {
        self.working && (self.entry || self.entry_cached)
    }
}

/// What a device asks its addresses with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    /// A kernel PASID (2015): a kernel mapping gives a translation.
    Supervisor,
    /// The PASID of a process (2025): the walk goes down to the leaf, finds a kernel mapping and fails.
    User,
}

/// One step of a device or its IOMMU, for one area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceAct {
    /// The walker reads the PASID entry and begins.
    D1StartWalk(u8),
    /// The walker takes the upper entry from the paging-structure cache, or else from memory, and caches it.
    D2ReadUpper(u8),
    /// The walker reads the lower entry and sets its accessed bit.
    D3ReadLower(u8),
    /// The IOTLB takes the translation.
    D4FillIotlb(u8),
    /// The hardware drops an entry of the paging-structure cache for a reason of its own.
    D5EvictUpper(u8),
    /// The hardware drops an entry of the IOTLB for a reason of its own.
    D5EvictLeaf(u8),
}

impl DeviceAct {
    /// Every act, for each area below `areas`.
    pub fn all(areas: u8) -> Vec<Self> {
        let of = |a| {
            [
                Self::D1StartWalk(a),
                Self::D2ReadUpper(a),
                Self::D3ReadLower(a),
                Self::D4FillIotlb(a),
                Self::D5EvictUpper(a),
                Self::D5EvictLeaf(a),
            ]
        };
        (0..areas).flat_map(of).collect()
    }
}

/// What an invalidation covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The lower and the upper entries of the areas.
    BothLevels,
    /// Only the lower entries: VT-d's invalidation hint says that the upper entries did not change.
    LeafOnly,
    /// Everything of the PASID, its cached PASID entry included; walks are drained.
    Pasid,
}

/// How far an invalidation request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    /// There is no request.
    Unused,
    /// It is in the queue.
    Pending,
    /// The IOMMU has executed it and written its wait descriptor.
    Done,
}

/// The invalidation request of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// How far it is.
    pub progress: Progress,
    /// Whose queue it is in.
    pub iommu: u8,
    /// The areas to invalidate.
    pub areas: Set,
    /// The entries to invalidate.
    pub scope: Scope,
}

impl Request {
    /// No request.
    pub const UNUSED: Self = Self { progress: Progress::Unused, iommu: 0, areas: Set::EMPTY, scope: Scope::BothLevels };

    /// A new request in the queue of an IOMMU.
    pub const fn new(iommu: u8, areas: Set, scope: Scope) -> Self {
        Self { progress: Progress::Pending, iommu, areas, scope }
    }

    /// The same request with the areas exchanged.
    #[must_use]
    pub const fn swap_areas(self) -> Self {
        Self { areas: self.areas.swapped(), ..self }
    }

    /// The request as a person writes it.
    pub fn written(self) -> String {
        let what = match self.scope {
            Scope::BothLevels => format!("both levels of area {}", self.areas.written()),
            Scope::LeafOnly => format!("leaf of area {}", self.areas.written()),
            Scope::Pasid => "the whole PASID".into(),
        };
        match self.progress {
            Progress::Unused => "none".into(),
            Progress::Pending => format!("IOMMU {}: {what}, pending", self.iommu),
            Progress::Done => format!("IOMMU {}: {what}, done", self.iommu),
        }
    }
}

/// Memory, page tables, IOMMUs and the caches of the CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hardware {
    /// What each frame is used for.
    pub uses: [Use; FRAMES],
    /// The areas whose upper entry is present in memory.
    pub pmd: Set,
    /// The areas whose lower entry is present in memory.
    pub pte: Set,
    /// The IOMMUs.
    pub iommus: [Iommu; IOMMUS_MAX],
    /// The areas whose upper entry some CPU has cached.
    pub cpu_upper: Set,
    /// The areas whose lower entry some CPU has cached.
    pub cpu_leaf: Set,
}

impl Hardware {
    /// All areas are mapped, nothing is cached, no device works.
    pub fn new(areas: u8) -> Self {
        let mut uses = [Use::Free; FRAMES];
        for area in 0..areas {
            uses[frame_of(area, Level::Table)] = Use::Table;
            uses[frame_of(area, Level::Data)] = Use::Data;
        }
        Self {
            uses,
            pmd: Set::below(areas),
            pte: Set::below(areas),
            iommus: [Iommu::QUIET; IOMMUS_MAX],
            cpu_upper: Set::EMPTY,
            cpu_leaf: Set::EMPTY,
        }
    }

    /// What the page of an area at a level is used for.
    pub const fn use_of(&self, area: u8, level: Level) -> Use {
        self.uses[frame_of(area, level)]
    }

    /// A step of an IOMMU, if it is possible.
    pub fn device(mut self, iommu: u8, act: DeviceAct, privilege: Privilege) -> Option<Self> {
        let Self { uses, pmd, pte, .. } = self;
        let unit = &mut self.iommus[iommu as usize];
        match act {
            DeviceAct::D1StartWalk(area) => {
                if unit.walk != Walk::Idle || !unit.can_walk() || unit.leaf.has(area) {
                    return None;
                }
                unit.entry_cached = true;
                unit.walk = Walk::Started(area);
            }
            DeviceAct::D2ReadUpper(area) => {
                if unit.walk != Walk::Started(area) {
                    return None;
                }
                if unit.upper.has(area) || pmd.has(area) {
                    unit.upper = unit.upper.with(area);
                    unit.walk = Walk::InTable(area);
                } else {
                    unit.walk = Walk::Idle;
                }
            }
            DeviceAct::D3ReadLower(area) => {
                if unit.walk != Walk::InTable(area) {
                    return None;
                }
                let table = frame_of(area, Level::Table);
                unit.walk = match uses[table] {
                    Use::Table if pte.has(area) && privilege == Privilege::Supervisor => Walk::HasLeaf(area),
                    Use::Table => Walk::Idle,
                    // Not a page table any more: whatever its new owner wrote is taken for an entry.
                    _ => Walk::HasWild(area),
                };
                if uses[table] == Use::Other {
                    self.uses[table] = Use::Scribbled;
                }
            }
            DeviceAct::D4FillIotlb(area) => match unit.walk {
                Walk::HasLeaf(a) if a == area => {
                    unit.leaf = unit.leaf.with(area);
                    unit.walk = Walk::Idle;
                }
                Walk::HasWild(a) if a == area => {
                    unit.wild = unit.wild.with(area);
                    unit.walk = Walk::Idle;
                }
                _ => return None,
            },
            DeviceAct::D5EvictUpper(area) => {
                if !unit.upper.has(area) {
                    return None;
                }
                unit.upper = unit.upper.without(area);
            }
            DeviceAct::D5EvictLeaf(area) => {
                if !unit.leaf.has(area) && !unit.wild.has(area) {
                    return None;
                }
                unit.leaf = unit.leaf.without(area);
                unit.wild = unit.wild.without(area);
            }
        }
        Some(self)
    }

    /// An IOMMU executes an invalidation.
    pub fn invalidate(&mut self, request: Request) {
        let unit = &mut self.iommus[request.iommu as usize];
        let concerned = unit.walk.depends_on().is_some_and(|area| request.areas.has(area));
        match request.scope {
            Scope::BothLevels => {
                unit.upper = unit.upper.minus(request.areas);
                unit.leaf = unit.leaf.minus(request.areas);
                unit.wild = unit.wild.minus(request.areas);
                if concerned {
                    unit.walk = Walk::Idle;
                }
            }
            Scope::LeafOnly => {
                unit.leaf = unit.leaf.minus(request.areas);
                unit.wild = unit.wild.minus(request.areas);
                if concerned && !matches!(unit.walk, Walk::InTable(_)) {
                    unit.walk = Walk::Idle;
                }
            }
            Scope::Pasid => {
                unit.upper = Set::EMPTY;
                unit.leaf = Set::EMPTY;
                unit.wild = Set::EMPTY;
                unit.entry_cached = false;
                unit.walk = Walk::Idle;
            }
        }
    }

    /// A CPU touches an area and its TLB and paging-structure cache take what they find; `None` if nothing is new.
    pub fn fill_cpu(mut self, area: u8) -> Option<Self> {
        if !self.cpu_upper.has(area) && !self.pmd.has(area) {
            return None;
        }
        let before = (self.cpu_upper, self.cpu_leaf);
        self.cpu_upper = self.cpu_upper.with(area);
        if self.use_of(area, Level::Table) == Use::Table && self.pte.has(area) {
            self.cpu_leaf = self.cpu_leaf.with(area);
        }
        ((self.cpu_upper, self.cpu_leaf) != before).then_some(self)
    }

    /// The CPUs drop what they cached of an area.
    pub fn flush_cpus(&mut self, area: u8) {
        self.cpu_upper = self.cpu_upper.without(area);
        self.cpu_leaf = self.cpu_leaf.without(area);
    }

    /// The page allocator hands a free frame out.
    pub fn reuse(mut self, frame: u8) -> Option<Self> {
        if self.uses[frame as usize] != Use::Free {
            return None;
        }
        self.uses[frame as usize] = Use::Other;
        Some(self)
    }

    /// The same hardware with areas 0 and 1 exchanged.
    #[must_use]
    pub fn swap_areas(mut self) -> Self {
        self.uses = [self.uses[2], self.uses[3], self.uses[0], self.uses[1]];
        self.pmd = self.pmd.swapped();
        self.pte = self.pte.swapped();
        self.cpu_upper = self.cpu_upper.swapped();
        self.cpu_leaf = self.cpu_leaf.swapped();
        for unit in &mut self.iommus {
            unit.upper = unit.upper.swapped();
            unit.leaf = unit.leaf.swapped();
            unit.wild = unit.wild.swapped();
            unit.walk = unit.walk.swap_areas();
        }
        self
    }

    /// Nothing that an IOMMU caches or walks through refers to a page that was freed.
    pub fn no_stale_iotlb(&self) -> bool {
        self.iommus.iter().all(|unit| {
            (0..AREAS_MAX as u8).all(|area| {
                let table = self.use_of(area, Level::Table) == Use::Table;
                let data = self.use_of(area, Level::Data) == Use::Data;
                (table || !unit.upper.has(area) && unit.walk != Walk::InTable(area))
                    && (data || !unit.leaf.has(area) && unit.walk != Walk::HasLeaf(area))
            })
        })
    }

    /// No device can write to a page that has a new owner, or has written to it, or has taken its contents for a
    /// translation.
    pub fn no_device_use_of_reused_page(&self) -> bool {
        let reused = |area| matches!(self.use_of(area, Level::Data), Use::Other | Use::Scribbled);
        !self.uses.contains(&Use::Scribbled)
            && self.iommus.iter().all(|unit| {
                (0..AREAS_MAX as u8).all(|area| !unit.leaf.has(area) || !reused(area))
                    && unit.wild.is_empty()
                    && !matches!(unit.walk, Walk::HasWild(_))
            })
    }

    /// Nothing that a CPU caches refers to a page that was freed.
    pub fn no_stale_cpu_tlb(&self) -> bool {
        (0..AREAS_MAX as u8).all(|area| {
            (self.use_of(area, Level::Table) == Use::Table || !self.cpu_upper.has(area))
                && (self.use_of(area, Level::Data) == Use::Data || !self.cpu_leaf.has(area))
        })
    }

    /// Every page that the page tables in memory lead to is still a page of the kernel, and no page-table page
    /// with a present entry has been freed.
    pub fn mapped_pages_are_alive(&self) -> bool {
        (0..AREAS_MAX as u8).all(|area| {
            let (pmd, pte) = (self.pmd.has(area), self.pte.has(area));
            (!pmd && !pte || self.use_of(area, Level::Table) == Use::Table)
                && (!pte || self.use_of(area, Level::Data) == Use::Data)
        })
    }

    /// What is cached of an area, by a CPU or an IOMMU, stands in its page tables.
    pub fn caches_match(&self, area: u8) -> bool {
        let (no_pmd, no_pte) = (!self.pmd.has(area), !self.pte.has(area));
        let gone = |upper: Set, leaf: Set| no_pmd && upper.has(area) || no_pte && leaf.has(area);
        !gone(self.cpu_upper, self.cpu_leaf) && !self.iommus.iter().any(|unit| gone(unit.upper, unit.leaf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(privilege: Privilege) -> Hardware {
        let mut hardware = Hardware::new(1);
        hardware.iommus[0].entry = true;
        hardware.iommus[0].working = true;
        let hardware = hardware.device(0, DeviceAct::D1StartWalk(0), privilege).unwrap();
        let hardware = hardware.device(0, DeviceAct::D2ReadUpper(0), privilege).unwrap();
        hardware.device(0, DeviceAct::D3ReadLower(0), privilege).unwrap()
    }

    #[test]
    fn a_kernel_pasid_gets_a_translation_and_a_process_does_not() {
        let supervisor = walked(Privilege::Supervisor);
        assert_eq!(supervisor.iommus[0].walk, Walk::HasLeaf(0));
        let filled = supervisor.device(0, DeviceAct::D4FillIotlb(0), Privilege::Supervisor).unwrap();
        assert!(filled.iommus[0].leaf.has(0) && filled.iommus[0].upper.has(0));
        let user = walked(Privilege::User);
        assert_eq!(user.iommus[0].walk, Walk::Idle);
        assert!(user.iommus[0].upper.has(0));
    }

    #[test]
    fn a_walk_follows_a_cached_upper_entry_that_is_gone() {
        let mut hardware = walked(Privilege::User);
        hardware.pmd = Set::EMPTY;
        let hardware = hardware.device(0, DeviceAct::D1StartWalk(0), Privilege::User).unwrap();
        let hardware = hardware.device(0, DeviceAct::D2ReadUpper(0), Privilege::User).unwrap();
        assert_eq!(hardware.iommus[0].walk, Walk::InTable(0));
    }

    #[test]
    fn a_drained_iommu_walks_again_only_with_a_pasid_entry() {
        let mut hardware = walked(Privilege::User);
        hardware.iommus[0].entry = false;
        assert!(hardware.device(0, DeviceAct::D1StartWalk(0), Privilege::User).is_some());
        hardware.invalidate(Request::new(0, Set::EMPTY, Scope::Pasid));
        assert_eq!(hardware.device(0, DeviceAct::D1StartWalk(0), Privilege::User), None);
    }

    #[test]
    fn a_leaf_only_invalidation_keeps_the_upper_entry() {
        let mut hardware = walked(Privilege::Supervisor);
        hardware.invalidate(Request::new(0, Set::of(0), Scope::LeafOnly));
        assert_eq!((hardware.iommus[0].walk, hardware.iommus[0].upper), (Walk::Idle, Set::of(0)));
        hardware.invalidate(Request::new(0, Set::of(0), Scope::BothLevels));
        assert_eq!(hardware.iommus[0].upper, Set::EMPTY);
    }

    #[test]
    fn a_walk_through_a_reused_page_writes_to_it() {
        let mut hardware = walked(Privilege::Supervisor);
        hardware.iommus[0].walk = Walk::InTable(0);
        hardware.uses[0] = Use::Other;
        let after = hardware.device(0, DeviceAct::D3ReadLower(0), Privilege::User).unwrap();
        assert_eq!((after.uses[0], after.iommus[0].walk), (Use::Scribbled, Walk::HasWild(0)));
    }

    #[test]
    fn exchanging_the_areas_twice_changes_nothing() {
        let mut hardware = walked(Privilege::Supervisor);
        hardware.cpu_leaf = Set::of(1);
        assert_ne!(hardware.swap_areas(), hardware);
        assert_eq!(hardware.swap_areas().swap_areas(), hardware);
    }
}

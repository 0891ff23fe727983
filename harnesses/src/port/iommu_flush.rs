//! iommu-flush: a function pointer under RCU that flushes the IOMMU when kernel mappings change. The steps are those
//! of `models::iommu_flush`, the form of 2015.
//!
//! One area with one data page, one IOMMU with one device. The doorbell of B3 does not wait for the CPU's stores
//! (assumption A2 of the model), so the first walk of the device is done by the thread that rang. Left out: page-table
//! pages, several notifiers, several PASIDs, the deferred form, and TLBs of CPUs.

use super::primitives::{Byte, Held, Interrupts, JoinHandle, Lock, Object, Plain, smp_mb, spawn};
use super::recorder::Recorder;
use crate::event::Seen;
use std::sync::Arc;

/// What breaks when the function is called, or its data used, after they are gone.
pub const NO_CALL_INTO_FREED_TEXT: &str =
    "no-call-into-freed-text: no call through null or into freed text, and no use of freed PASID data";
/// What breaks when nothing orders the first write to the PASID data, or the free, with a use.
pub const NO_RACE_ON_PASID_DATA: &str = "no-data-race: the PASID data are set up or freed while a flush uses them";
/// What breaks when the data that a flush finds are not those that were published.
pub const PUBLISHED_DATA: &str =
    "published-data: a flush that finds the function finds the data that were set up for it";

/// How the pointer is published and loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// `rcu_assign_pointer()` and `rcu_dereference()`.
    Assign,
    /// `WRITE_ONCE()`; the data behind it are plain.
    Once,
    /// `WRITE_ONCE()`; the data are marked.
    OnceMarked,
    /// `rcu_assign_pointer()`, but data that are no part of what the pointer leads to, and marked: only a control
    /// dependency stands between the two loads.
    Control,
    /// A plain pointer.
    Plain,
}

/// How often the pointer is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// Into a local, which is tested and called.
    Once,
    /// Once to test, once to call.
    Twice,
}

/// Where the read-side section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// From before the load of the pointer until after the call.
    AroundCall,
    /// It ends before the call.
    EndsBeforeCall,
    /// There is none.
    None,
}

/// Where the grace period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GracePeriod {
    /// Between clearing the pointer and freeing.
    BeforeFree,
    /// Before the pointer is cleared.
    TooEarly,
    /// There is none.
    None,
}

/// What a flusher looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tested {
    /// The pointer.
    Pointer,
    /// The number of users, incremented with a full barrier behind it.
    Users,
    /// The number of users, incremented by an atomic that orders nothing.
    UsersUnordered,
}

/// When the page is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// When the IOMMU has executed the invalidation.
    AfterWait,
    /// When the invalidation is submitted.
    AfterSubmit,
    /// Before the function is called.
    BeforeCall,
}

/// Which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// A full barrier between F0 and F2.
    pub flusher_barrier: bool,
    /// A full barrier between B2 and B3.
    pub binder_barrier: bool,
    /// How the pointer is published.
    pub publish: Publish,
    /// How often it is loaded.
    pub fetch: Fetch,
    /// Where the section is.
    pub section: Section,
    /// Where the grace period is.
    pub grace_period: GracePeriod,
    /// What a flusher looks at.
    pub tested: Tested,
    /// When the page is freed.
    pub free: Free,
    /// The last unbind clears the pointer, and the function goes away.
    pub goes_away: bool,
    /// The last unbind frees the data even if the function stays.
    pub frees_data: bool,
    /// Whether bind and unbind hold the mutex.
    pub mutex: bool,
}

impl Config {
    /// The intended code.
    pub const RCU: Self = Self {
        flusher_barrier: true,
        binder_barrier: true,
        publish: Publish::Assign,
        fetch: Fetch::Once,
        section: Section::AroundCall,
        grace_period: GracePeriod::BeforeFree,
        tested: Tested::Pointer,
        free: Free::AfterWait,
        goes_away: true,
        frees_data: true,
        mutex: true,
    };
}

/// The number of the binder's thread, as in the model: flushers are 0 and 1.
pub const BINDER: u8 = 2;
/// The number under which the device's steps are recorded.
pub const DEVICE: u8 = 4;

/// Kernel, driver and hardware.
#[derive(Debug)]
pub struct Kernel {
    config: Config,
    pte: Byte,
    page: Object<()>,
    freed: Byte,
    pointer: Byte,
    pointer_plain: Plain<u8>,
    users: Byte,
    /// What B1 sets up: the function's text and its data, which say that the PASID is number 1.
    text: Object<()>,
    data: Object<()>,
    pasid: Byte,
    pasid_entry: Byte,
    device_working: Byte,
    /// The IOTLB has the translation of the page. The IOMMU finishes a walk before it reports an invalidation.
    iommu: Lock,
    iotlb: Byte,
    mutex: Lock,
    rcu: Interrupts,
    /// The record of steps.
    pub log: Recorder,
}

impl Kernel {
    /// A kernel with one mapped page and nothing bound.
    pub fn new(config: Config, log: Recorder) -> Self {
        let gone = || Object::unallocated(NO_CALL_INTO_FREED_TEXT, NO_RACE_ON_PASID_DATA);
        Self {
            config,
            pte: Byte::new(1),
            page: Object::new((), "no-double-free: a page is freed once", "no-data-race: a page is freed twice"),
            freed: Byte::new(0),
            pointer: Byte::new(0),
            pointer_plain: Plain::new(0, "no-data-race: the function pointer"),
            users: Byte::new(0),
            text: gone(),
            data: gone(),
            pasid: Byte::new(0),
            pasid_entry: Byte::new(0),
            device_working: Byte::new(0),
            iommu: Lock::unheld(),
            iotlb: Byte::new(0),
            mutex: Lock::unheld(),
            rcu: Interrupts::new(2),
            log,
        }
    }

    /// Whether the IOTLB leads to a page that is freed. Nothing is under way.
    pub fn iotlb_is_stale(&self) -> bool {
        self.iotlb.read_once() == 1 && !self.page.is_allocated()
    }

    fn seen(&self) -> Seen {
        vec![
            ("pte", self.pte.read_once().into()),
            ("page allocated", self.page.is_allocated().into()),
            ("pointer", self.pointer.read_once().into()),
            ("users", self.users.read_once().into()),
            ("text", self.text.is_allocated().into()),
            ("data", self.data.is_allocated().into()),
            ("PASID entry", self.pasid_entry.read_once().into()),
            ("device works", self.device_working.read_once().into()),
            ("IOTLB", self.iotlb.read_once().into()),
        ]
    }
    fn step<R>(&self, actor: u8, label: &'static str, effect: impl FnOnce() -> R) -> R {
        self.log.step(actor, label, effect, |_| Some(0), || self.seen())
    }
    fn note(&self, actor: u8, label: &'static str) {
        self.step(actor, label, || ());
    }

    // ---- the flusher ----

    fn read_pointer(&self, actor: u8) -> bool {
        self.step(actor, "F2ReadPointer", || match (self.config.tested, self.config.publish) {
            (Tested::Pointer, Publish::Plain) => self.pointer_plain.read() == 1,
            (Tested::Pointer, Publish::OnceMarked | Publish::Control) => self.pointer.read_once() == 1,
            (Tested::Pointer, _) => self.pointer.rcu_dereference() == 1,
            (Tested::Users | Tested::UsersUnordered, _) => self.users.load_acquire() > 0,
        })
    }

    /// C1 to C4: the function. Returns the PASID that it found, and what is still outstanding.
    fn flush_iommu(self: &Arc<Self>, me: u8) -> (u8, Option<JoinHandle<()>>) {
        let (users, pasid) = self.step(me, "C1ReadPasidData", || {
            if !matches!(self.config.publish, Publish::OnceMarked | Publish::Control) {
                self.text.read();
                self.data.read();
            }
            (self.users.read_once(), self.pasid.read_once())
        });
        if users == 0 {
            self.note(me, "C4Return");
            return (pasid, None);
        }
        self.note(me, "C2Submit");
        let mut outstanding = None;
        if self.config.free == Free::AfterSubmit {
            let kernel = Arc::clone(self);
            outstanding = Some(spawn(move || kernel.invalidate(me)));
        } else {
            self.invalidate(me);
            self.note(me, "C3Wait");
        }
        self.note(me, "C4Return");
        (pasid, outstanding)
    }

    /// D6: the IOMMU executes an invalidation.
    fn invalidate(&self, requester: u8) {
        let walk = self.iommu.lock();
        self.step(requester, "D6Invalidate", || self.iotlb.write_once(0));
        drop(walk);
    }

    /// `flush_tlb_kernel_range()` on CPU `cpu`, between clearing the entry and freeing the page. Returns the PASID that
    /// the function found, if it was called.
    ///
    /// # Panics
    /// When the function or its data are gone.
    pub fn unmap(self: &Arc<Self>, cpu: usize) -> Option<u8> {
        let me = cpu as u8;
        self.step(me, "F0ClearEntry", || self.pte.write_once(0));
        if self.config.flusher_barrier {
            smp_mb();
            self.note(me, "FullBarrier");
        }
        if self.config.free == Free::BeforeCall {
            self.free_page();
        }
        let (pasid, outstanding) = self.call(cpu);
        self.note(me, "F5FlushCpus");
        if self.config.free != Free::BeforeCall {
            self.step(me, "F6FreePage", || self.free_page());
        }
        if let Some(outstanding) = outstanding {
            outstanding.join().expect("the IOMMU does not panic");
        }
        pasid
    }

    fn free_page(&self) {
        self.page.free();
        self.freed.write_once(1);
    }

    /// F1 to F4 alone, for a flusher whose page is not the question.
    pub fn call_only(self: &Arc<Self>, cpu: usize) -> Option<u8> {
        self.call(cpu).0
    }

    fn call(self: &Arc<Self>, cpu: usize) -> (Option<u8>, Option<JoinHandle<()>>) {
        let me = cpu as u8;
        let mut section = (self.config.section != Section::None).then(|| self.rcu.rcu_read_lock(cpu));
        if section.is_some() {
            self.note(me, "F1ReadLock");
        }
        let tested = self.read_pointer(me);
        if self.config.section == Section::EndsBeforeCall
            && let Some(section) = section.take()
        {
            self.rcu.rcu_read_unlock(section);
        }
        self.note(me, "F3TestAndCall");
        let mut result = (None, None);
        if tested {
            let called = self.config.fetch == Fetch::Once || self.read_pointer(me);
            assert!(called, "{NO_CALL_INTO_FREED_TEXT}: the pointer was set when it was tested and is null now");
            let (pasid, outstanding) = self.flush_iommu(me);
            result = (Some(pasid), outstanding);
        }
        if let Some(section) = section {
            self.note(me, "F4ReadUnlock");
            self.rcu.rcu_read_unlock(section);
        }
        result
    }

    // ---- the binder ----

    fn take_mutex(&self) -> Option<Held<'_>> {
        let held = self.config.mutex.then(|| self.mutex.lock());
        self.note(BINDER, "MutexLock");
        held
    }

    /// A bind that sets up nothing if somebody has bound already. Returns whether this one was the first.
    pub fn bind_if_unbound(&self) -> bool {
        let held = self.take_mutex();
        let first = self.users.read_once_before_store() == 0;
        if first {
            self.set_up();
        }
        self.note(BINDER, "MutexUnlock");
        drop(held);
        first
    }

    /// The first bind: from B1 on the device may be given the PASID, from B3 on it walks.
    pub fn bind(&self) {
        let held = self.take_mutex();
        self.set_up();
        self.note(BINDER, "MutexUnlock");
        drop(held);
    }

    /// B1 to B3.
    fn set_up(&self) {
        self.step(BINDER, "B1SetUpPasid", || {
            self.text.allocate(());
            self.data.allocate(());
            self.pasid.write_once(1);
            self.pasid_entry.write_once(1);
        });
        self.step(BINDER, "B2AddUser", || match self.config.tested {
            Tested::Users => {
                // atomic_inc_return(): ordered with what is before it and, below, with what is behind it.
                smp_mb();
                self.users.inc_return_relaxed();
            }
            Tested::UsersUnordered => {
                self.users.inc_return_relaxed();
            }
            Tested::Pointer => self.users.write_once(1),
        });
        if self.config.tested == Tested::Pointer {
            self.step(BINDER, "B2Publish", || self.store_pointer(1));
        }
        if self.config.binder_barrier {
            // What the count needs: an atomic that returns a value is a full barrier in the kernel.
            smp_mb();
            self.note(BINDER, "FullBarrier");
        }
        self.step(BINDER, "B3Enable", || self.device_working.write_once(1));
    }

    fn store_pointer(&self, value: u8) {
        match self.config.publish {
            Publish::Assign | Publish::Control => self.pointer.rcu_assign_pointer(value),
            Publish::Once | Publish::OnceMarked => self.pointer.write_once(value),
            Publish::Plain => self.pointer_plain.write(value),
        }
    }

    /// D1 to D4: the device walks to the page and keeps the translation. By the thread that rang the doorbell.
    pub fn walk(&self) {
        let walk = self.iommu.lock();
        let works = || {
            let may_walk = self.device_working.read_once() == 1 && self.pasid_entry.read_once() == 1;
            may_walk && self.iotlb.read_once() == 0
        };
        let on = |yes: &bool| yes.then_some(0);
        if !self.log.step(DEVICE, "D1StartWalk", works, on, || self.seen()) {
            return;
        }
        self.note(DEVICE, "D2ReadUpper");
        let present = self.step(DEVICE, "D3ReadLower", || self.pte.read_once() == 1);
        if present {
            self.step(DEVICE, "D4FillIotlb", || self.iotlb.write_once(1));
        }
        drop(walk);
    }

    /// The device writes to the page through a translation that it has: whether it has one, and the page is freed.
    /// An access of the hardware, which is no data race for the kernel, so the page's state is a word.
    pub fn dma_hits_freed_page(&self) -> bool {
        let _access = self.iommu.lock();
        self.iotlb.read_once() == 1 && self.freed.read_once() == 1
    }

    /// The last unbind.
    pub fn unbind(&self) {
        let held = self.take_mutex();
        self.step(BINDER, "U1StopDevice", || self.device_working.write_once(0));
        self.step(BINDER, "U1ClearEntry", || self.pasid_entry.write_once(0));
        self.note(BINDER, "C2Submit");
        self.invalidate(BINDER);
        self.note(BINDER, "C3Wait");
        self.step(BINDER, "U2RemoveUser", || self.users.write_once(0));
        if self.config.grace_period == GracePeriod::TooEarly {
            self.rcu.synchronize_rcu();
        }
        if self.config.goes_away {
            self.step(BINDER, "U2Retract", || self.retract());
        }
        if self.config.grace_period == GracePeriod::BeforeFree {
            self.note(BINDER, "U3StartGracePeriod");
            self.rcu.synchronize_rcu();
            self.note(BINDER, "U3EndGracePeriod");
        }
        if self.config.frees_data {
            self.step(BINDER, "U4Free", || {
                self.data.free();
                if self.config.goes_away {
                    self.text.free();
                }
            });
        }
        self.note(BINDER, "MutexUnlock");
        drop(held);
    }

    fn retract(&self) {
        if self.config.publish == Publish::Plain {
            self.pointer_plain.write(0);
        } else {
            // Null leads nowhere, so nothing has to be ordered before it (RCU_INIT_POINTER()).
            self.pointer.write_once(0);
        }
    }
}

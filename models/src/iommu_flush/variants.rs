//! The variants of [`IommuFlush`](super::IommuFlush).

use super::hardware::Level;
use super::Act::{
    B1SetUpPasid, B2AddUser, B2Publish, B3Enable, C1ReadPasidData, C2Submit, C3Wait, C4Return, F0ClearEntry,
    F1ReadLock, F2ReadPointer, F2TestAndDereference, F2TestAndReadAgain, F3Call, F3TestAndCall, F4ReadUnlock,
    F5FlushCpus, F6FreePage, FullBarrier, MutexLock, MutexUnlock, U1ClearEntry, U1StopDevice, U2RemoveUser, U2Retract,
    U3EndGracePeriod, U3StartGracePeriod, U4Free,
};
use super::{Act, Config, Doorbell, Hint, Kernel, Lifetime, Pasids, Tested};
use crate::machine::{Expect, Variant};

/// A flush that knows nothing of IOMMUs.
pub(super) const NOT_HOOKED: &[Act] = &[F0ClearEntry, F5FlushCpus, F6FreePage];

#[rustfmt::skip] // One line for each part of the flush.
const FLUSH: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F5FlushCpus, F6FreePage,
];
const BIND: &[Act] = &[MutexLock, B1SetUpPasid, B2AddUser, B2Publish, FullBarrier, B3Enable, MutexUnlock];
#[rustfmt::skip] // One line for each part of unbind.
const UNBIND: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U2RemoveUser, U2Retract,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
    MutexUnlock,
];

/// The intended code; see [`Config::RCU`].
const RCU: Config = Config::RCU;

impl Config {
    /// The intended code: RCU with a grace period, and a full barrier on both sides.
    pub const RCU: Self = Self {
        kernel: Kernel::Smp,
        smp_patched: true,
        up_patched: true,
        declared: true,
        called: true,
        missed: None,
        flush: FLUSH,
        bind: BIND,
        unbind: UNBIND,
        tested: Tested::Pointer,
        notifiers: 1,
        text: Lifetime::WhileBound,
        data: Lifetime::WhileBound,
        pasids: Pasids::SystemWide,
        hint: Hint::Never,
        doorbell: Doorbell::Direct,
    };
    /// The last unbind does not wait for readers.
    pub const NO_GRACE_PERIOD: Self = Self { unbind: UNBIND_WITHOUT_GRACE_PERIOD, ..Self::RCU };
    /// A full barrier only in the flusher.
    pub const FLUSHER_BARRIER: Self = Self { bind: BIND_WITHOUT_BARRIER, ..Self::RCU };
}

#[rustfmt::skip] // The flush as in RCU, with one act more.
const FLUSH_THROUGH_TWO_POINTERS: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F2TestAndDereference, F3Call,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, with one act more.
const FLUSH_LOADING_TWICE: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F2TestAndReadAgain, F3Call,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, without the barrier.
const FLUSH_WITHOUT_BARRIER: &[Act] = &[
    F0ClearEntry,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, with the CPUs first and without the barrier.
const FLUSH_CPUS_FIRST: &[Act] = &[
    F0ClearEntry, F5FlushCpus,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, without RCU.
const FLUSH_WITHOUT_RCU: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, with F4 in front of F3.
const FLUSH_UNLOCKED_CALL: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F4ReadUnlock, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, with F4 inside the branch that calls.
const FLUSH_UNLOCK_IN_BRANCH: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, F4ReadUnlock, C4Return,
    F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, without the wait.
const FLUSH_WITHOUT_WAIT: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C4Return,
    F4ReadUnlock, F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, with a mutex in the function.
const FLUSH_WITH_MUTEX: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    MutexLock, C1ReadPasidData, C2Submit, C3Wait, MutexUnlock, C4Return,
    F4ReadUnlock, F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, without F5.
const FLUSH_WITHOUT_CPUS: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, with F6 before the call.
const FLUSH_AFTER_FREE: &[Act] = &[
    F0ClearEntry, FullBarrier, F5FlushCpus, F6FreePage,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock,
];
#[rustfmt::skip] // The flush as in RCU, with F6 twice.
const FLUSH_FREEING_TWICE: &[Act] = &[
    F0ClearEntry, FullBarrier,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F5FlushCpus, F6FreePage, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, with F0 behind the call.
const FLUSH_BEFORE_CLEAR: &[Act] = &[
    FullBarrier,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F0ClearEntry, F5FlushCpus, F6FreePage,
];
#[rustfmt::skip] // The flush as in RCU, with F0 at the end.
const FLUSH_AND_FREE_BEFORE_CLEAR: &[Act] = &[
    FullBarrier,
    F1ReadLock, F2ReadPointer, F3TestAndCall,
    C1ReadPasidData, C2Submit, C3Wait, C4Return,
    F4ReadUnlock, F5FlushCpus, F6FreePage, F0ClearEntry,
];

const BIND_WITHOUT_BARRIER: &[Act] = &[MutexLock, B1SetUpPasid, B2AddUser, B2Publish, B3Enable, MutexUnlock];
const BIND_ENABLING_FIRST: &[Act] =
    &[MutexLock, B1SetUpPasid, B3Enable, B2AddUser, B2Publish, FullBarrier, MutexUnlock];
const BIND_PUBLISHING_FIRST: &[Act] =
    &[MutexLock, B2AddUser, B2Publish, B1SetUpPasid, FullBarrier, B3Enable, MutexUnlock];
const BIND_ENABLING_BEFORE_NOTING: &[Act] = &[MutexLock, B1SetUpPasid, B3Enable, B2AddUser, MutexUnlock];
const BIND_WITHOUT_PUBLISHING: &[Act] = &[MutexLock, B1SetUpPasid, B2AddUser, FullBarrier, B3Enable, MutexUnlock];

#[rustfmt::skip] // Unbind as in RCU, without a part.
const UNBIND_WITHOUT_GRACE_PERIOD: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U2RemoveUser, U2Retract, U4Free,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, without a part.
const UNBIND_WITHOUT_FREEING: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U2RemoveUser, U2Retract,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, without a part.
const UNBIND_WITHOUT_CLEARING: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U2RemoveUser,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, for a function that is called by its name.
const UNBIND_A_USER: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U2RemoveUser,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, with U2 in front of U1.
const UNBIND_CLEARING_FIRST: &[Act] = &[
    MutexLock,
    U2RemoveUser, U2Retract,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, with U4 in front of U1.
const UNBIND_FREEING_FIRST: &[Act] = &[
    MutexLock,
    U2RemoveUser, U2Retract,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, with U3 in front of U2.
const UNBIND_WAITING_FIRST: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U3StartGracePeriod, U3EndGracePeriod,
    U2RemoveUser, U2Retract, U4Free,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, without the drain.
const UNBIND_WITHOUT_DRAIN: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry,
    U2RemoveUser, U2Retract,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, with the drain in front of what makes it last.
const UNBIND_DRAINING_FIRST: &[Act] = &[
    MutexLock,
    C2Submit, C3Wait, U1StopDevice, U1ClearEntry,
    U2RemoveUser, U2Retract,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, with the device left working.
const UNBIND_WITHOUT_STOPPING: &[Act] = &[
    MutexLock,
    U1ClearEntry, C2Submit, C3Wait,
    U2RemoveUser, U2Retract,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, with the user kept.
const UNBIND_WITHOUT_FORGETTING: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U2Retract,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind as in RCU, with the mutex kept.
const UNBIND_KEEPING_THE_MUTEX: &[Act] = &[
    MutexLock,
    U1StopDevice, U1ClearEntry, C2Submit, C3Wait,
    U2RemoveUser, U2Retract,
    U3StartGracePeriod, U3EndGracePeriod, U4Free,
];

const MAIL: &str = "mail of October 2015, \"Re: [RFC PATCH] iommu/vt-d: Add IOTLB flush support for kernel addresses\"";
const MAIL_BARRIERS: &str = "the same mail, which shows no barrier and does not speak of one";
const MAIL_WITHOUT_RCU: &str = "the same mail, on whether clearing the pointer needs clever locking";
const OWN: &str = "kverdict: a one-line change of the form that holds";
const OWN_CONFIGURATION: &str = "kverdict: the form that holds, where it might not";

/// The verdicts of a flush that a device goes unnoticed by.
const STALE: &[&str] = &["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables"];
/// The same, where the device may walk before the hook is visible.
const STALE_AND_UNPUBLISHED: &[&str] =
    &["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables", "walkable-means-published"];
/// The verdicts of an unbind that leaves something in the IOMMU.
const UNDRAINED: &[&str] = &[
    "no-stale-iotlb",
    "no-device-use-of-reused-page",
    "caches-match-page-tables",
    "unbound-means-drained",
    "finished-means-clean",
];
/// Witnesses of an invalidation by a flush.
const NOTHING_FLUSHED: &[&str] = &["flush-removes-a-leaf", "flush-removes-an-upper-entry", "flush-catches-a-walk"];
/// Witnesses of a hook that is looked at.
const NEVER_LOOKED_AT: &[&str] = &[
    "flush-without-user-does-not-call",
    "flush-overlaps-bind",
    "flush-overlaps-unbind-and-calls",
    "flush-removes-a-leaf",
    "flush-removes-an-upper-entry",
    "flush-catches-a-walk",
    "grace-period-waits",
];
const NO_GRACE_PERIOD: &[&str] = &["grace-period-waits"];

const NO_RCU_BUILTIN: Config = Config {
    flush: FLUSH_WITHOUT_RCU,
    text: Lifetime::Permanent,
    data: Lifetime::Permanent,
    unbind: UNBIND_WITHOUT_FREEING,
    ..RCU
};
const USERS_CHECK: Config = Config {
    tested: Tested::Users,
    text: Lifetime::Permanent,
    bind: BIND_WITHOUT_PUBLISHING,
    unbind: UNBIND_A_USER,
    ..RCU
};

/// A variant at the quick and deep sizes of the machine.
const fn variant(
    name: &'static str,
    what: &'static str,
    origin: &'static str,
    config: Config,
    expect: Expect,
) -> Variant<Config> {
    Variant { name, what, origin, compare_with: "rcu", config, expect, quick: &[], deep: &[] }
}

pub(super) const VARIANTS: &[Variant<Config>] = &[
    Variant {
        quick: &[("areas", 2), ("binds", 1)],
        deep: &[("flushers", 2), ("binds", 1)],
        ..variant(
            "rcu",
            "The intended code: the pointer is published and cleared under RCU, with a grace period before the data \
             and the text go, and a full barrier on both sides.",
            MAIL,
            RCU,
            Expect::holds(
                "A flusher that reads null has cleared its entry before any device may walk; one that reads the \
                 function is waited for.",
            ),
        )
    },
    variant(
        "rcu-on-up",
        "The intended code on a UP kernel: flusher and binder share a CPU.",
        OWN_CONFIGURATION,
        Config { kernel: Kernel::Up, ..RCU },
        Expect::holds(
            "The device is still another observer. A section that is not preempted is over before the binder runs, \
             so nobody is ever waited for.",
        )
        .without(&["flush-overlaps-unbind-and-calls", "grace-period-waits"]),
    ),
    variant(
        "posted-pointer-to-pointer",
        "The local of the mail is a pointer to the function pointer type, and the call goes through one more \
         dereference.",
        MAIL,
        Config { flush: FLUSH_THROUGH_TWO_POINTERS, ..RCU },
        Expect::broken(
            &["single-indirection"],
            "The value loaded is the address of the function; the second dereference loads the function's first \
             bytes and calls them. The first call is a crash, so nothing is ever flushed.",
        )
        .without(NOTHING_FLUSHED),
    ),
    variant(
        "posted-guard-mismatch-neither",
        "Declared under CONFIG_IOMMU_TLB_FLUSH, called under CONFIG_IOMMU_FLUSH_TLB; here neither is set.",
        MAIL,
        Config { declared: false, called: false, ..RCU },
        Expect::holds("There is no pointer to publish to, and the driver grants no kernel PASID.").without(&[
            "flush-without-user-does-not-call",
            "flush-overlaps-bind",
            "flush-overlaps-unbind-and-calls",
            "flush-removes-a-leaf",
            "flush-removes-an-upper-entry",
            "flush-catches-a-walk",
            "device-reads-what-is-cleared",
            "grace-period-waits",
        ]),
    ),
    variant(
        "posted-guard-mismatch-declared-only",
        "Declared under CONFIG_IOMMU_TLB_FLUSH, called under CONFIG_IOMMU_FLUSH_TLB; here only the first is set.",
        MAIL,
        Config { called: false, ..RCU },
        Expect::broken(STALE, "The driver publishes its function and nobody calls it.").without(NEVER_LOOKED_AT),
    ),
    variant(
        "posted-guard-mismatch-called-only",
        "Declared under CONFIG_IOMMU_TLB_FLUSH, called under CONFIG_IOMMU_FLUSH_TLB; here only the second is set.",
        MAIL,
        Config { declared: false, ..RCU },
        Expect::broken(&["it-builds"], "The call is compiled and its declaration is not.").without(&[
            "flush-without-user-does-not-call",
            "flush-overlaps-bind",
            "flush-overlaps-unbind-and-calls",
            "flush-removes-a-leaf",
            "flush-removes-an-upper-entry",
            "flush-catches-a-walk",
            "device-reads-what-is-cleared",
            "grace-period-waits",
            "freed-page-is-reused",
            "run-ends",
        ]),
    ),
    variant(
        "posted-guard-mismatch-both",
        "Declared under CONFIG_IOMMU_TLB_FLUSH, called under CONFIG_IOMMU_FLUSH_TLB; here both are set.",
        MAIL,
        RCU,
        Expect::holds("With both symbols set the mismatch has no effect."),
    ),
    variant(
        "no-grace-period",
        "The last unbind clears the pointer and at once frees the data and unloads the text.",
        MAIL,
        Config::NO_GRACE_PERIOD,
        Expect::broken(
            &["no-call-into-freed-text", "no-use-of-freed-pasid-data"],
            "A flusher that read the pointer before it was cleared calls it afterwards.",
        )
        .without(NO_GRACE_PERIOD),
    ),
    variant(
        "never-cleared",
        "Once the pointer is set it is never cleared; text and data stay.",
        "the same mail, last paragraph",
        Config {
            text: Lifetime::Permanent,
            data: Lifetime::Permanent,
            unbind: UNBIND_WITHOUT_CLEARING,
            ..RCU
        },
        Expect::holds(
            "What is never taken away cannot be called too late. The cost: from the first bind on every flush makes a \
             call, which finds no user after the last unbind.",
        )
        .without(&["flush-overlaps-unbind-and-calls", "grace-period-waits"]),
    ),
    variant(
        "no-rcu-builtin",
        "A plain pointer to a built-in function with static data, which tolerates being called without users; no RCU.",
        MAIL_WITHOUT_RCU,
        NO_RCU_BUILTIN,
        Expect::holds("Nothing is freed, so a late call finds function and data in place and nothing to do.")
            .without(NO_GRACE_PERIOD),
    ),
    Variant {
        compare_with: "no-rcu-builtin",
        ..variant(
        "no-rcu-builtin-frees-data",
        "The same, and the last unbind frees the PASID data that the function reads.",
        MAIL_WITHOUT_RCU,
        Config { data: Lifetime::WhileBound, unbind: UNBIND_WITHOUT_GRACE_PERIOD, ..NO_RCU_BUILTIN },
        Expect::broken(
            &["no-use-of-freed-pasid-data"],
            "That the text stays does not help: a late call reads the freed data.",
        )
        .without(NO_GRACE_PERIOD),
    )
    },
    variant(
        "users-check",
        "In place of the pointer, an inline test whether the kernel PASID has users; the function is built in and \
         the data are freed after a grace period.",
        "Joerg Roedel, October 2015, as answered in the same mail",
        USERS_CHECK,
        Expect::holds("The count of users takes the part of the pointer; it needs the same barriers and the same RCU."),
    ),
    Variant {
        compare_with: "users-check",
        ..variant(
        "users-check-unordered",
        "The same test without barriers, neither in the flush nor in bind.",
        "Joerg Roedel, October 2015, as answered in the same mail",
        Config { flush: FLUSH_WITHOUT_BARRIER, bind: BIND_ENABLING_BEFORE_NOTING, ..USERS_CHECK },
        Expect::broken(STALE_AND_UNPUBLISHED, "A flusher sees no users while a device already walks."),
    )
    },
    variant(
        "no-barrier",
        "No full barrier, neither between clearing the entry and reading the pointer nor between publishing and \
         enabling the device.",
        MAIL_BARRIERS,
        Config { flush: FLUSH_WITHOUT_BARRIER, bind: BIND_WITHOUT_BARRIER, ..RCU },
        Expect::broken(
            STALE_AND_UNPUBLISHED,
            "Store buffering: the flusher reads null while the pointer is in the binder's buffer, and the device \
             reads the entry while its clearing is in the flusher's.",
        ),
    ),
    variant(
        "flusher-barrier",
        "A full barrier only in the flusher.",
        MAIL_BARRIERS,
        Config::FLUSHER_BARRIER,
        Expect::broken(
            STALE_AND_UNPUBLISHED,
            "The device reads the entry before it is cleared, and the flusher reads null: the pointer is still in the \
             binder's buffer, which the doorbell has overtaken.",
        ),
    ),
    variant(
        "binder-barrier",
        "A full barrier only in bind.",
        MAIL_BARRIERS,
        Config { flush: FLUSH_WITHOUT_BARRIER, ..RCU },
        Expect::broken(
            STALE,
            "The flusher reads null before the pointer is published, and the device reads the entry whose clearing is \
             still in the flusher's buffer.",
        ),
    ),
    Variant {
        compare_with: "rcu-on-up",
        ..variant(
            "no-barrier-on-up",
            "No full barrier at all, on a UP kernel.",
            OWN_CONFIGURATION,
            Config { kernel: Kernel::Up, flush: FLUSH_WITHOUT_BARRIER, bind: BIND_WITHOUT_BARRIER, ..RCU },
            Expect::holds(
                "Whoever runs next finds the stores of the other visible, and the device finds the entry cleared before \
                 it can be told to work. That is as well: on UP, smp_mb() is no instruction.",
            )
            .without(&["flush-overlaps-unbind-and-calls", "grace-period-waits"]),
        )
    },
    variant(
        "ordered-doorbell",
        "A full barrier only in the flusher, and a doorbell that is ordered after earlier stores.",
        OWN_CONFIGURATION,
        Config { bind: BIND_WITHOUT_BARRIER, doorbell: Doorbell::Ordered, ..RCU },
        Expect::holds(
            "Under TSO an ordered doorbell takes the place of the binder's barrier: whoever sees the device work also \
             sees the pointer. `flusher-barrier` breaks only because its doorbell overtakes the buffer.",
        ),
    ),
    variant(
        "cpus-first",
        "The CPUs are flushed before the pointer is read, and the flusher has no barrier of its own.",
        "kverdict: the order of the patch that was posted for mainline in July 2025",
        Config { flush: FLUSH_CPUS_FIRST, ..RCU },
        Expect::holds("Sending interrupts to the other CPUs waits for the flusher's stores, so it is the full barrier."),
    ),
    variant(
        "missed-call-site",
        "Callers that free page-table pages use a flush function that was not patched.",
        "the same mail, which warns of callers that miss the flush; flush_tlb_all() was missed again in 2025",
        Config { missed: Some(Level::Table), ..RCU },
        Expect::broken(STALE, "The paging-structure cache keeps the entry of a page-table page that is freed.")
            .without(&["flush-removes-an-upper-entry", "flush-catches-a-walk"]),
    ),
    Variant {
        quick: &[("flushers", 2), ("binds", 1)],
        ..variant(
        "only-smp-on-smp",
        "Only the SMP definition of flush_tlb_kernel_range() is patched, and the kernel is an SMP kernel.",
        "the same mail, which patches both definitions",
        Config { up_patched: false, ..RCU },
        Expect::holds("The definition that is built is the patched one."),
    )
    },
    Variant {
        compare_with: "rcu-on-up",
        ..variant(
            "only-smp-on-up",
            "Only the SMP definition of flush_tlb_kernel_range() is patched, and the kernel is a UP kernel.",
            "the same mail, which patches both definitions",
            Config { up_patched: false, kernel: Kernel::Up, ..RCU },
            Expect::broken(STALE, "The inline definition in the header calls nothing.").without(NEVER_LOOKED_AT),
        )
    },
    variant(
        "sleeping-callback",
        "The function takes the mutex that bind and unbind hold.",
        "kverdict: the same mail has the function look at the PASID structure, which bind and unbind change under a \
         mutex",
        Config { flush: FLUSH_WITH_MUTEX, ..RCU },
        Expect::broken(
            &["no-sleep-in-atomic", "no-deadlock"],
            "It sleeps inside an RCU section while an unbinder holds the mutex and waits for that section to end.",
        ),
    ),
    variant(
        "notifier-list",
        "A list of notifiers in place of the single pointer: somebody else's stands behind the driver's.",
        "Joerg Roedel and David Woodhouse, October 2015: a single notifier is preferable to a list",
        Config { notifiers: 2, ..RCU },
        Expect::holds(
            "It is as safe and slower: each flush makes one call for each notifier, here two while a PASID is bound and \
             one while none is, so no flush goes without a call.",
        )
        .without(&["flush-without-user-does-not-call"]),
    ),
    Variant {
        quick: &[("iommus", 2), ("cpu-caches", 0)],
        deep: &[("iommus", 2), ("areas", 1)],
        ..variant(
            "per-iommu-pasid",
            "Each IOMMU has a kernel PASID of its own, and the published function flushes the first IOMMU.",
            "the same mail: the PASID space is per IOMMU, the plan is a single one",
            Config { pasids: Pasids::PerIommu, ..RCU },
            Expect::broken(STALE_AND_UNPUBLISHED, "The second IOMMU walks and nobody tells it of a change."),
        )
    },
    Variant {
        quick: &[("iommus", 2), ("binders", 2), ("cpu-caches", 0)],
        deep: &[("iommus", 2), ("binders", 2), ("areas", 1)],
        ..variant(
            "system-wide-pasid",
            "One kernel PASID for all IOMMUs; its users are known to the published function, which flushes each.",
            "the same mail: the PASID space is per IOMMU, the plan is a single one",
            RCU,
            Expect::holds("The first user publishes, the last one clears, and those between only add themselves."),
        )
    },
    variant(
        "unlock-before-call",
        "rcu_read_unlock() stands between reading the pointer and calling it.",
        OWN,
        Config { flush: FLUSH_UNLOCKED_CALL, ..RCU },
        Expect::broken(
            &["no-call-into-freed-text", "no-use-of-freed-pasid-data"],
            "The grace period does not wait for the call.",
        ),
    ),
    variant(
        "unlock-only-if-called",
        "rcu_read_unlock() stands inside the branch that calls.",
        OWN,
        Config { flush: FLUSH_UNLOCK_IN_BRANCH, ..RCU },
        Expect::broken(
            &["rcu-sections-balanced", "no-call-into-freed-text", "finished-means-clean", "no-deadlock"],
            "A flush that finds null leaves its section open, and every later grace period waits for ever; one that \
             calls is still inside the function when the grace period ends.",
        ),
    ),
    variant(
        "pointer-loaded-twice",
        "The pointer is loaded once for the test and once more for the call.",
        OWN,
        Config { flush: FLUSH_LOADING_TWICE, ..RCU },
        Expect::broken(
            &["single-indirection", "no-call-into-freed-text"],
            "The last unbind clears the pointer between the loads, and the flusher calls null.",
        ),
    ),
    variant(
        "no-wait",
        "The function returns when the invalidation is in the queue and does not wait for it.",
        OWN,
        Config { flush: FLUSH_WITHOUT_WAIT, ..RCU },
        Expect::broken(
            &["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables", "finished-means-clean"],
            "The page is freed while the entry is still cached.",
        ),
    ),
    variant(
        "publish-after-enable",
        "The device is told to work before the user is noted and the pointer published.",
        OWN,
        Config { bind: BIND_ENABLING_FIRST, ..RCU },
        Expect::broken(STALE_AND_UNPUBLISHED, "A flush in between finds null while the device walks."),
    ),
    variant(
        "publish-before-setup",
        "The user is noted and the pointer published before data and PASID entry are set up.",
        OWN,
        Config { bind: BIND_PUBLISHING_FIRST, ..RCU },
        Expect::broken(&["no-call-into-freed-text", "no-use-of-freed-pasid-data"], "The function is called too early."),
    ),
    variant(
        "clear-before-drain",
        "The last unbind clears the pointer before it stops and drains the device.",
        OWN,
        Config { unbind: UNBIND_CLEARING_FIRST, ..RCU },
        Expect::broken(STALE_AND_UNPUBLISHED, "A flush in between finds null while the device still walks."),
    ),
    variant(
        "free-before-drain",
        "The last unbind does everything else before it stops and drains the device.",
        OWN,
        Config { unbind: UNBIND_FREEING_FIRST, ..RCU },
        Expect::broken(STALE_AND_UNPUBLISHED, "A flush in between finds null while the device still walks."),
    ),
    variant(
        "grace-period-before-clear",
        "The grace period stands before the clearing of the pointer.",
        OWN,
        Config { unbind: UNBIND_WAITING_FIRST, ..RCU },
        Expect::broken(
            &["no-call-into-freed-text", "no-use-of-freed-pasid-data"],
            "A flusher that reads the pointer after the grace period began is not waited for.",
        ),
    ),
    variant(
        "no-drain",
        "Unbind clears the PASID entry and does not drain the IOMMU.",
        OWN,
        Config { unbind: UNBIND_WITHOUT_DRAIN, ..RCU },
        Expect::broken(
            UNDRAINED,
            "What the IOMMU has cached survives the last flush that would have removed it.",
        ),
    ),
    variant(
        "drain-before-clear",
        "Unbind drains the IOMMU before it clears the PASID entry.",
        OWN,
        Config { unbind: UNBIND_DRAINING_FIRST, ..RCU },
        Expect::broken(UNDRAINED, "The device walks again behind the drain."),
    ),
    variant(
        "device-left-working",
        "Unbind tears the PASID entry down and leaves the device working.",
        OWN,
        Config { unbind: UNBIND_WITHOUT_STOPPING, ..RCU },
        Expect::broken(
            &[
                "no-stale-iotlb",
                "no-device-use-of-reused-page",
                "caches-match-page-tables",
                "unbound-means-drained",
                "walkable-means-published",
                "finished-means-clean",
            ],
            "The next bind sets the PASID entry before it publishes, and the device walks at once.",
        ),
    ),
    variant(
        "mutex-kept",
        "Unbind returns without releasing the mutex.",
        OWN,
        Config { unbind: UNBIND_KEEPING_THE_MUTEX, ..RCU },
        Expect::broken(&["mutex-held-by-its-user", "no-deadlock"], "The next bind sleeps for ever.")
            .without(&["run-ends"]),
    ),
    variant(
        "leaf-only-flush",
        "Every invalidation carries the hint that the upper entries did not change.",
        OWN,
        Config { hint: Hint::Always, ..RCU },
        Expect::broken(STALE, "The paging-structure cache keeps the entry of a page-table page that is freed."),
    ),
    variant(
        "leaf-only-for-data",
        "An invalidation carries that hint when a PTE was cleared, and not when a PMD was.",
        OWN_CONFIGURATION,
        Config { hint: Hint::ForData, ..RCU },
        Expect::holds("The hint is true, and the upper entry that stays cached leads to a page that stays."),
    ),
    variant(
        "no-cpu-flush",
        "The CPUs are not flushed.",
        OWN,
        Config { flush: FLUSH_WITHOUT_CPUS, ..RCU },
        Expect::broken(
            &["no-stale-cpu-tlb", "caches-match-page-tables", "finished-means-clean"],
            "A CPU reaches the page that is freed.",
        ),
    ),
    variant(
        "flush-after-free",
        "The page is freed before the IOMMU is flushed.",
        OWN,
        Config { flush: FLUSH_AFTER_FREE, ..RCU },
        Expect::broken(
            &["no-stale-iotlb", "no-device-use-of-reused-page"],
            "The device reaches the page between the two.",
        ),
    ),
    variant(
        "flush-before-clear",
        "The IOMMU is flushed before the entry is cleared.",
        OWN,
        Config { flush: FLUSH_BEFORE_CLEAR, ..RCU },
        Expect::broken(STALE, "The device caches the entry again between the two.")
            .without(&["flush-removes-an-upper-entry", "flush-catches-a-walk"]),
    ),
    variant(
        "free-before-clear",
        "The page is freed before its entry is cleared.",
        OWN,
        Config { flush: FLUSH_AND_FREE_BEFORE_CLEAR, ..RCU },
        Expect::broken(
            &[
                "mapped-pages-are-alive",
                "no-stale-iotlb",
                "no-stale-cpu-tlb",
                "no-device-use-of-reused-page",
                "caches-match-page-tables",
                "finished-means-clean",
            ],
            "The page tables lead to a page that is freed.",
        )
        .without(&["flush-removes-an-upper-entry", "flush-catches-a-walk"]),
    ),
    variant(
        "user-not-forgotten",
        "Unbind clears the pointer and leaves the IOMMU noted as a user.",
        OWN,
        Config { unbind: UNBIND_WITHOUT_FORGETTING, ..RCU },
        Expect::broken(
            &["hook-follows-users", "finished-means-clean"],
            "With one IOMMU nothing worse comes of it; with two, no unbind would be the last any more.",
        ),
    ),
    variant(
        "freed-twice",
        "The page is freed twice.",
        OWN,
        Config { flush: FLUSH_FREEING_TWICE, ..RCU },
        Expect::broken(&["frees-only-its-own"], "The second time it may belong to somebody else already."),
    ),
];

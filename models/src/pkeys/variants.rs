//! The versions of the mechanism, and what is expected of each.

use super::*;
use crate::machine::Expect;

/// The form that holds.
pub(super) const POSTED: Config = Config {
    writers: Hold::Write,
    readers: Some(Hold::No),
    update: Update::WriteOnce,
    load: Load::Word,
    range_check: RangeCheck::Exact,
    hides_execute_only: true,
    leaves_execute_only: LeaveExecuteOnly::Always,
    undoes_alloc: true,
    undoes_only_fresh: true,
    fork: Fork::Copies,
    execute_only_order: ExecuteOnlyOrder::PkruFirst,
    free_checks: true,
    alloc_sets_pkru: true,
    gap: false,
    pick: Pick::FirstZero,
    callers: Callers::Careful,
    execute_only_calls: true,
    looks_at_pkru: true,
    unlocks_when_full: true,
    pkru_may_fail: true,
    claim: Claim::WasTrue,
};

/// The code before the patch.
pub(super) const LOCKED_READERS: Config = Config { readers: Some(Hold::Write), ..POSTED };

/// Writers without `mmap_sem` that change the map by compare-exchange.
const COMPARE_EXCHANGE: Config = Config { writers: Hold::No, update: Update::CompareExchange, ..POSTED };

/// One call for each thread, two for a child's: enough for most of what can go wrong.
const ONE_CALL: &[(&str, u8)] = &[("calls", 1), ("child_calls", 2)];
/// The same with two mappings.
const ONE_CALL_DEEP: &[(&str, u8)] = &[("keys", 3), ("calls", 1), ("mappings", 2), ("child_calls", 2)];
/// Two calls for each thread, no mapping and no fork.
const NO_MAPPING: &[(&str, u8)] = &[("mappings", 0), ("child_calls", 0)];

/// The same with key 0 and one more.
const TWO_KEYS: &[(&str, u8)] = &[("keys", 2), ("mappings", 0), ("child_calls", 0)];

const MAIL: &str = "mail of 7 July 2016, 'x86, pkeys: scalable pkey_set()/pkey_get()'";

pub(super) const VARIANTS: &[Variant<Config>] = &[
    Variant {
        name: "posted",
        what: "Writers change the map under mmap_sem with WRITE_ONCE(); pkey_get() and pkey_set() read it with \
             READ_ONCE() and no lock.",
        origin: MAIL,
        compare_with: "posted",
        config: POSTED,
        expect: Expect::holds(
            "One load sees one value of the map, and that value was the map's. What the answer does not say, it did \
             not say with the lock either, but for one thing: see granted-claim.",
        ),
        quick: &[],
        deep: &[("mappings", 2)],
    },
    Variant {
        name: "mainline",
        what: "As merged: there is no pkey_get() and no pkey_set(), and everybody who reads the map holds mmap_sem.",
        origin: "mainline; the two system calls were dropped before the merge",
        compare_with: "posted",
        config: Config { readers: None, ..POSTED },
        expect: Expect::holds(
            "The map is only read and written under the lock. A caller that frees a key in use is on its own (A3, \
             free-in-use).",
        )
        .without(&[
            "answered-then-freed",
            "handed-out-again-behind-a-reader",
            "answer-about-an-ungranted-key",
            "reads-during-a-write",
            "child-allocates",
        ]),
        quick: &[("child_calls", 0)],
        deep: &[("keys", 3), ("calls", 3), ("child_calls", 0)],
    },
    Variant {
        name: "locked-readers",
        what: "The code before the patch: pkey_get() and pkey_set() take mmap_sem for write around the check of the \
             map.",
        origin: "the code that the mail changes",
        compare_with: "posted",
        config: LOCKED_READERS,
        expect: Expect::holds(
            "The same claims hold, and answers are outdated at return just as well. What the lock does give: no \
             reader sees an allocation that is still under way (answer-about-an-ungranted-key is not reachable).",
        )
        .without(&[
            "answer-about-an-ungranted-key",
            "reads-during-a-write",
            "execute-only-memory",
            "execute-only-key-refused",
            "child-allocates",
        ]),
        quick: NO_MAPPING,
        deep: NO_MAPPING,
    },
    Variant {
        name: "read-locked-readers",
        what: "pkey_get() and pkey_set() take mmap_sem for read.",
        origin: "kverdict: down_read() in the readers",
        compare_with: "posted",
        config: Config { readers: Some(Hold::Read), ..POSTED },
        expect: Expect::holds(
            "All that the write lock gives to a reader, the read lock gives as well; readers no longer exclude each \
             other.",
        )
        .without(&[
            "answered-then-freed",
            "handed-out-again-behind-a-reader",
            "answer-about-an-ungranted-key",
            "reads-during-a-write",
            "double-free-refused",
        ]),
        quick: &[("calls", 1), ("mappings", 2), ("child_calls", 2)],
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "plain-rmw",
        what: "Plain |= and &= in place under the lock, with lockless readers beside it: one more load, then the \
             store.",
        origin: MAIL,
        compare_with: "posted",
        config: Config { update: Update::PlainRmw, ..POSTED },
        expect: Expect::holds(
            "On a machine that loads and stores whole words nothing goes wrong. By the memory model of the language \
             it is a data race, and what a compiler may make of a plain store is in invented-store and \
             bytewise-map-stores.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "same-allocation-claim",
        what: "As posted, with the claim that the answer 'allocated' is about an allocation that still lasts at \
             return.",
        origin: MAIL,
        compare_with: "posted",
        config: Config { claim: Claim::SameAllocation, pkru_may_fail: false, ..POSTED },
        expect: Expect::broken(
            &["same-allocation"],
            "Another thread frees the key between the reader's load and its return. The mail says so itself: the \
             answer only means that the key was allocated.",
        )
        .without(&[
            "answer-about-an-ungranted-key",
            "failed-allocation-undone",
            "execute-only-memory",
            "execute-only-key-refused",
            "child-allocates",
        ]),
        quick: TWO_KEYS,
        deep: NO_MAPPING,
    },
    Variant {
        name: "locked-readers-same-allocation-claim",
        what: "The code before the patch, with the same claim.",
        origin: MAIL,
        compare_with: "locked-readers",
        config: Config { claim: Claim::SameAllocation, pkru_may_fail: false, ..LOCKED_READERS },
        expect: Expect::broken(
            &["same-allocation"],
            "The lock is gone before the call returns, and PKRU is used after it: the lock does not help.",
        )
        .without(&[
            "answer-about-an-ungranted-key",
            "reads-during-a-write",
            "failed-allocation-undone",
            "execute-only-memory",
            "execute-only-key-refused",
            "child-allocates",
        ]),
        quick: TWO_KEYS,
        deep: NO_MAPPING,
    },
    Variant {
        name: "granted-claim",
        what: "As posted, with the claim that a key for which the answer is 'allocated' belonged to a caller at some \
             instant of the call.",
        origin: "kverdict: what the lock did give to a reader",
        compare_with: "posted",
        config: Config { claim: Claim::WasGranted, pkru_may_fail: false, ..POSTED },
        expect: Expect::broken(
            &["answered-key-was-granted"],
            "mprotect() sets the bit of a new execute-only key before it stores execute_only_pkey, and a lockless \
             reader comes in between: pkey_get() or pkey_set() succeeds on a key that only the kernel ever had. \
             Where PKRU cannot be set, a failing pkey_alloc() shows the same.",
        )
        .without(&[
            "answered-then-freed",
            "handed-out-again-behind-a-reader",
            "failed-allocation-undone",
            "double-free-refused",
        ]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "locked-readers-granted-claim",
        what: "The code before the patch, with the same claim.",
        origin: "kverdict: what the lock did give to a reader",
        compare_with: "locked-readers",
        config: Config { claim: Claim::WasGranted, ..LOCKED_READERS },
        expect: Expect::holds(
            "Whoever sets a bit and may have to take it back holds the lock until that is decided, and a reader \
             waits for it. So the answers are not quite the same with and without the lock.",
        )
        .without(&[
            "answered-then-freed",
            "handed-out-again-behind-a-reader",
            "answer-about-an-ungranted-key",
            "reads-during-a-write",
            "double-free-refused",
        ]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "lockless-writers",
        what: "pkey_alloc() and pkey_free() change the map with WRITE_ONCE() and without mmap_sem.",
        origin: MAIL,
        compare_with: "posted",
        config: Config { writers: Hold::No, ..POSTED },
        expect: Expect::broken(
            &[
                "no-lost-update",
                "no-double-allocation",
                "no-double-free",
                "calls-change-only-their-key",
                "mapped-keys-allocated",
                "no-aliasing",
                "execute-only-key-allocated",
            ],
            "Two threads load the same map; the second store undoes the first, and both may get the same key.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "cmpxchg-writers",
        what: "pkey_alloc() and pkey_free() change the map with compare-exchange in a loop and without mmap_sem.",
        origin: "asked for in the thread of the mail",
        compare_with: "cmpxchg-map-alone",
        config: COMPARE_EXCHANGE,
        expect: Expect::broken(
            &["no-double-free", "calls-change-only-their-key", "mapped-keys-allocated", "execute-only-key-allocated"],
            "No update of the map gets lost, and yet the lock did more: execute_only_pkey is another word, so that \
             pkey_free() may clear the bit of a key that has just become the execute-only key; and a bit that is to \
             be given back can be freed by others, or get onto a mapping, before that.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "cmpxchg-writers-without-execute-only",
        what: "The same, where no mapping is made execute-only.",
        origin: "kverdict: cmpxchg-writers, one of its two causes taken away",
        compare_with: "cmpxchg-map-alone",
        config: Config { execute_only_calls: false, ..COMPARE_EXCHANGE },
        expect: Expect::broken(
            &["calls-change-only-their-key", "mapped-keys-allocated"],
            "What is left is the key whose rights cannot be set (A4): its bit is there for everybody until it is \
             given back.",
        )
        .without(&[
            "handed-out-again-behind-a-reader",
            "execute-only-memory",
            "execute-only-key-refused",
            "double-free-refused",
        ]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "cmpxchg-writers-without-pkru-failure",
        what: "The same with execute-only mappings, where PKRU can always be set.",
        origin: "kverdict: cmpxchg-writers, the other cause taken away",
        compare_with: "cmpxchg-map-alone",
        config: Config { pkru_may_fail: false, ..COMPARE_EXCHANGE },
        expect: Expect::broken(
            &["mapped-keys-allocated", "execute-only-key-allocated"],
            "pkey_free() looks at execute_only_pkey while the key is free, and at the map when mprotect() has just \
             set the bit: it frees the key of execute-only memory.",
        )
        .without(&[
            "answered-then-freed",
            "handed-out-again-behind-a-reader",
            "failed-allocation-undone",
            "double-free-refused",
        ]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "cmpxchg-map-alone",
        what: "Compare-exchange without mmap_sem, no execute-only mappings, and PKRU can always be set: the map and \
             nothing else.",
        origin: "asked for in the thread of the mail",
        compare_with: "cmpxchg-map-alone",
        config: Config { execute_only_calls: false, pkru_may_fail: false, ..COMPARE_EXCHANGE },
        expect: Expect::holds(
            "For the map alone compare-exchange is enough, even if the map has been changed and changed back in \
             between: a free bit is a free bit.",
        )
        .without(&[
            "answer-about-an-ungranted-key",
            "failed-allocation-undone",
            "execute-only-memory",
            "execute-only-key-refused",
            "child-allocates",
        ]),
        quick: NO_MAPPING,
        deep: NO_MAPPING,
    },
    Variant {
        name: "bytewise-map",
        what: "The map is stored and loaded as two bytes, low byte first.",
        origin: MAIL,
        compare_with: "posted",
        config: Config { update: Update::TwoBytes, load: Load::TwoBytes, ..POSTED },
        expect: Expect::broken(
            &["no-torn-map"],
            "Between a reader's two loads a key of each byte changes: it has loaded a map that never was. No answer \
             is wrong for that: it depends on one bit, and one bit does not tear.",
        )
        .without(&["execute-only-memory", "execute-only-key-refused", "child-allocates"]),
        quick: NO_MAPPING,
        deep: NO_MAPPING,
    },
    Variant {
        name: "bytewise-map-loads",
        what: "The map is stored as a word and loaded as two bytes.",
        origin: "kverdict: bytewise-map, one half of it",
        compare_with: "posted",
        config: Config { load: Load::TwoBytes, ..POSTED },
        expect: Expect::broken(&["no-torn-map"], "It is the load that tears.").without(&[
            "execute-only-memory",
            "execute-only-key-refused",
            "child-allocates",
        ]),
        quick: NO_MAPPING,
        deep: NO_MAPPING,
    },
    Variant {
        name: "bytewise-map-stores",
        what: "The map is stored as two bytes and loaded as a word.",
        origin: "kverdict: bytewise-map, the other half",
        compare_with: "posted",
        config: Config { update: Update::TwoBytes, ..POSTED },
        expect: Expect::holds(
            "A change of the map is a change of one bit, so that one of the two stores changes nothing: there is no \
             state in between.",
        )
        .without(&["execute-only-memory", "execute-only-key-refused", "child-allocates"]),
        quick: NO_MAPPING,
        deep: NO_MAPPING,
    },
    Variant {
        name: "invented-store",
        what: "The map is stored plainly, and the compiler uses the word as scratch space first.",
        origin: "kverdict: what WRITE_ONCE() forbids and a plain store does not",
        compare_with: "posted",
        config: Config { update: Update::Invented, ..POSTED },
        expect: Expect::broken(
            &["no-torn-map", "answer-was-true"],
            "A lockless reader sees the scratch value and says that key 0 is not allocated.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "fork-resets-map",
        what: "The child of a fork keeps the map that init_new_context() has set: key 0 and nothing else.",
        origin: "mainline until 2019; powerpc had the same, fixed by 2cd4bd192ee9",
        compare_with: "mainline",
        config: Config { fork: Fork::Resets, ..POSTED },
        expect: Expect::broken(
            &[
                "no-lost-update",
                "no-double-allocation",
                "answer-was-true",
                "mapped-keys-allocated",
                "no-aliasing",
                "execute-only-hidden",
                "fork-copies",
            ],
            "The child has its parent's mappings with their keys, and gets the same keys from pkey_alloc() again.",
        )
        .without(&["handed-out-again-behind-a-reader", "map-full", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "key-zero-special",
        what: "Key 0 counts as not allocated.",
        origin: "58ab9a088dda, fixed by 2fa9d1cfaf0e",
        compare_with: "posted",
        config: Config { range_check: RangeCheck::WithoutZero, ..POSTED },
        expect: Expect::broken(
            &["answer-was-true"],
            "Every process has key 0 from the start: a call says no to a key that was allocated all the time, and a \
             mapping cannot go back to it.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "unchecked-key",
        what: "The bit of a key is tested without a look at its range.",
        origin: "the function in the mail, which has no check; fixed by 58ab9a088dda",
        compare_with: "posted",
        config: Config { range_check: RangeCheck::Missing, ..POSTED },
        expect: Expect::broken(
            &[
                "no-lost-update",
                "no-double-allocation",
                "answer-was-true",
                "calls-change-only-their-key",
                "mapped-keys-allocated",
                "no-aliasing",
                "execute-only-hidden",
                "execute-only-key-allocated",
                "fork-copies",
                "key-in-range",
            ],
            "A shift by 32 is a shift by 0 on x86: pkey_free(32) frees key 0, under everybody's stack.",
        )
        .without(&["handed-out-again-behind-a-reader"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "execute-only-visible",
        what: "mm_pkey_is_allocated() says yes to the execute-only key, and a mapping that becomes PROT_NONE keeps \
             it.",
        origin: "mainline until 2018, fixed by 0a0b152083cf",
        compare_with: "posted",
        config: Config { hides_execute_only: false, leaves_execute_only: LeaveExecuteOnly::ToReadWrite, ..POSTED },
        expect: Expect::broken(
            &[
                "answer-was-true",
                "mapping-as-asked",
                "mapped-keys-allocated",
                "no-aliasing",
                "execute-only-hidden",
                "execute-only-key-allocated",
            ],
            "Anybody can free the key of execute-only memory. And memory that was execute-only, then PROT_NONE, \
             then readable has a key that denies reading.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "execute-only-visible-to-callers",
        what: "Only the first half: mm_pkey_is_allocated() says yes to the execute-only key.",
        origin: "mainline until 2018, fixed by 0a0b152083cf",
        compare_with: "posted",
        config: Config { hides_execute_only: false, ..POSTED },
        expect: Expect::broken(
            &[
                "answer-was-true",
                "mapped-keys-allocated",
                "no-aliasing",
                "execute-only-hidden",
                "execute-only-key-allocated",
            ],
            "Anybody can free the key of execute-only memory, or put it on other memory.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "execute-only-visible-on-mappings",
        what: "Only the second half: a mapping leaves the execute-only key when it becomes readable or writable, but \
             not for PROT_NONE.",
        origin: "mainline until 2018, fixed by 0a0b152083cf",
        compare_with: "posted",
        config: Config { leaves_execute_only: LeaveExecuteOnly::ToReadWrite, ..POSTED },
        expect: Expect::broken(
            &["mapping-as-asked", "execute-only-hidden"],
            "The mapping is not execute-only any more and has the key; from PROT_NONE nothing takes it away again.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "free-in-use",
        what: "Callers free keys that mappings still have, key 0 included: assumption A3 is dropped.",
        origin: "the documented behaviour of pkey_free()",
        compare_with: "posted",
        config: Config { callers: Callers::FreeInUse, ..POSTED },
        expect: Expect::broken(
            &["mapped-keys-allocated", "no-aliasing", "execute-only-hidden"],
            "By design: pkey_free() does not look for mappings, and the next owner of the key, execute-only memory \
             included, decides about memory that it does not know.",
        )
        .without(&["handed-out-again-behind-a-reader"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "failed-alloc-keeps-bit",
        what: "pkey_alloc() does not give the key back if its rights cannot be set.",
        origin: "kverdict: step A7 left out",
        compare_with: "posted",
        config: Config { undoes_alloc: false, ..POSTED },
        expect: Expect::broken(
            &["calls-change-only-their-key"],
            "The caller is told that it has no key, and the bit stays set for good.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "lock-dropped-in-between",
        what: "pkey_alloc() lets go of mmap_sem between the load and the store of the map, and takes it again.",
        origin: "kverdict: two added lines",
        compare_with: "posted",
        config: Config { gap: true, ..POSTED },
        expect: Expect::broken(
            &[
                "no-lost-update",
                "no-double-allocation",
                "calls-change-only-their-key",
                "mapped-keys-allocated",
                "no-aliasing",
                "execute-only-key-allocated",
            ],
            "Every access is made under the lock, and the map that is stored is an old one.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "writers-lock-for-read",
        what: "pkey_alloc() and pkey_free() take mmap_sem for read.",
        origin: "kverdict: down_read() for down_write()",
        compare_with: "posted",
        config: Config { writers: Hold::Read, ..POSTED },
        expect: Expect::broken(
            &["no-lost-update", "no-double-allocation", "no-double-free", "calls-change-only-their-key"],
            "Two writers hold the lock together: as bad as none. Only mprotect() and fork, which take it for write, \
             are safe from them.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "free-unchecked",
        what: "pkey_free() does not test the key's bit.",
        origin: "kverdict: a check left out",
        compare_with: "posted",
        config: Config { free_checks: false, ..POSTED },
        expect: Expect::broken(
            &[
                "no-lost-update",
                "no-double-free",
                "answer-was-true",
                "calls-change-only-their-key",
                "execute-only-hidden",
            ],
            "A second free of the same key succeeds, and takes it from its next owner.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "alloc-picks-next",
        what: "pkey_alloc() counts bits from one, as ffs() does: it takes the key after the first free one.",
        origin: "kverdict: ffs() for ffz()",
        compare_with: "posted",
        config: Config { pick: Pick::OneTooHigh, ..POSTED },
        expect: Expect::broken(
            &[
                "no-lost-update",
                "no-double-allocation",
                "answer-was-true",
                "calls-change-only-their-key",
                "mapped-keys-allocated",
                "no-aliasing",
                "execute-only-hidden",
                "execute-only-key-allocated",
            ],
            "The key may have an owner, or not exist.",
        )
        .without(&["handed-out-again-behind-a-reader", "map-full", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "alloc-keeps-pkru",
        what: "pkey_alloc() does not set PKRU.",
        origin: "kverdict: step A6 left out",
        compare_with: "posted",
        config: Config { alloc_sets_pkru: false, ..POSTED },
        expect: Expect::broken(
            &["rights-as-asked"],
            "The thread has whatever rights it had to the key's former memory, and not those that it asked for.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "execute-only-undo-always",
        what: "If PKRU cannot be set, __execute_only_pkey() frees the execute-only key even if it was not allocated \
             just now.",
        origin: "arch/x86/mm/pkeys.c, __execute_only_pkey(): mm_set_pkey_free() does not ask for need_to_set_mm_pkey",
        compare_with: "mainline",
        config: Config { undoes_only_fresh: false, ..POSTED },
        expect: Expect::broken(
            &["mapped-keys-allocated", "execute-only-key-allocated"],
            "execute_only_pkey and the mappings keep a key that is free. This is mainline's text; it does no harm \
             there as long as PKRU can always be set (A4).",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "execute-only-stored-first",
        what: "execute_only_pkey is stored before PKRU denies access.",
        origin: "kverdict: two steps swapped",
        compare_with: "posted",
        config: Config { execute_only_order: ExecuteOnlyOrder::StoreFirst, ..POSTED },
        expect: Expect::broken(
            &["mapped-keys-allocated", "execute-only-key-allocated"],
            "If PKRU cannot be set, the bit is given back and execute_only_pkey stays.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "fork-forgets-execute-only",
        what: "fork copies the map and not execute_only_pkey.",
        origin: "kverdict: a line of arch_dup_pkeys() left out",
        compare_with: "posted",
        config: Config { fork: Fork::CopiesMapOnly, ..POSTED },
        expect: Expect::broken(
            &["fork-copies"],
            "The child's execute-only memory has a key that the child takes for an ordinary one.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "fork-without-lock",
        what: "fork copies map and execute_only_pkey without the parent's mmap_sem.",
        origin: "kverdict: the lock left out",
        compare_with: "posted",
        config: Config { fork: Fork::CopiesUnlocked, ..POSTED },
        expect: Expect::broken(
            &["mapped-keys-allocated", "execute-only-key-allocated"],
            "The map is copied before, execute_only_pkey after another thread has made its first mapping \
             execute-only.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "execute-only-trusts-pkru",
        what: "__execute_only_pkey() returns the key that it has without a look at PKRU.",
        origin: "kverdict: a condition left out",
        compare_with: "posted",
        config: Config { looks_at_pkru: false, ..POSTED },
        expect: Expect::broken(
            &["execute-only-denied"],
            "A thread that has given itself the rights, or never lost them, makes memory execute-only and reads it.",
        )
        .without(&["handed-out-again-behind-a-reader", "double-free-refused"]),
        quick: ONE_CALL,
        deep: ONE_CALL_DEEP,
    },
    Variant {
        name: "full-map-keeps-lock",
        what: "pkey_alloc() returns straight away when the map is full, past the line that lets go of mmap_sem.",
        origin: "kverdict: return for goto out",
        compare_with: "posted",
        config: Config { unlocks_when_full: false, ..POSTED },
        expect: Expect::broken(
            &["lock-held-where-needed", "no-deadlock"],
            "Everybody who wants mmap_sem after that waits forever.",
        )
        .without(&["execute-only-memory", "execute-only-key-refused", "child-allocates"]),
        quick: TWO_KEYS,
        deep: &[("keys", 3), ("mappings", 0), ("child_calls", 0)],
    },
];

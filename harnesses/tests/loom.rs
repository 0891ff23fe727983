//! One test for each loom scenario, named after the race. Each asserts the verdict, the property's text, and the exact
//! set of outcomes; a run without executions fails.

use harnesses::scenario::{LoomRun, Scenario};
use harnesses::scenarios::primitives::LITMUS;
use harnesses::scenarios::scenarios;
use std::collections::BTreeSet;

fn assert_as_expected(all: &[Scenario], mechanism: &str, variant: &str) {
    let scenario = all.iter().find(|s| (s.mechanism, s.variant) == (mechanism, variant));
    let scenario = scenario.unwrap_or_else(|| panic!("no scenario {mechanism}/{variant}"));
    let run = scenario.run();
    if let Err(difference) = scenario.judge(&run) {
        panic!("{mechanism}/{variant}, {} executions: {difference}", run.executions);
    }
}

macro_rules! tests {
    ($($module:ident, $all:expr, $mechanism:literal: $($test:ident $variant:literal,)*;)*) => {
        $(mod $module {
            use super::*;
            $(#[test]
            fn $test() {
                assert_as_expected($all, $mechanism, $variant);
            })*
        })*
        const TESTED: &[(&str, &str)] = &[$($(($mechanism, $variant),)*)*];
    };
}

tests! {
    io_bitmap, scenarios(), "io-bitmap":
        drop_last_reference "drop-last-reference",
        drop_while_changed "drop-while-changed",
        drop_release_acquire "drop-release-acquire",
        drop_relaxed "drop-relaxed",
        drop_load_store "drop-load-store",
        count_read_relaxed "count-read-relaxed",
        drop_then_copy "drop-then-copy",
        free_first "free-first",
        writes_shared "writes-shared",
        migrate_runqueue_lock "migrate-runqueue-lock",
        migrate_on_cpu "migrate-on-cpu",
        migrate_unordered "migrate-unordered",
        sequence_unique "sequence-unique",
        sequence_load_store "sequence-load-store",
        sequence_plain "sequence-plain",
        remote_copy_release "remote-copy-release",
        remote_copy_once "remote-copy-once",
        remote_copy_sequence_first "remote-copy-sequence-first",
        remote_copy_in_place "remote-copy-in-place",
        remote_copy_recheck "remote-copy-recheck",
        remote_copy_recheck_unordered "remote-copy-recheck-unordered",
    ;
    iommu_flush, scenarios(), "iommu-flush":
        bind_both_barriers "bind-both-barriers",
        bind_flusher_barrier "bind-flusher-barrier",
        bind_binder_barrier "bind-binder-barrier",
        bind_no_barrier "bind-no-barrier",
        users_check "users-check",
        users_check_unordered "users-check-unordered",
        publish_assign "publish-assign",
        publish_once "publish-once",
        publish_once_marked "publish-once-marked",
        publish_control "publish-control",
        publish_plain "publish-plain",
        never_cleared "never-cleared",
        no_rcu_builtin_frees_data "no-rcu-builtin-frees-data",
        grace_period "grace-period",
        grace_period_two_flushers "grace-period-two-flushers",
        no_grace_period "no-grace-period",
        grace_period_too_early "grace-period-too-early",
        no_read_lock "no-read-lock",
        use_after_unlock "use-after-unlock",
        rebind_locked "rebind-locked",
        rebind_lockless "rebind-lockless",
        double_fetch "double-fetch",
        invalidate_then_free "invalidate-then-free",
        invalidate_then_free_dma "invalidate-then-free-dma",
        free_after_submit "free-after-submit",
        free_before_call "free-before-call",
    ;
    ldt, scenarios(), "ldt":
        publish_release "publish-release",
        publish_once "publish-once",
        publish_once_marked "publish-once-marked",
        publish_relaxed_load "publish-relaxed-load",
        publish_plain_writer "publish-plain-writer",
        publish_plain_reader "publish-plain-reader",
        slot_after_publish "slot-after-publish",
        free_after_acknowledge "free-after-acknowledge",
        free_before_acknowledge "free-before-acknowledge",
        free_without_wait "free-without-wait",
        interrupt_before_publish "interrupt-before-publish",
        unmap_before_interrupt "unmap-before-interrupt",
        walk_any_time "walk-any-time",
        flush_before_clear "flush-before-clear",
        unmap_no_flush "unmap-no-flush",
        cpumask_both_barriers "cpumask-both-barriers",
        cpumask_install_barrier "cpumask-install-barrier",
        cpumask_switch_barrier "cpumask-switch-barrier",
        cpumask_no_barrier "cpumask-no-barrier",
        switch_interrupts_off "switch-interrupts-off",
        switch_interrupts_on "switch-interrupts-on",
        speculate_old_slot "speculate-old-slot",
        speculate_new_slot "speculate-new-slot",
        entry_once "entry-once",
        switch_back_while_flushed "switch-back-while-flushed",
        switch_back_flush_unordered "switch-back-flush-unordered",
        switch_back_switch_unordered "switch-back-switch-unordered",
        switch_back_and_walk "switch-back-and-walk",
        switch_back_and_walk_unordered "switch-back-and-walk-unordered",
        two_calls "two-calls",
        two_calls_without_lock "two-calls-without-lock",
        fork_copy_locked "fork-copy-locked",
        fork_copy_lockless "fork-copy-lockless",
    ;
    pkeys, scenarios(), "pkeys":
        locked_writers "locked-writers",
        locked_reader "locked-reader",
        locked_allocation "locked-allocation",
        lockless_allocation "lockless-allocation",
        locked_alloc_and_free "locked-alloc-and-free",
        lockless_writers "lockless-writers",
        cmpxchg_writers "cmpxchg-writers",
        cmpxchg_alloc_and_free "cmpxchg-alloc-and-free",
        cmpxchg_unchecked "cmpxchg-unchecked",
        plain_writer "plain-writer",
        plain_writer_locked_reader "plain-writer-locked-reader",
        plain_writer_lockless "plain-writer-lockless",
        whole_map "whole-map",
        bytewise_map "bytewise-map",
        told_in_order "told-in-order",
        stale_after_free "stale-after-free",
        execute_only_unordered "execute-only-unordered",
        execute_only_ordered "execute-only-ordered",
        execute_only_order_without_release "execute-only-order-without-release",
        fork_copies_locked "fork-copies-locked",
        fork_copies_lockless "fork-copies-lockless",
    ;
    primitives, LITMUS, "primitives":
        message_once "message-once",
        message_release_only "message-release-only",
        message_acquire_only "message-acquire-only",
        message_release_acquire "message-release-acquire",
        message_acquire_before_change "message-acquire-before-change",
        message_rcu "message-rcu",
        message_wmb_only "message-wmb-only",
        message_rmb_only "message-rmb-only",
        message_wmb_rmb "message-wmb-rmb",
        message_add_release_only "message-add-release-only",
        message_add_acquire_only "message-add-acquire-only",
        message_add_release_acquire "message-add-release-acquire",
        buffering_none "buffering-none",
        buffering_one "buffering-one",
        buffering_smp_mb "buffering-smp-mb",
        buffering_before_atomic_relaxed "buffering-before-atomic-relaxed",
        buffering_before_atomic "buffering-before-atomic",
        buffering_behind_atomic_relaxed "buffering-behind-atomic-relaxed",
        buffering_behind_atomic "buffering-behind-atomic",
        increment_apart "increment-apart",
        increment_atomic "increment-atomic",
        increment_add "increment-add",
        increment_refcount "increment-refcount",
        decrement_apart "decrement-apart",
        decrement_atomic "decrement-atomic",
        increment_cmpxchg "increment-cmpxchg",
        bits_apart "bits-apart",
        bits_atomic "bits-atomic",
        plain_unlocked "plain-unlocked",
        plain_locked "plain-locked",
        last_reference_relaxed "last-reference-relaxed",
        last_reference "last-reference",
        read_after_free "read-after-free",
        write_after_free "write-after-free",
        free_after_free "free-after-free",
        reclaim_at_once "reclaim-at-once",
        reclaim_no_section "reclaim-no-section",
        reclaim_grace_period "reclaim-grace-period",
        reclaim_interrupt_with_wait "reclaim-interrupt-with-wait",
        locked_load_loses_outcomes "locked-load-loses-outcomes",
        read_once_locked "read-once-locked",
    ;
}

#[test]
fn every_scenario_has_a_test() {
    let listed: BTreeSet<_> = scenarios().iter().chain(LITMUS).map(|s| (s.mechanism, s.variant)).collect();
    assert_eq!(listed, TESTED.iter().copied().collect());
    assert_eq!(listed.len(), scenarios().len() + LITMUS.len(), "two scenarios have one name");
}

/// A primitive that no litmus test uses is a gap in the list above.
#[test]
fn every_primitive_has_a_litmus_test() {
    let primitives = include_str!("../src/port/primitives.rs");
    let litmus_tests = include_str!("../src/scenarios/primitives.rs");
    let names = primitives.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split_once(['(', '<']));
    let names: BTreeSet<&str> = names.map(|(name, _)| name).collect();
    assert!(names.len() >= 30, "{names:?}");
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: BTreeSet<&str> = litmus_tests.split(|c| !is_word(c)).collect();
    // An object before its allocation, and a CPU that is not in a section: the scenarios of ldt are their tests.
    let elsewhere = BTreeSet::from(["allocate", "off", "unallocated"]);
    assert_eq!(names.difference(&words).copied().collect::<BTreeSet<_>>(), elsewhere);
}

/// A run that did not happen is not one that holds.
#[test]
fn a_run_without_executions_is_refused() {
    let scenario = &scenarios()[0];
    let outcomes = scenario.outcomes.iter().map(ToString::to_string).collect();
    let run = LoomRun { executions: 0, outcomes, complete: true, panic: None, bounded: None };
    assert_eq!(scenario.judge(&run), Err("nothing was executed".to_string()));
}

/// Neither is one that saw too little: loom is known to lose interleavings.
#[test]
fn a_run_that_misses_an_outcome_is_refused() {
    let scenario = scenarios().iter().find(|s| s.variant == "locked-writers").unwrap();
    let mut run = scenario.run();
    assert_eq!(scenario.judge(&run), Ok(()));
    let lost = run.outcomes.pop_first().unwrap();
    let difference = scenario.judge(&run).unwrap_err();
    assert!(difference.contains("not seen") && difference.contains(&lost), "{difference}");
}

/// At least twenty versions are caught, in each mechanism some, each with the text of its property.
#[test]
fn the_broken_versions_are_many() {
    use harnesses::scenario::Expected;
    for mechanism in ["io-bitmap", "iommu-flush", "ldt", "pkeys"] {
        let of_it = scenarios().iter().filter(|s| s.mechanism == mechanism);
        let broken = of_it.filter(|s| matches!(s.expected, Expected::Broken(text) if text.contains(": "))).count();
        assert!(broken >= 5, "{mechanism}: {broken}");
    }
}

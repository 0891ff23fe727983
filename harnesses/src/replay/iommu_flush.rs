//! The record of iommu-flush. The labels are the model's acts, which are finer than its kinds of step.
//!
//! A recorded port has no store buffers. So the model lets its stores drain after each step, at once or later, until
//! its memory shows what the port's does.

use super::{Rules, machine_at};
use crate::event::{Event, Seen};
use crate::over_std::iommu_flush::DEVICE;
use models::iommu_flush::hardware::{Level, Use, frame_of};
use models::iommu_flush::{IommuFlush, State, Step};

/// One flusher, one binder, one area, one IOMMU.
#[derive(Debug)]
pub struct IommuFlushRules;

impl Rules for IommuFlushRules {
    type M = IommuFlush;

    fn machine() -> IommuFlush {
        machine_at("rcu", &[("flushers", 1), ("binders", 1), ("areas", 1), ("iommus", 1), ("binds", 3)])
    }

    fn is_step(_: &IommuFlush, _: &State, step: Step, _: &State, event: &Event) -> bool {
        let (actor, label) = match step {
            Step::Begin { flusher, level: Level::Data, .. } => (flusher, "F0ClearEntry".to_string()),
            Step::Bind { .. } | Step::Unbind { .. } => (2, "MutexLock".to_string()),
            Step::Go { thread, act } => (thread, format!("{act:?}")),
            Step::D6Invalidate { thread } => (thread, "D6Invalidate".to_string()),
            Step::Device { act, .. } => {
                let act = format!("{act:?}");
                (DEVICE, act.split('(').next().unwrap_or_default().to_string())
            }
            _ => return false,
        };
        actor == event.actor && label == event.label
    }

    fn seen(_: &IommuFlush, state: &State) -> Seen {
        let hardware = &state.hardware;
        let iommu = &hardware.iommus[0];
        vec![
            ("pte", hardware.pte.has(0).into()),
            ("page allocated", (hardware.uses[frame_of(0, Level::Data)] == Use::Data).into()),
            ("pointer", state.pointer.into()),
            ("users", (!state.users.is_empty()).into()),
            ("text", state.text.into()),
            ("data", state.data.into()),
            ("PASID entry", iommu.entry.into()),
            ("device works", iommu.working.into()),
            ("IOTLB", iommu.leaf.has(0).into()),
        ]
    }

    fn is_internal(step: Step) -> bool {
        matches!(step, Step::K0Build | Step::M1DrainStore { .. })
    }
}

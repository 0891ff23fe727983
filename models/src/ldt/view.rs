//! What a person reads.
use super::*;

pub(super) fn describe(_m: &Ldt, _s: &State, step: Step) -> String {
    format!("{step:?}")
}

pub(super) fn view(m: &Ldt, s: &State) -> Vec<Panel> {
    let mut panels = Vec::new();
    for c in 0..m.cpus {
        let cpu = &s.cpus[c as usize];
        panels.push(Panel::of_lane(format!("CPU {c}"), c as usize).row("state", format!("{cpu:?}")));
    }
    for t in 0..m.threads {
        panels.push(
            Panel::of_lane(format!("thread {t}"), (m.cpus + t) as usize)
                .row("state", format!("{:?}", s.threads[t as usize])),
        );
    }
    panels.push(
        Panel::shared("mm")
            .row("mm", format!("{:?} {:?} {:?} {:?} {:?}", s.mm, s.mask, s.usr_sem, s.lock, s.table_lock)),
    );
    panels.push(
        Panel::shared("memory")
            .row("ldts", format!("{:?}", s.memory.ldts))
            .row("frames", format!("{:?}", s.memory.frames)),
    );
    panels
}

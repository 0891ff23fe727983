//! Temporary.
mod changes;
use std::path::Path;
use kverdict::lkmm;
#[test]
fn survivors() {
    let settings = lkmm::Settings::from_environment(Path::new(env!("CARGO_MANIFEST_DIR")));
    let setup = lkmm::find(&settings).unwrap().unwrap();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("changes");
    let mut n = 0; let mut all = vec![]; let mut ids = vec![];
    for f in std::fs::read_dir(settings.tests_folder()).unwrap() {
        let path = f.unwrap().path();
        if path.extension().is_none_or(|e| e != "litmus") { continue; }
        let text = std::fs::read_to_string(&path).unwrap();
        // baseline outcomes
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        let d0 = dir.join("base"); std::fs::create_dir_all(&d0).unwrap();
        for c in std::iter::once(("BASE".to_string(), text.clone())).chain(changes::changes(&text).into_iter().map(|c| (c.id(), c.text))) {
            n += 1;
            let d = dir.join(n.to_string()); std::fs::create_dir_all(&d).unwrap();
            let p = d.join(format!("{stem}.litmus"));
            // dummy outcomes to parse
            let t = if c.1.contains(" * Outcomes") { c.1.clone() } else {
                c.1.replacen(" *)\n", " * Outcomes: 1:r0=0;\n *)\n", 1) };
            std::fs::write(&p, &t).unwrap();
            all.push(lkmm::LitmusTest::parse(&p, &t).unwrap_or_else(|e| panic!("{stem} {}: {e}", c.0)));
            ids.push(c.0);
        }
    }
    let t0 = std::time::Instant::now();
    let rs = setup.judge(&all);
    eprintln!("{} runs in {:?}", rs.len(), t0.elapsed());
    let mut base = None;
    for (id, r) in ids.iter().zip(&rs) {
        let o = match &r.observed { Ok(o) => o, Err(e) => { println!("FAIL {} {id}: {e}", r.test.name); continue } };
        if id == "BASE" { base = Some(o.verdict.clone());
            println!("BASE\t{}\t{}", r.test.name, o.verdict.outcomes.iter().cloned().collect::<Vec<_>>().join("|"));
        } else if base.as_ref() == Some(&o.verdict) { println!("SAME\t{}\t{id}", r.test.name); }
    }
}

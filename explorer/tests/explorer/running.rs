//! What the tests share: a catalogue with every machine of the models and the arithmetic, a machine whose step
//! panics, and a client inside the process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use explorer::{Arithmetic, Catalogue, Limits, Mechanism, Pinned, PinnedProperty, Variant, router, walkable};
use models::machine::{Expect, Machine, Panel, Parameter, Property, Size, StepKind};
use models::words;
use reports::baseline::Baseline;
use tower::ServiceExt;

/// Where the server under test says it listens.
pub const HOST: &str = "127.0.0.1:3000";

/// The five mechanisms with all of their machines, the machine that panics, and words that are markup.
pub fn catalogue() -> Catalogue {
    let iova = models::iova_bitmap::VARIANTS.iter().map(|v| Variant {
        arithmetic: Some(Arithmetic(v)),
        ..described(v.name, v.what, v.origin, v.compare_with, v.expect)
    });
    let ldt = [
        modelled::<models::ldt::Ldt>(),
        modelled::<models::ldt::fork::LdtFork>(),
        modelled::<models::ldt::clear_asid::ClearAsid>(),
    ];
    let iommu =
        [modelled::<models::iommu_flush::IommuFlush>(), modelled::<models::iommu_flush::deferred::DeferredFree>()];
    let faulty = words::Words { name: "faulty", title: "a counter", question: "Is it right?", source: "nowhere.c" };
    let mechanisms = vec![
        mechanism(words::IO_BITMAP, modelled::<models::io_bitmap::IoBitmap>()),
        mechanism(words::LDT, ldt.into_iter().flatten().collect()),
        mechanism(words::IOMMU_FLUSH, iommu.into_iter().flatten().collect()),
        mechanism(words::PKEYS, modelled::<models::pkeys::Pkeys>()),
        mechanism(words::IOVA_BITMAP, iova.collect()),
        mechanism(faulty, variants::<Faulty>()),
        Mechanism {
            name: "markup".to_string(),
            title: "<script>alert(1)</script>".to_string(),
            question: "Is \"everything\" escaped & shown?".to_string(),
            source: "nowhere.c".to_string(),
            assumptions: vec!["A1: none".to_string()],
            variants: vec![variant_without_states()],
        },
    ];
    Catalogue { mechanisms, start: Some(("faulty".to_string(), "posted".to_string())) }
}

fn described(name: &str, what: &str, origin: &str, compare_with: &str, expect: Expect) -> Variant {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
    Variant {
        name: name.to_string(),
        what: what.to_string(),
        origin: origin.to_string(),
        compare_with: compare_with.to_string(),
        expected_broken: owned(expect.broken),
        expected_unseen: owned(expect.unseen),
        why: expect.why.to_string(),
        walk: None,
        arithmetic: None,
        pinned: None,
    }
}

fn variant_without_states() -> Variant {
    let expect = Expect::holds("<b>because");
    let mut variant = described("index", "an <img src=x onerror=alert(1)> in words", "kverdict", "index", expect);
    // What an earlier run found is escaped as well.
    variant.pinned = Some(Pinned {
        engine: "<b>engine".to_string(),
        size: String::new(),
        count: 7,
        properties: vec![PinnedProperty { name: "<b>name".to_string(), verdict: "BROKEN".to_string(), length: None }],
    });
    variant
}

/// The variants of a machine of the models at size quick; the walks are compiled elsewhere.
fn modelled<M: Machine>() -> Vec<Variant> {
    let subjects = subjects::of_mechanism(M::MECHANISM);
    let variant = |v: &'static models::machine::Variant<M::Config>| {
        let subject = subjects.iter().find(|subject| subject.name() == v.name).expect("one of its mechanism");
        Variant {
            walk: Some(subject.walkable(subject.quick())),
            ..described(v.name, v.what, v.origin, v.compare_with, v.expect)
        }
    };
    M::VARIANTS.iter().map(variant).collect()
}

/// A machine's variants at size quick.
fn variants<M: Machine>() -> Vec<Variant> {
    let variant = |v: &'static models::machine::Variant<M::Config>| Variant {
        walk: Some(walkable::<M>(v, Size::quick(M::PARAMETERS, v))),
        ..described(v.name, v.what, v.origin, v.compare_with, v.expect)
    };
    M::VARIANTS.iter().map(variant).collect()
}

/// A mechanism in words, with the verdicts of the committed run.
pub fn mechanism(words: words::Words, mut variants: Vec<Variant>) -> Mechanism {
    let baseline = Baseline::from_json(include_str!("../../../reports/baseline.json")).expect("it is read");
    for variant in &mut variants {
        variant.pinned = Pinned::of(&baseline, words.name, &variant.name);
    }
    Mechanism {
        name: words.name.to_string(),
        title: words.title.to_string(),
        question: words.question.to_string(),
        source: words.source.to_string(),
        assumptions: vec!["A1: `kverdict list` has the assumptions of the model.".to_string()],
        variants,
    }
}

/// A counter that breaks at three; the step from four panics, and so does the view of seven.
#[derive(Clone, Debug)]
pub struct Faulty {
    limit: u8,
    panics: bool,
}

/// The switch of [`Faulty`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    panics: bool,
}

/// The steps of [`Faulty`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    One,
    Three,
    Never,
}

impl Machine for Faulty {
    type State = u8;
    type Step = Count;
    type Config = Switches;

    const MECHANISM: &'static str = "faulty";
    const VARIANTS: &'static [models::machine::Variant<Switches>] = &[
        models::machine::Variant {
            name: "posted",
            what: "a counter whose step from four panics",
            origin: "kverdict",
            compare_with: "sound",
            config: Switches { panics: true },
            expect: Expect::broken(&["not-three"], "it is a counter"),
            quick: &[],
            deep: &[],
        },
        models::machine::Variant {
            name: "sound",
            what: "a counter",
            origin: "kverdict",
            compare_with: "sound",
            config: Switches { panics: false },
            expect: Expect::broken(&["not-three"], "it is a counter"),
            quick: &[],
            deep: &[],
        },
    ];
    const PARAMETERS: &'static [Parameter] =
        &[Parameter { name: "limit", says: "highest count", min: 1, max: 9, quick: 9, deep: 9 }];
    const PROPERTIES: &'static [Property<Self>] = &[
        Property::always("not-three", "somebody counts to three", |_, state| *state != 3),
        Property::sometimes("two", "the count is two", |_, state| *state == 2),
    ];
    const KINDS: &'static [StepKind] =
        &[StepKind::new("One", "counts one", "count()"), StepKind::new("Three", "counts three", "count()")];

    fn new(config: Switches, size: Size) -> Self {
        Self { limit: size.get(0), panics: config.panics }
    }
    fn initial_states(&self) -> Vec<u8> {
        vec![0]
    }
    fn steps(&self, _: &u8, out: &mut Vec<Count>) {
        out.extend(self.every_step());
    }
    fn every_step(&self) -> Vec<Count> {
        vec![Count::One, Count::Never, Count::Three]
    }
    fn step(&self, state: &u8, step: Count) -> Option<u8> {
        let add = match step {
            Count::One => 1,
            Count::Three => 3,
            Count::Never => return None,
        };
        assert!(!(self.panics && *state == 4), "four is too much");
        Some(state + add).filter(|next| *next <= self.limit)
    }
    fn is_final(&self, state: &u8) -> bool {
        *state == self.limit
    }
    fn kind(&self, step: Count) -> usize {
        usize::from(step == Count::Three)
    }
    fn kind_is_used(&self, _: usize) -> bool {
        true
    }
    fn lanes(&self) -> Vec<String> {
        vec!["counter <b>".to_string()]
    }
    fn lane(&self, _: &u8, _: Count) -> usize {
        0
    }
    fn describe(&self, state: &u8, step: Count) -> String {
        format!("counts {step:?} from {state} <i>")
    }
    fn view(&self, state: &u8) -> Vec<Panel> {
        assert!(!(self.panics && *state == 7), "seven cannot be shown");
        vec![Panel::of_lane("counter", 0).row("count", state), Panel::shared("<u>limit</u>").row("limit", self.limit)]
    }
}

/// The server with this catalogue.
pub fn server() -> Router {
    router(catalogue(), Limits::default(), HOST.parse().expect("an address"))
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub text: String,
}

/// Sends a request to the server inside the process.
pub async fn send(server: &Router, request: Request<Body>) -> Answer {
    let response = server.clone().oneshot(request).await.expect("a router always answers");
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 64 << 20).await.expect("the body is in memory");
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// Asks for a page.
pub async fn get(server: &Router, path: &str) -> Answer {
    send(server, Request::get(path).header("host", HOST).body(Body::empty()).expect("a request")).await
}

/// Sends a form.
pub async fn post(server: &Router, path: &str) -> Answer {
    let request = Request::post(path).header("host", HOST).header("origin", format!("http://{HOST}"));
    send(server, request.body(Body::empty()).expect("a request")).await
}

//! Servers that each keep their own copy of a register, and clients that write and then read it: an actor
//! model, linearizable with one server only.

use std::borrow::Cow;

use stateright::Expectation;
use stateright::actor::register::{RegisterActor, RegisterMsg};
use stateright::actor::{Actor, ActorModel, Id, Network, Out};
use stateright::semantics::LinearizabilityTester;
use stateright::semantics::register::Register;

const NOTHING: char = '\0';

/// Answers every request from its own copy.
#[derive(Clone)]
pub struct Server;

impl Actor for Server {
    type Msg = RegisterMsg<u64, char, ()>;
    type State = char;
    type Timer = ();
    type Random = ();
    type Storage = ();

    fn on_start(&self, _: Id, _: &Option<()>, _: &mut Out<Self>) -> char {
        NOTHING
    }

    fn on_msg(&self, _: Id, copy: &mut Cow<'_, char>, from: Id, message: Self::Msg, out: &mut Out<Self>) {
        match message {
            RegisterMsg::Put(request, value) => {
                *copy.to_mut() = value;
                out.send(from, RegisterMsg::PutOk(request));
            }
            RegisterMsg::Get(request) => out.send(from, RegisterMsg::GetOk(request, **copy)),
            RegisterMsg::PutOk(_) | RegisterMsg::GetOk(..) | RegisterMsg::Internal(()) => {}
        }
    }
}

/// What clients saw, for the check of linearizability.
type History = LinearizabilityTester<Id, Register<char>>;

pub fn model(servers: usize, clients: usize) -> ActorModel<RegisterActor<Server>, (), History> {
    ActorModel::new((), LinearizabilityTester::new(Register(NOTHING)))
        .actors((0..servers).map(|_| RegisterActor::Server(Server)))
        .actors((0..clients).map(|_| RegisterActor::Client { put_count: 1, server_count: servers }))
        .init_network(Network::new_unordered_nonduplicating([]))
        .record_msg_in(RegisterMsg::record_returns)
        .record_msg_out(RegisterMsg::record_invocations)
        .property(Expectation::Always, "linearizable", |_, state| state.history.serialized_history().is_some())
        .property(Expectation::Sometimes, "value-read", |_, state| {
            let reads = |message: &RegisterMsg<u64, char, ()>| {
                matches!(message, RegisterMsg::GetOk(_, value) if *value != NOTHING)
            };
            state.network.iter_deliverable().any(|envelope| reads(envelope.msg))
        })
}

//! The whole of Vedette on the real components: its services as processes of their own, a real nats-server, real search
//! engines, a real Alertmanager, a real kube-apiserver. What must come out was counted by `oracle/expect.py`, which
//! shares no code with the product.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a panic is how a failure is reported"
)]

mod alerts;
mod apiserver;
mod chaos;
mod console;
mod incidents;
mod operator;
mod oracle;
mod pipeline;
mod sample;
mod sender;
mod stack;
mod store;
mod traces;

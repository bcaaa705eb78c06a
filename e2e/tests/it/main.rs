//! The whole of Vedette on the real components: its services as processes of their own, a real nats-server, real search
//! engines, a real Alertmanager, a real kube-apiserver. What must come out was counted by `oracle/expect.py`, which
//! shares no code with the product.

mod alerts;
mod oracle;
mod sample;
mod sender;
mod store;

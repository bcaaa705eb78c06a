//! The alerter on a real nats-server, with a real Alertmanager and with receivers that misbehave.

mod it {
    pub mod alertmanager;
    pub mod broker;
    pub mod faults;
    pub mod hook;
    pub mod rig;
}

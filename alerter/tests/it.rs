//! The alerter on a real nats-server, with a real Alertmanager and with receivers that misbehave.

#[cfg(test)]
mod it {
    pub(crate) mod alertmanager;
    pub(crate) mod broker;
    pub(crate) mod faults;
    pub(crate) mod hook;
    pub(crate) mod logged;
    pub(crate) mod rig;
}

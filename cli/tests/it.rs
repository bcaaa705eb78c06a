//! The built program against what it really starts: nats-server, every service, a sample of real events.
//!
//! What is asserted was counted without the product's code (`e2e/oracle`).
#[cfg(test)]
mod it {
    mod browser;
    mod commands;
    mod kit;
    mod lifecycle;
    mod mistakes;
    mod query;
    mod tour;
}

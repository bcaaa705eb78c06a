//! Who may subscribe.

use tonic::{Request, Status};

/// What a subscriber must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: the server listens on loopback without TLS.
    Open,
    /// A certificate of the authority that the server was given, which TLS has verified.
    Certificate,
}

impl Access {
    /// Whether the caller may subscribe.
    ///
    /// # Errors
    /// If it has shown no certificate where it must.
    pub fn subscriber<T>(self, request: &Request<T>) -> Result<(), Status> {
        let shown = request.peer_certs().is_some_and(|chain| !chain.is_empty());
        match self {
            Self::Open => Ok(()),
            Self::Certificate if shown => Ok(()),
            Self::Certificate => Err(Status::unauthenticated(
                "rules are distributed to those who show a client certificate of the operator's authority",
            )),
        }
    }
}

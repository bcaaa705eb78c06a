//! A proxy that has authenticated the caller and says who it is, as kube-apiserver's front proxy does.
//!
//! Its word counts by its client certificate alone, never by the address that it calls from. The same headers from anybody else are as if
//! they were not there: a client may send what it likes.

use axum::http::{HeaderMap, HeaderName};

use super::{Caller, Kind, Peer, ProxyConfig, Refused};

const USER: HeaderName = HeaderName::from_static("x-remote-user");
const GROUP: HeaderName = HeaderName::from_static("x-remote-group");
/// No proxy knows more groups of anybody.
const GROUPS: usize = 1_000;

/// Who the proxy says asks; nobody, if this is not the proxy, or it says nothing.
pub(super) fn caller(config: &ProxyConfig, peer: &Peer, headers: &HeaderMap) -> Result<Option<Caller>, Refused> {
    if !peer.is_one_of(&config.allowed_names) {
        return Ok(None);
    }
    let mut users = headers.get_all(USER).iter();
    let user = match (users.next(), users.next()) {
        (None, _) => return Ok(None),
        (Some(user), None) => user,
        // One of them may be the client's own, which a proxy let through.
        (Some(_), Some(_)) => return Err(Refused::Unknown("the proxy names more than one user")),
    };
    let unreadable = |_| Refused::Unknown("the proxy names a user or a group in letters that can't be read");
    let user = std::str::from_utf8(user.as_bytes()).map_err(unreadable)?.trim().to_owned();
    if user.is_empty() {
        return Ok(None);
    }
    let groups = headers.get_all(GROUP).iter().take(GROUPS);
    let groups = groups.map(|group| std::str::from_utf8(group.as_bytes()).map(|it| it.trim().to_owned()));
    let groups: Vec<_> = groups.collect::<Result<_, _>>().map_err(unreadable)?;
    let groups = groups.into_iter().filter(|group| !group.is_empty()).collect();
    Ok(Some(Caller::new(user, groups, Kind::Proxy)))
}

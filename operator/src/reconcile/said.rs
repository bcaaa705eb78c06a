//! Errors as a log says them.

use std::error::Error;

use kube::runtime::watcher;

/// What failed and why, on one line. Of what the API server refuses it is the message: kube's own text goes on with the answer as it was
/// sent, twice.
pub(crate) fn said(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let (text, source) = one(error);
        if !parts.last().is_some_and(|last| last.ends_with(&text)) {
            parts.push(text);
        }
        next = source;
    }
    parts.join(": ")
}

fn one<'a>(error: &'a (dyn Error + 'static)) -> (String, Option<&'a (dyn Error + 'static)>) {
    let kube = error.downcast_ref::<kube::Error>();
    if let Some(kube::Error::Api(status)) = kube.or(error.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref)) {
        return (answer(status), None);
    }
    match error.downcast_ref::<watcher::Error>() {
        Some(watcher::Error::InitialListFailed(source)) => ("list".to_owned(), Some(source)),
        Some(watcher::Error::WatchStartFailed(source)) => ("begin to watch".to_owned(), Some(source)),
        Some(watcher::Error::WatchFailed(source)) => ("watch".to_owned(), Some(source)),
        Some(watcher::Error::WatchError(status)) => (format!("watch: {}", answer(status)), None),
        _ => (error.to_string(), error.source()),
    }
}

fn answer(status: &kube::core::Status) -> String {
    match status.message.as_str() {
        "" => format!("the API server answers {}", status.code),
        message => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> kube::Error {
        let status = kube::core::Status {
            message: "configmaps \"x\" is forbidden".to_owned(),
            code: 403,
            reason: "Forbidden".to_owned(),
            ..kube::core::Status::default()
        };
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn what_the_api_server_refuses_is_said_once_and_in_its_words() {
        assert_eq!(said(&refused()), "configmaps \"x\" is forbidden");
        let watching = watcher::Error::InitialListFailed(refused());
        assert_eq!(said(&watching), "list: configmaps \"x\" is forbidden");
        let error = super::super::Error::api("patch", "configmaps", "x")(refused());
        assert_eq!(said(&error), "patch configmaps x: configmaps \"x\" is forbidden");
        let other = std::io::Error::other("no route");
        assert_eq!(said(&other), "no route");
    }
}

//! Events as they come, by server-sent events.
//!
//! What is shown is what the evaluators hand to the archiver, a moment before it is stored. Nothing is kept for clients that do not
//! read: what they miss is counted and told. Who may see what is asked again while the tail runs.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use vedette_archive::Filter;
use vedette_audit::Document;

use super::event::Event;
use super::params::{Params, Select};
use crate::failure::{Failure, Problem};
use crate::scope::Scope;
use crate::serve::Shared;
use crate::standing::Standing;
use crate::tail::Watching;

/// Between signs of life.
const ALIVE: Duration = Duration::from_secs(15);
/// How long nothing is waited for before the caller's right is looked at again.
const LOOK: Duration = Duration::from_secs(10);

/// Events as they come
///
/// Server-sent events: `event` with an `Event`, `missed` with `{"count": N}` where the client or the console could not keep up (N
/// results of evaluators, each of which may have many events), and
/// `end` with the reason when the tail is over.
#[utoipa::path(
    get, path = "/api/v1/tail", operation_id = "tailEvents", tag = "events",
    params(Select),
    responses((status = 200, content((Event = "text/event-stream"))), (status = 400, body = Problem)),
)]
pub(crate) async fn tail(
    State(shared): State<Arc<Shared>>,
    mut standing: Standing,
    mut params: Params,
) -> Result<Response, Failure> {
    let select = Select::read(&mut params);
    params.end()?;
    let question = select.question(&*standing.scope().await?, Timestamp::now())?;
    if question.own.end_micros.is_some() {
        return Err(Failure::bad("end", "a tail has no end: leave out `end` and `until:`"));
    }
    let watching = shared.tail.watch(standing.scope().await?.owner())?;
    let filter = question.own;
    let tail = Tail {
        standing,
        watching,
        filter: Arc::new(filter.filter),
        start_micros: filter.start_micros,
        waiting: Vec::new(),
        over: false,
    };
    let events = stream::unfold(tail, |mut tail| async move {
        let sent = tail.next().await?;
        Some((Ok::<_, Infallible>(sent), tail))
    });
    // The head of an answer goes out with its first bytes: whoever watches where little happens must not wait for that to know.
    let begun = stream::once(async { Ok(Sent::default().comment("watching")) });
    Ok(Sse::new(begun.chain(events)).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

struct Tail {
    standing: Standing,
    watching: Watching,
    filter: Arc<Filter>,
    start_micros: Option<i64>,
    /// What has come and is not sent yet, the last first.
    waiting: Vec<Sent>,
    over: bool,
}

impl Tail {
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(sent) = self.waiting.pop() {
                return Some(sent);
            }
            if self.over {
                return None;
            }
            // Again now and then, also while nothing comes.
            let next = tokio::time::timeout(LOOK, self.watching.next()).await;
            let scope = match self.standing.scope().await {
                Ok(scope) => scope,
                Err(failure) => return Some(self.end(&failure.to_string())),
            };
            let Ok(next) = next else { continue };
            match next {
                Ok(documents) => {
                    let (filter, start) = (Arc::clone(&self.filter), self.start_micros);
                    // Whatever is asked, other requests go on meanwhile.
                    let found = tokio::task::spawn_blocking(move || seen(&documents, &scope, &filter, start)).await;
                    self.waiting.extend(found.unwrap_or_default());
                }
                Err(RecvError::Lagged(count)) => return Some(sent("missed", &serde_json::json!({ "count": count }))),
                Err(RecvError::Closed) => return Some(self.end("the console stops")),
            }
        }
    }

    fn end(&mut self, reason: &str) -> Sent {
        self.over = true;
        sent("end", &serde_json::json!({ "reason": reason }))
    }
}

/// The documents that are asked for and may be seen, the last first.
fn seen(documents: &[Document], scope: &Scope, filter: &Filter, start_micros: Option<i64>) -> Vec<Sent> {
    let wanted = |document: &&Document| {
        start_micros.is_none_or(|start| document.time_micros >= start)
            && scope.allows(&(*document).into())
            && filter.matches(document)
    };
    documents.iter().rev().filter(wanted).map(|document| sent("event", &Event::of(&document.json))).collect()
}

fn sent(name: &str, data: &impl serde::Serialize) -> Sent {
    Sent::default().event(name).json_data(data).unwrap_or_default()
}

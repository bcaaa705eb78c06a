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
use futures::stream;
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;

use super::event::Event;
use super::params::{Params, Select};
use crate::failure::{Failure, Problem};
use crate::serve::Shared;
use crate::standing::Standing;
use crate::tail::Watching;

/// Between signs of life.
const ALIVE: Duration = Duration::from_secs(15);
/// How long nothing is waited for before the caller's right is looked at again.
const LOOK: Duration = Duration::from_secs(10);

/// Events as they come
///
/// Server-sent events: `event` with an `Event`, `missed` with `{"count": N}` where the client or the console could not keep up, and
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
    let question = select.question(standing.scope().await?, Timestamp::now())?;
    if question.own.end_micros.is_some() {
        return Err(Failure::bad("end", "a tail has no end: leave out `end` and `until:`"));
    }
    let watching = shared.tail.watch()?;
    let filter = question.own;
    let tail = Tail {
        standing,
        watching,
        filter: filter.filter,
        start_micros: filter.start_micros,
        waiting: Vec::new(),
        over: false,
    };
    let events = stream::unfold(tail, |mut tail| async move {
        let sent = tail.next().await?;
        Some((Ok::<_, Infallible>(sent), tail))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

struct Tail {
    standing: Standing,
    watching: Watching,
    filter: vedette_archive::Filter,
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
                    let seen = documents.iter().rev().filter(|document| {
                        self.start_micros.is_none_or(|start| document.time_micros >= start)
                            && scope.allows(document)
                            && self.filter.matches(document)
                    });
                    self.waiting.extend(seen.map(|document| sent("event", &Event::of(&document.json))));
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

fn sent(name: &str, data: &impl serde::Serialize) -> Sent {
    Sent::default().event(name).json_data(data).unwrap_or_default()
}

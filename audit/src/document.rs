//! The stored document: KubeSphere's spelling, whatever the sender's.
//!
//! The members that we know come first, in one order, each once and under one name; others follow as they came. What
//! KubeSphere's console filters by exists even where the event has none: absent `Workspace` and `ObjectRef.Namespace`
//! are empty strings. What we add stands in one object of our own, `Vedette`.

mod normalise;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::{
    event::{Event, EventError},
    identity::EventId,
    text,
};

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The event's identity, the document's key.
    pub id: EventId,
    /// The event's own time in microseconds since the Unix epoch: `RequestReceivedTimestamp`, else `StageTimestamp`,
    /// else when we received it.
    pub time_micros: i64,
    /// The JSON.
    pub json: Vec<u8>,
    /// What engines index.
    pub fields: Fields,
}

/// The document's indexed fields; empty where the event has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// KubeSphere's workspace.
    pub workspace: String,
    /// KubeSphere's DevOps project.
    pub devops: String,
    /// The cluster.
    pub cluster: String,
    /// The level's name.
    pub level: String,
    /// The request's id, which its client may have chosen.
    pub audit_id: String,
    /// The stage of the request's handling.
    pub stage: String,
    /// The request's URI.
    pub request_uri: String,
    /// The verb.
    pub verb: String,
    /// The authenticated user.
    pub user: String,
    /// Who acted in effect: the impersonated user, else the authenticated one.
    pub actor: String,
    /// The user acted as.
    pub impersonated: String,
    /// The credential that the authenticated user showed.
    pub credential: String,
    /// The last of the source addresses.
    pub source_ip: String,
    /// What the client says that it is.
    pub user_agent: String,
    /// The kind of resource, in its plural.
    pub resource: String,
    /// The object's namespace, told from others of its name: `<cluster>/<uid>`; empty where its uid is not known.
    pub tenant: String,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The subresource.
    pub subresource: String,
    /// The resource's API group.
    pub api_group: String,
    /// `Success` or `Failure`, where the sender says it.
    pub status: String,
    /// Why the request failed, in one word.
    pub reason: String,
    /// The authenticated user's groups.
    pub groups: Vec<String>,
    /// All source addresses.
    pub source_ips: Vec<String>,
    /// The response's HTTP status code.
    pub code: Option<i64>,
    /// What an exec or attach runs: see [`crate::command`].
    pub command: String,
    /// How long the request took to its stage, in microseconds.
    pub duration_micros: Option<i64>,
    /// The path that a request about no resource asks for, without its query.
    pub path: String,
    /// The rules that matched, `<Rule resource>.<rule>`.
    pub rules: Vec<String>,
}

impl Document {
    /// Builds the document of an event as [`Event::rewrite`] left it.
    ///
    /// # Errors
    /// As [`Event::parse`]: never for what it accepted before.
    pub fn build(
        id: EventId,
        event_json: &[u8],
        rules: &[String],
        received_unix_nanos: i64,
    ) -> Result<Self, EventError> {
        let event = Event::parse(event_json)?;
        let fields = Fields::of(&event, rules);
        let received_micros = received_unix_nanos.div_euclid(1_000);
        let time_micros = micros(&event.request_received_timestamp())
            .or_else(|| micros(&event.stage_timestamp()))
            .unwrap_or(received_micros);
        let mut json = Vec::with_capacity(event_json.len() + 512);
        normalise::event(event_json, &mut json)?;
        json.push(b',');
        push_own(id, &fields, received_micros, &mut json);
        json.push(b'}');
        if event.has_lone_surrogate() {
            text::mend_surrogates(&mut json);
        }
        Ok(Self { id, time_micros, json, fields })
    }
}

impl Fields {
    fn of(event: &Event<'_>, rules: &[String]) -> Self {
        Self {
            workspace: event.workspace().into_owned(),
            devops: event.devops().into_owned(),
            cluster: event.cluster().into_owned(),
            level: event.level().into_owned(),
            audit_id: event.audit_id().into_owned(),
            stage: event.stage().into_owned(),
            request_uri: event.request_uri().into_owned(),
            verb: event.verb().into_owned(),
            user: event.username().into_owned(),
            actor: event.actor().into_owned(),
            impersonated: event.impersonated_username().into_owned(),
            credential: event.credential().into_owned(),
            source_ip: event.source_ip().into_owned(),
            user_agent: event.user_agent().into_owned(),
            resource: event.resource().into_owned(),
            tenant: event.tenant(),
            namespace: event.namespace().into_owned(),
            name: event.name().into_owned(),
            subresource: event.subresource().into_owned(),
            api_group: event.api_group().into_owned(),
            status: event.status().into_owned(),
            reason: event.reason().into_owned(),
            groups: event.groups().map(|group| group.into_owned()).collect(),
            source_ips: event.source_ips().map(|address| address.into_owned()).collect(),
            code: event.code(),
            command: event.command().unwrap_or_default(),
            duration_micros: event.duration_micros(),
            path: event.path().into_owned(),
            rules: rules.to_vec(),
        }
    }
}

/// The instant of an RFC 3339 text.
fn micros(timestamp: &str) -> Option<i64> {
    timestamp.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// Appends the member `Vedette`; of what an event need not have, only what it has.
fn push_own(id: EventId, fields: &Fields, received_micros: i64, out: &mut Vec<u8>) {
    let received = Timestamp::from_microsecond(received_micros).unwrap_or(Timestamp::UNIX_EPOCH);
    out.extend_from_slice(b"\"Vedette\":{\"EventID\":");
    text::push_string(out, &id.to_string());
    out.extend_from_slice(b",\"ReceivedTimestamp\":");
    text::push_string(out, &format!("{received:.6}"));
    out.extend_from_slice(b",\"Rules\":[");
    for (index, rule) in fields.rules.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text::push_string(out, rule);
    }
    out.extend_from_slice(b"],\"Actor\":");
    text::push_string(out, &fields.actor);
    out.extend_from_slice(b",\"SourceIP\":");
    text::push_string(out, &fields.source_ip);
    let optional = |name: &str, text: &str, out: &mut Vec<u8>| {
        if !text.is_empty() {
            out.push(b',');
            text::push_string(out, name);
            out.push(b':');
            text::push_string(out, text);
        }
    };
    optional("CredentialID", &fields.credential, out);
    optional("Command", &fields.command, out);
    if let Some(micros) = fields.duration_micros {
        out.extend_from_slice(format!(",\"DurationMicros\":{micros}").as_bytes());
    }
    optional("Path", &fields.path, out);
    optional("Tenant", &fields.tenant, out);
    out.push(b'}');
}

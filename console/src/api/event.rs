//! An event as the API tells it: the members that people ask for, under one name each, whoever recorded it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An audit event: what happened to one request, up to one of its stages. Members that the record does not have are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = Event)]
pub struct Event {
    /// Its identity.
    #[schema(required)]
    pub id: String,
    /// When the apiserver received the request.
    #[schema(required)]
    pub time: String,
    /// When the request reached the stage.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stage_time: String,
    /// When we received the record.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub received_time: String,
    /// From the request's arrival to the stage, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_micros: Option<i64>,
    /// The cluster.
    #[schema(required)]
    pub cluster: String,
    /// KubeSphere's workspace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace: String,
    /// `Metadata`, `Request` or `RequestResponse`.
    #[schema(required)]
    pub level: String,
    /// `RequestReceived`, `ResponseStarted`, `ResponseComplete` or `Panic`.
    #[schema(required)]
    pub stage: String,
    /// The request's id, which its client may have chosen.
    #[serde(rename = "auditID")]
    #[schema(required)]
    pub audit_id: String,
    /// The verb.
    #[schema(required)]
    pub verb: String,
    /// Who acted in effect: the impersonated user, else the authenticated one.
    #[schema(required)]
    pub actor: String,
    /// The authenticated user.
    #[schema(required)]
    pub user: String,
    /// The user acted as.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub impersonated_user: String,
    /// The authenticated user's groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The id of the credential that the user authenticated with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub credential: String,
    /// The address that the request came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// All addresses: all but the last are the client's claims.
    #[serde(rename = "sourceIPs", skip_serializing_if = "Vec::is_empty")]
    pub source_ips: Vec<String>,
    /// What the client says that it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// The resource's API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// The resource's API version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// The kind of resource, in its plural.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The subresource.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// The object's namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The object's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The request's URI.
    #[serde(rename = "requestURI", skip_serializing_if = "String::is_empty")]
    pub request_uri: String,
    /// The command that was executed in a container.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The response's HTTP status code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// `Success` or `Failure`, where the sender says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Why the request failed, in one word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why the request failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The rules that matched, `<Rule resource>.<rule>`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// The annotations that the apiserver's plugins made.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Whether the request's body was recorded.
    #[schema(required)]
    pub request_body: bool,
    /// Whether the response's body was recorded.
    #[schema(required)]
    pub response_body: bool,
}

/// A document's members, of which bodies are passed over.
pub(crate) struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    /// Of a stored document; `None` if it is no object.
    pub(crate) fn of(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }

    /// A member as it stands in the document.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied().filter(|value| value.get() != "null")
    }

    fn value(&self, name: &str) -> Value {
        self.raw(name).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        text(&self.value(name))
    }
}

impl Event {
    /// What a stored document tells; nothing where it is none.
    pub(crate) fn of(json: &[u8]) -> Self {
        let Some(members) = Members::of(json) else { return Self::default() };
        let (user, impersonated) = (members.value("User"), members.value("ImpersonatedUser"));
        let (object, status) = (members.value("ObjectRef"), members.value("ResponseStatus"));
        let own = members.value("Vedette");
        let of = |value: &Value, name: &str| value.get(name).map(text).unwrap_or_default();
        let list = |value: Option<&Value>| -> Vec<String> {
            value.and_then(Value::as_array).map(|list| list.iter().map(text).collect()).unwrap_or_default()
        };
        let source_ips = list(Some(&members.value("SourceIPs")));
        let (user_name, acted_as) = (of(&user, "Username"), of(&impersonated, "Username"));
        let stage_time = members.text("StageTimestamp");
        let time = members.text("RequestReceivedTimestamp");
        let annotations = members.value("Annotations");
        let annotations = annotations.as_object().into_iter().flatten();
        Self {
            id: of(&own, "EventID"),
            time: if time.is_empty() { stage_time.clone() } else { time },
            stage_time,
            received_time: of(&own, "ReceivedTimestamp"),
            duration_micros: own.get("DurationMicros").and_then(Value::as_i64),
            cluster: members.text("Cluster"),
            workspace: members.text("Workspace"),
            level: members.text("Level"),
            stage: members.text("Stage"),
            audit_id: members.text("AuditID"),
            verb: members.text("Verb"),
            actor: if acted_as.is_empty() { user_name.clone() } else { acted_as.clone() },
            user: user_name,
            impersonated_user: acted_as,
            groups: list(user.get("Groups")),
            credential: of(&own, "CredentialID"),
            ip: source_ips.last().cloned().unwrap_or_default(),
            source_ips,
            user_agent: members.text("UserAgent"),
            api_group: of(&object, "APIGroup"),
            api_version: of(&object, "APIVersion"),
            resource: of(&object, "Resource"),
            subresource: of(&object, "Subresource"),
            namespace: of(&object, "Namespace"),
            name: of(&object, "Name"),
            request_uri: members.text("RequestURI"),
            command: of(&own, "Command"),
            code: status.get("code").and_then(Value::as_i64),
            status: of(&status, "status"),
            reason: of(&status, "reason"),
            message: of(&status, "message"),
            rules: list(own.get("Rules")),
            annotations: annotations.map(|(name, value)| (name.clone(), text(value))).collect(),
            request_body: members.raw("RequestObject").is_some(),
            response_body: members.raw("ResponseObject").is_some(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

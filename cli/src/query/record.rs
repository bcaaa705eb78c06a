//! A stored document as a row.
use jiff::Timestamp;
use serde::Deserialize;

use crate::term::plain;

/// What a row shows of a document. Strangers' documents may lack anything.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Record {
    verb: Option<String>,
    user: Option<User>,
    impersonated_user: Option<User>,
    #[serde(rename = "RequestURI")]
    request_uri: Option<String>,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
    #[serde(rename = "SourceIPs")]
    source_ips: Option<Vec<String>>,
    request_received_timestamp: Option<String>,
    stage_timestamp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    #[serde(rename = "Username", alias = "username")]
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ObjectRef {
    resource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    subresource: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: Option<i64>,
}

impl Record {
    /// Time, user, verb, object, code, source.
    pub(crate) fn cells(&self) -> [String; 6] {
        let time = self.request_received_timestamp.as_deref().or(self.stage_timestamp.as_deref()).unwrap_or_default();
        let time = time.parse().map_or_else(|_| plain(time), short_time);
        let code = self.response_status.as_ref().and_then(|status| status.code);
        // Earlier addresses are what the client says of itself.
        let source = self.source_ips.as_ref().and_then(|all| all.last());
        [
            time,
            plain(&self.user()),
            plain(self.verb.as_deref().unwrap_or_default()),
            plain(&self.object()),
            code.map(|code| code.to_string()).unwrap_or_default(),
            plain(source.map(String::as_str).unwrap_or_default()),
        ]
    }

    fn user(&self) -> String {
        let name =
            |user: &Option<User>| user.as_ref().and_then(|user| user.name.clone()).filter(|name| !name.is_empty());
        match (name(&self.user), name(&self.impersonated_user)) {
            (Some(user), Some(other)) => format!("{user} as {other}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => String::new(),
        }
    }

    /// `pods/exec payments/db-0`, or the URI where there is no object.
    fn object(&self) -> String {
        let part = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let uri = || self.request_uri.clone().unwrap_or_default();
        let Some(object) = &self.object_ref else { return uri() };
        let Some(mut text) = part(&object.resource) else { return uri() };
        if let Some(subresource) = part(&object.subresource) {
            text = format!("{text}/{subresource}");
        }
        match (part(&object.namespace), part(&object.name)) {
            (Some(namespace), Some(name)) => format!("{text} {namespace}/{name}"),
            (Some(namespace), None) => format!("{text} {namespace}/"),
            (None, Some(name)) => format!("{text} {name}"),
            (None, None) => text,
        }
    }
}

/// `2026-11-22 14:05:09`
pub(crate) fn short_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::Record;

    fn check(document: &str, expected: [&str; 6]) {
        let record: Record = serde_json::from_str(document).unwrap();
        assert_eq!(record.cells(), expected.map(str::to_owned));
    }

    #[test]
    fn a_row_says_who_did_what_to_what() {
        check(
            r#"{"RequestReceivedTimestamp":"2026-11-22T14:05:09.123456Z","StageTimestamp":"2026-11-22T15:05:09Z","Verb":"get",
                "User":{"Username":"admin"},"ImpersonatedUser":{"username":"bob"},"RequestURI":"/x",
                "ObjectRef":{"Resource":"pods","Subresource":"exec","Namespace":"payments","Name":"db-0"},
                "ResponseStatus":{"code":101,"metadata":{}},"SourceIPs":["1.2.3.4","10.0.0.1"],"Vedette":{}}"#,
            ["2026-11-22 14:05:09", "admin as bob", "get", "pods/exec payments/db-0", "101", "10.0.0.1"],
        );
    }

    #[test]
    fn what_is_missing_is_empty_and_what_is_there_is_harmless() {
        check("{}", ["", "", "", "", "", ""]);
        check(
            r#"{"Verb":"get","RequestURI":"/healthz\u001b[2J","ObjectRef":{"Namespace":""},"User":null,"SourceIPs":null}"#,
            ["", "", "get", "/healthz\u{fffd}[2J", "", ""],
        );
        check(r#"{"ObjectRef":{"Resource":"secrets","Namespace":"a"}}"#, ["", "", "", "secrets a/", "", ""]);
    }
}

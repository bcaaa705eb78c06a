//! The shared rules of [`crate::sets`] in the languages of others, evaluated by their own engines.
//!
//! Built only with the feature `peers`: VRL takes minutes to compile. VRL's licence, MPL-2.0, binds whoever passes on VRL itself
//! changed; this tool is not shipped, and passes on nothing.

use std::collections::BTreeMap;

use cel::Context as CelContext;
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Context, TargetValue, TimeZone};
use vrl::value::{Secrets, Value};

/// The five conditions, with `{}` where a rule's exception goes.
const VRL: [&str; 5] = [
    r#"!includes(["get", "list", "watch"], .verb)"#,
    r#"includes(["create", "delete", "update", "patch"], .verb)"#,
    r#".objectRef.resource == "pods" && .verb == "create" && .requestObject.spec.hostNetwork == true"#,
    r#".objectRef.resource == "services" && .verb == "create" && .requestObject.spec.type == "NodePort""#,
    r#".objectRef.resource == "pods" && .verb == "create" && includes(["exec", "attach"], .objectRef.subresource)"#,
];
const CEL: [&str; 5] = [
    r#"!(e.verb in ["get", "list", "watch"])"#,
    r#"e.verb in ["create", "delete", "update", "patch"]"#,
    r#"has(e.objectRef) && has(e.objectRef.resource) && e.objectRef.resource == "pods" && e.verb == "create" && has(e.requestObject) && has(e.requestObject.spec) && has(e.requestObject.spec.hostNetwork) && e.requestObject.spec.hostNetwork == true"#,
    r#"has(e.objectRef) && has(e.objectRef.resource) && e.objectRef.resource == "services" && e.verb == "create" && has(e.requestObject) && has(e.requestObject.spec) && has(e.requestObject.spec.type) && e.requestObject.spec.type == "NodePort""#,
    r#"has(e.objectRef) && has(e.objectRef.resource) && e.objectRef.resource == "pods" && e.verb == "create" && has(e.objectRef.subresource) && e.objectRef.subresource in ["exec", "attach"]"#,
];

/// VRL, Vector's language.
pub(crate) struct Vrl {
    programs: Vec<vrl::compiler::Program>,
}

/// CEL as cel-rust evaluates it.
pub(crate) struct Cel {
    programs: Vec<cel::Program>,
}

fn rules(conditions: &[&str; 5], user: &str, count: usize) -> Vec<String> {
    let rule = |index: usize| match conditions[index % conditions.len()] {
        condition if index < conditions.len() => condition.to_owned(),
        condition => format!(r#"{condition} && {user} != "user-{index}""#),
    };
    (0..count).map(rule).collect()
}

impl Vrl {
    pub(crate) fn new(count: usize) -> Self {
        let functions = vrl::stdlib::all();
        let compile = |rule: &String| match vrl::compiler::compile(rule, &functions) {
            Ok(compiled) => compiled.program,
            Err(diagnostics) => panic!("{rule}: {diagnostics:?}"),
        };
        Self { programs: rules(&VRL, ".user.username", count).iter().map(compile).collect() }
    }

    /// How many rules an event matches.
    pub(crate) fn decide(&self, event: &[u8]) -> usize {
        let json: serde_json::Value = serde_json::from_slice(event).expect("an event is JSON");
        let metadata = Value::Object(BTreeMap::new());
        let mut target = TargetValue { value: Value::from(json), metadata, secrets: Secrets::default() };
        let (mut state, timezone) = (RuntimeState::default(), TimeZone::default());
        let mut context = Context::new(&mut target, &mut state, &timezone);
        let matched = self.programs.iter().filter(|program| program.resolve(&mut context) == Ok(Value::Boolean(true)));
        matched.count()
    }
}

impl Cel {
    pub(crate) fn new(count: usize) -> Self {
        let compile = |rule: &String| cel::Program::compile(rule).expect("the rules are CEL");
        Self { programs: rules(&CEL, "e.user.username", count).iter().map(compile).collect() }
    }

    /// How many rules an event matches.
    pub(crate) fn decide(&self, event: &[u8]) -> usize {
        let json: serde_json::Value = serde_json::from_slice(event).expect("an event is JSON");
        let mut context = CelContext::default();
        context.add_variable("e", json).expect("JSON is a value");
        let matched = self.programs.iter().filter(|program| program.execute(&context) == Ok(cel::Value::Bool(true)));
        matched.count()
    }
}

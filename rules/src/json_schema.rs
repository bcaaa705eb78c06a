//! The resources as a JSON schema, for editors that complete and check while one types.
//!
//! It says what the reader of the resources says, as far as a schema can: names, types, words. Conditions are texts to it.

use serde_json::{Value, json};

use crate::cases;
use crate::resource::API_VERSION;

/// The schema of `Rule`, `Webhook` and `RuleTest`, in the dialect of draft 7, which most editors understand.
pub fn json_schema() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Vedette: rules and what becomes of them",
        "oneOf": [
            {"$ref": "#/definitions/Rule"},
            {"$ref": "#/definitions/Webhook"},
            {"$ref": "#/definitions/RuleTest"},
        ],
        "definitions": {
            "Rule": resource("Rule", API_VERSION, "Rules, and the macros, lists and aliases that they use.", json!({
                "type": "object",
                "required": ["rules"],
                "additionalProperties": false,
                "properties": {"rules": {"type": "array", "items": {"$ref": "#/definitions/entry"}}},
            })),
            "Webhook": resource("Webhook", API_VERSION, "What is recorded, which rules count, and who is told.", webhook()),
            "RuleTest": resource(cases::KIND, cases::API_VERSION, "Tests of rules: events, and the rules that hold for them.", test()),
            "entry": entry(),
            "metadata": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 253},
                    "namespace": {"type": "string"},
                    "labels": {
                        "type": "object",
                        "description": "`type: archiving` or `type: alerting` says what the rules are for.",
                        "additionalProperties": {"type": "string"},
                    },
                    "annotations": {
                        "type": "object",
                        "properties": {"auditing.vedette.io/compat": {
                            "const": "kubesphere",
                            "description": "The conditions are read and decided as KubeSphere's engine does.",
                        }},
                        "additionalProperties": {"type": "string"},
                    },
                },
            },
            "priority": {"enum": ["DEBUG", "INFO", "WARNING"]},
            "selector": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "matchExpressions": {"type": "array", "items": {
                        "type": "object",
                        "required": ["key", "operator"],
                        "additionalProperties": false,
                        "properties": {
                            "key": {"type": "string"},
                            "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
                            "values": {"type": "array", "items": {"type": "string"}},
                        },
                    }},
                },
            },
        },
    })
}

fn resource(kind: &str, version: &str, description: &str, spec: Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": version},
            "kind": {"const": kind},
            "metadata": {"$ref": "#/definitions/metadata"},
            "spec": spec,
            "status": {"type": "object"},
        },
    })
}

/// An entry of a `Rule`: each type has its own fields.
fn entry() -> Value {
    let kind = |kind: &str, required: &str, description: &str, mut fields: Value| {
        if let Value::Object(fields) = &mut fields {
            fields.insert("name".to_owned(), json!({"type": "string", "minLength": 1, "maxLength": 253}));
            fields.insert("type".to_owned(), json!({"const": kind}));
            fields.insert("desc".to_owned(), json!({"description": "For readers."}));
            fields.insert("enable".to_owned(), json!({"type": "boolean"}));
        }
        json!({
            "type": "object",
            "description": description,
            "required": ["name", "type", required],
            "additionalProperties": false,
            "properties": fields,
        })
    };
    let scalar = |description: &str| json!({"type": ["string", "boolean", "number"], "description": description});
    json!({"oneOf": [
        kind("rule", "condition", "What is looked for, and what is said of it.", json!({
            "condition": scalar("The rule holds for an event that satisfies it."),
            "exceptions": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Conditions that excuse an event: `condition and not (…)` for each.",
            },
            "output": scalar("The message of an alert; `${…}` shows aliases, lists and fields."),
            "priority": {"$ref": "#/definitions/priority"},
        })),
        kind("macro", "macro", "A condition with a name, used as `${name}`.", json!({"macro": scalar("The condition.")})),
        kind("list", "list", "Values with a name, used as `in ${name}`.", json!({
            "list": {"type": "array", "items": {"type": "string"}},
        })),
        kind("alias", "alias", "A field with a name, used as `${name}`.", json!({"alias": scalar("The field's path.")})),
    ]})
}

fn webhook() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "image": {"type": "string"},
            "imagePullPolicy": {},
            "imagePullSecrets": {},
            "args": {},
            "resources": {},
            "affinity": {},
            "nodeSelector": {},
            "tolerations": {},
            "components": {"type": "object", "description": "What is different for one of the services."},
            "replicas": {"type": "integer", "minimum": 0},
            "port": {"type": "integer", "minimum": 0},
            "useHTTPS": {"type": "boolean"},
            "auditLevel": {
                "enum": ["None", "Metadata", "Request", "RequestResponse"],
                "default": "Metadata",
                "description": "What an event may hold when rules see it.",
            },
            "k8sAuditingEnabled": {"type": "boolean", "default": false, "description": "Whether a kube-apiserver's events count."},
            "auditing": {
                "type": "object",
                "additionalProperties": false,
                "properties": {"k8sAuditingEnabled": {"type": "boolean"}, "enable": {}, "enabled": {}},
            },
            "archivingPriority": {"$ref": "#/definitions/priority"},
            "alertingPriority": {"$ref": "#/definitions/priority"},
            "auditSinkPolicy": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "archivingRuleSelector": {"$ref": "#/definitions/selector"},
                    "alertingRuleSelector": {"$ref": "#/definitions/selector"},
                },
            },
            "receivers": {"type": "array", "items": receiver()},
        },
    })
}

fn receiver() -> Value {
    json!({
        "type": "object",
        "required": ["name", "type", "config"],
        "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "type": {"enum": ["alertmanager", "webhook"]},
            "config": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "url": {"type": "string", "pattern": "^https?://"},
                    "caBundle": {"type": "string", "description": "Certificates in PEM, in base64."},
                    "service": {
                        "type": "object",
                        "required": ["namespace", "name"],
                        "additionalProperties": false,
                        "properties": {
                            "namespace": {"type": "string"},
                            "name": {"type": "string"},
                            "path": {"type": "string"},
                            "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                        },
                    },
                },
            },
        },
    })
}

fn test() -> Value {
    let event = json!({"type": "object", "description": "An audit event, in either spelling."});
    json!({
        "type": "object",
        "required": ["cases"],
        "additionalProperties": false,
        "properties": {
            "events": {"type": "object", "additionalProperties": event},
            "cases": {"type": "array", "items": {
                "type": "object",
                "required": ["name", "event", "rules"],
                "additionalProperties": false,
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "event": {"description": "One of `events` by its name, or an event.", "type": ["string", "object"]},
                    "patch": {"type": "object", "description": "What is different in the event: a merge patch (RFC 7386)."},
                    "rules": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Exactly the rules that hold, each `resource.rule`.",
                    },
                },
            }},
        },
    })
}

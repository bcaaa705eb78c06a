//! The JSON schema says what the reader says.

use serde_json::{Value, json};
use vedette_rules::json_schema;

use crate::{codes, diagnosed, files, golden};

#[test]
fn the_schema_that_is_committed_is_the_one_that_is_printed() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules/schema.json");
    golden(&path, &format!("{:#}\n", json_schema()));
}

/// Every property of the schema is a field to the reader, and every field that the reader knows is a property.
#[test]
fn the_reader_knows_the_same_fields() {
    let schema = json_schema();
    let known = |pointer: &str| -> Vec<String> {
        schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).as_object().unwrap().keys().cloned().collect()
    };
    for (kind, place) in [("rule", 0), ("macro", 1), ("list", 2), ("alias", 3)] {
        let pointer = format!("/definitions/entry/oneOf/{place}/properties");
        assert_eq!(schema.pointer(&format!("{pointer}/type/const")), Some(&json!(kind)));
        for field in known(&pointer) {
            let mut entry = json!({"name": "x", "type": kind});
            if entry.get(&field).is_none() {
                entry[&field] = json!(["x"]);
            }
            let found = diagnosed(&crate::resource("r", "archiving", &[&entry.to_string()]));
            assert!(!codes(&found).iter().any(|code| ["VR0006", "VR0108"].contains(code)), "{kind}.{field}: {found:?}");
        }
    }
    for field in known("/definitions/Webhook/properties/spec/properties") {
        let webhook = json!({"apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Webhook",
            "metadata": {"name": "kube-auditing-webhook"}, "spec": {(&field): []}});
        let found = diagnosed(&webhook.to_string());
        assert!(!codes(&found).contains(&"VR0006"), "Webhook.{field}: {found:?}");
    }
}

/// What the schema would refuse in files that the reader takes would be marked red in every editor.
#[test]
fn the_resources_of_the_repository_fit_the_schema() {
    let schema = json_schema();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/rules");
    let shipped = std::fs::read_dir(shipped).unwrap().map(|entry| entry.unwrap().path());
    for path in shipped.chain(files("seeds", "yaml")) {
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.starts_with('#') && !text.starts_with("apiVersion") {
            continue;
        }
        let value: Value = serde_yaml_ng::from_str(&text).unwrap();
        if let Err(why) = fits(&value, &schema, &schema) {
            panic!("{}: {why}", path.display());
        }
    }
    let wrong = json!({"apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Rule", "metadata": {"name": "x"},
        "spec": {"rules": [{"name": "a", "type": "rule", "conditon": "Verb exists"}]}});
    assert!(fits(&wrong, &schema, &schema).is_err());
}

/// As much of a validator as the schema needs.
fn fits(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let object = schema.as_object().unwrap();
    if let Some(Value::String(reference)) = object.get("$ref") {
        return fits(value, root.pointer(reference.trim_start_matches('#')).unwrap(), root);
    }
    if let Some(options) = object.get("oneOf").and_then(Value::as_array) {
        let whys: Vec<_> = options.iter().filter_map(|option| fits(value, option, root).err()).collect();
        return if whys.len() + 1 == options.len() { Ok(()) } else { Err(whys.join("; ")) };
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        other => panic!("{other}"),
    };
    let typed = match object.get("type") {
        Some(Value::String(name)) => is(name),
        Some(names) => names.as_array().unwrap().iter().any(|name| is(name.as_str().unwrap())),
        None => true,
    };
    let listed = object.get("enum").is_none_or(|known| known.as_array().unwrap().contains(value));
    let same = object.get("const").is_none_or(|only| only == value);
    if !(typed && listed && same) {
        return Err(format!("{value} is no {schema}"));
    }
    if let (Some(items), Some(values)) = (object.get("items"), value.as_array()) {
        values.iter().try_for_each(|value| fits(value, items, root))?;
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    for name in object.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            return Err(format!("{name} is missing"));
        }
    }
    for (name, member) in members {
        match (object.get("properties").and_then(|known| known.get(name)), object.get("additionalProperties")) {
            (Some(known), _) => fits(member, known, root)?,
            (None, Some(Value::Bool(false))) => return Err(format!("{name} is unknown")),
            (None, Some(other)) => fits(member, other, root)?,
            (None, None) => {}
        }
    }
    Ok(())
}

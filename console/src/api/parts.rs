//! What a histogram is cut by: conditions that exclude each other.

use std::collections::BTreeMap;

use vedette_archive::{Archive, By, Field, Filter, Number, Query};
use vedette_rules::{Policy, Priority};

use crate::failure::Failure;

/// Values that a histogram is cut by; the others are together.
const STACKED: usize = 8;
const ALLOWED: &str = "a field with one value, `codeClass`, or `priority`";

/// Each part's name and condition. What is in none of them is the rest.
pub(crate) async fn of(
    archive: &dyn Archive,
    query: &Query,
    by: &str,
    policy: Option<&Policy>,
) -> Result<Vec<(String, Filter)>, Failure> {
    match by {
        "codeClass" => return Ok((1..=5).map(class).collect()),
        "priority" => {
            let missing = || Failure::bad("by", "the console does not know the rules in force, and so no priorities");
            return Ok(priorities(policy.ok_or_else(missing)?));
        }
        _ => {}
    }
    let field: Field = by.parse().map_err(|_| Failure::bad("by", ALLOWED))?;
    if !field.is_groupable() || matches!(field, Field::Group | Field::SourceIp | Field::Rule) {
        return Err(Failure::bad("by", ALLOWED));
    }
    let facets = archive.facets(query, &[By::Field(field)], STACKED).await?;
    let values = facets.into_iter().flat_map(|facet| facet.values);
    Ok(values.map(|(value, _)| (value.clone(), Filter::is(field, [value]))).collect())
}

fn class(class: i64) -> (String, Filter) {
    (format!("{class}xx"), Filter::Within(Number::Code, Some(class * 100), Some(class * 100 + 99)))
}

/// The highest priority of the rules in force that an event is kept by. An event tells rules by `<Rule resource>.<rule>`: where that is
/// two rules of different namespaces, the higher one counts.
fn priorities(policy: &Policy) -> Vec<(String, Filter)> {
    let mut of_rule: BTreeMap<&str, Priority> = BTreeMap::new();
    for rule in policy.rules.rules() {
        let highest = of_rule.entry(&rule.qualified).or_insert(rule.priority);
        *highest = (*highest).max(rule.priority);
    }
    let kept_by = |wanted: &dyn Fn(Priority) -> bool| {
        let rules = of_rule.iter().filter(|(_, priority)| wanted(**priority));
        Filter::is(Field::Rule, rules.map(|(rule, _)| *rule))
    };
    let part = |priority: Priority| {
        let higher = Filter::Not(Box::new(kept_by(&|it| it > priority)));
        (priority.to_string(), kept_by(&|it| it == priority).and(higher))
    };
    [Priority::Warning, Priority::Info, Priority::Debug].into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use vedette_audit::Document;
    use vedette_audit::Event;
    use vedette_rules::SourceFile;

    use super::*;

    const RULES: &str = r#"
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata: {name: group, labels: {type: archiving}}
spec:
  rules:
  - {name: low, type: rule, condition: "Verb = \"get\"", output: low, priority: DEBUG, enable: true}
  - {name: middle, type: rule, condition: "Verb = \"list\"", output: middle, priority: INFO, enable: true}
  - {name: high, type: rule, condition: "Verb = \"watch\"", output: high, priority: WARNING, enable: true}
"#;

    #[test]
    fn the_highest_priority_counts() {
        let files = [SourceFile { name: "rules.yaml".to_owned(), text: RULES.to_owned() }];
        let policy = Policy::build(&files, 1).unwrap().policy;
        let parts = priorities(&policy);
        assert_eq!(parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["WARNING", "INFO", "DEBUG"]);
        for (rules, expected) in [
            (&["group.low"][..], Some("DEBUG")),
            (&["group.low", "group.middle"], Some("INFO")),
            (&["group.low", "group.high", "group.middle"], Some("WARNING")),
            (&["gone.rule"], None),
            (&[], None),
        ] {
            let event =
                Event::parse(br#"{"verb":"get","requestReceivedTimestamp":"2026-11-22T10:00:00.000000Z"}"#).unwrap();
            let mut json = Vec::new();
            event.rewrite(vedette_audit::Level::Metadata, "default", &mut json);
            let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
            let document = Document::build(event.id("default"), &json, &rules, 0).unwrap();
            let in_parts: Vec<_> =
                parts.iter().filter(|(_, it)| it.matches(&document)).map(|(name, _)| name.as_str()).collect();
            assert_eq!(in_parts, expected.into_iter().collect::<Vec<_>>(), "{rules:?}");
        }
    }
}

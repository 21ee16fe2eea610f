//! What the types in the signatures of methods look like, as JSON Schema. `schemas.json` has them.

use serde_json::{Map, Value};
use std::sync::LazyLock;

static SCHEMAS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let parsed = serde_json::from_str(include_str!("schemas.json"));
    parsed.unwrap_or_else(|error| panic!("schemas.json is broken: {error}"))
});

/// Adds the schema of a type, and those that it refers to. A type without one is left out, which a test reports.
pub(super) fn collect(name: &str, into: &mut Map<String, Value>) {
    let Some(schema) = SCHEMAS.get(name).filter(|_| !into.contains_key(name)) else { return };
    into.insert(name.to_owned(), schema.clone());
    follow(schema, into);
}

fn follow(value: &Value, into: &mut Map<String, Value>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| match value {
            Value::String(target) if key == "$ref" => {
                collect(target.trim_start_matches("#/components/schemas/"), into);
            }
            value => follow(value, into),
        }),
        Value::Array(list) => list.iter().for_each(|value| follow(value, into)),
        _ => {}
    }
}

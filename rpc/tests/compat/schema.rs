//! The part of JSON Schema that the schemas of the execution-apis use.

use super::pattern::matches;
use serde_json::Value;

/// Whether a value fits a schema; if not, where and why.
pub(crate) fn check(value: &Value, schema: &Value, path: &str) -> Result<(), String> {
    let fails = |why: String| Err(format!("{path}: {why}"));
    if let Some(kind) = schema.get("type") {
        let kinds: Vec<_> = kind.as_array().map_or_else(|| vec![kind], |kinds| kinds.iter().collect());
        if !kinds.iter().any(|kind| is_of_kind(value, kind.as_str().unwrap_or_default())) {
            return fails(format!("{value:.80} is not of type {kind}"));
        }
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array)
        && !list.contains(value)
    {
        return fails(format!("{value:.80} is not one of {list:?}"));
    }
    if let (Some(text), Some(pattern)) = (value.as_str(), schema.get("pattern").and_then(Value::as_str))
        && !matches(pattern, text)
    {
        return fails(format!("{text:.80} does not match {pattern}"));
    }
    if let Some(number) = value.as_f64() {
        let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
        if limit("minimum").is_some_and(|least| number < least) || limit("maximum").is_some_and(|most| number > most) {
            return fails(format!("{number} is out of range"));
        }
    }
    if let (Some(items), Some(schema)) = (value.as_array(), schema.get("items")) {
        for (index, item) in items.iter().enumerate() {
            check(item, schema, &format!("{path}[{index}]"))?;
        }
    }
    check_fields(value, schema, path)?;
    let branches = |name: &str| schema.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for schema in branches("allOf") {
        check(value, schema, path)?;
    }
    let fitting = |name: &str| branches(name).iter().filter(|schema| check(value, schema, path).is_ok()).count();
    if !branches("anyOf").is_empty() && fitting("anyOf") == 0 {
        return fails("fits no branch".to_owned());
    }
    if !branches("oneOf").is_empty() && fitting("oneOf") != 1 {
        return fails(format!("fits {} branches, not one", fitting("oneOf")));
    }
    Ok(())
}

fn check_fields(value: &Value, schema: &Value, path: &str) -> Result<(), String> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = required.as_str().unwrap_or_default();
        if !fields.contains_key(name) {
            return Err(format!("{path}.{name} is missing"));
        }
    }
    for (name, value) in fields {
        let path = format!("{path}.{name}");
        let property = schema.get("properties").and_then(|properties| properties.get(name));
        let patterns = schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
        let matching = patterns.filter(|(pattern, _)| matches(pattern, name));
        let mut is_known = false;
        for schema in property.into_iter().chain(matching.map(|(_, schema)| schema)) {
            is_known = true;
            check(value, schema, &path)?;
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) if !is_known => return Err(format!("{path} should not be there")),
            Some(schema @ Value::Object(_)) if !is_known => check(value, schema, &path)?,
            _ => {}
        }
    }
    Ok(())
}

fn is_of_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        _ => false,
    }
}

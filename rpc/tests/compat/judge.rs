//! Whether an answer is the expected one.
//!
//! As hive does it: equal as JSON, numbers by value, but the text of an error does not count where both have one. The answers of some cases only
//! have to fit the schema of the method.

use super::{schema, suite::Case};
use braid_rpc::Backend;
use jsonrpsee::RpcModule;
use serde_json::Value;
use std::sync::Arc;

/// Most differences that are told.
const MAX_DIFFERENCES: usize = 8;

pub(crate) async fn run(module: &RpcModule<Arc<Backend>>, case: &Case, schemas: &Value) -> Result<(), String> {
    for (request, expected) in &case.exchanges {
        let (answer, _) = module.raw_json_request(request, 1).await.map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_str(answer.get()).map_err(|error| error.to_string())?;
        if case.is_only_specified && answer.get("error").is_none() {
            let result = answer.get("result").ok_or("no result")?;
            let schema = schemas.get(case.method()).ok_or("the method has no schema")?;
            schema::check(result, schema, "$")?;
            continue;
        }
        let mut expected = expected.clone();
        drop_messages(&mut answer, &mut expected);
        let mut differences = Vec::new();
        compare(&answer, &expected, "$", &mut differences);
        if !differences.is_empty() {
            differences.truncate(MAX_DIFFERENCES);
            return Err(differences.join("; "));
        }
    }
    Ok(())
}

/// Drops the text of errors where both have one.
fn drop_messages(answer: &mut Value, expected: &mut Value) {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            for (key, expected) in expected {
                let Some(answer) = answer.get_mut(key) else { continue };
                if key != "error" {
                    drop_messages(answer, expected);
                } else if let (Some(answer), Some(expected)) = (answer.as_object_mut(), expected.as_object_mut())
                    && answer.contains_key("message")
                    && expected.contains_key("message")
                {
                    answer.remove("message");
                    expected.remove("message");
                }
            }
        }
        (Value::Array(answer), Value::Array(expected)) => {
            answer.iter_mut().zip(expected).for_each(|(answer, expected)| drop_messages(answer, expected));
        }
        _ => {}
    }
}

fn compare(answer: &Value, expected: &Value, path: &str, differences: &mut Vec<String>) {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            for (key, expected) in expected {
                let path = format!("{path}.{key}");
                match answer.get(key) {
                    Some(answer) => compare(answer, expected, &path, differences),
                    None => differences.push(format!("{path} is missing")),
                }
            }
            let extra = answer.keys().filter(|key| !expected.contains_key(*key));
            differences.extend(extra.map(|key| format!("{path}.{key} should not be there: {}", answer[key])));
        }
        (Value::Array(answer), Value::Array(expected)) => {
            if answer.len() != expected.len() {
                differences.push(format!("{path} has {} items, not {}", answer.len(), expected.len()));
            }
            for (index, (answer, expected)) in answer.iter().zip(expected).enumerate() {
                compare(answer, expected, &format!("{path}[{index}]"), differences);
            }
        }
        (Value::Number(answer), Value::Number(expected)) if answer.as_f64() == expected.as_f64() => {}
        _ if answer == expected => {}
        _ => differences.push(format!("{path} is {answer:.120}, not {expected:.120}")),
    }
}

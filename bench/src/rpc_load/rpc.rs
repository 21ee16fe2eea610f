//! Calls beside the load, where convenience counts more than processor time.

use super::{Connection, LoadError, post};
use alloy_primitives::U64;
use serde_json::{Value, json};

/// A connection for single calls.
#[derive(Debug)]
pub struct Rpc {
    connection: Connection,
}

impl Rpc {
    /// Connects to a port of 127.0.0.1.
    pub async fn open(port: u16) -> Result<Self, LoadError> {
        Ok(Self { connection: Connection::open(port).await? })
    }

    /// Calls a method.
    pub async fn call(&mut self, method: &str, parameters: Value) -> Result<Value, LoadError> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        let reply = self.connection.exchange(&post(body.to_string().as_bytes())).await?;
        result(method, parse(method, reply)?)
    }

    /// Calls a method that returns a number.
    pub async fn number(&mut self, method: &str, parameters: Value) -> Result<u64, LoadError> {
        let value = self.call(method, parameters).await?;
        number(method, &value)
    }

    /// Calls a method once for each parameter list, in batches of 100; results in the order of the lists.
    pub async fn call_each(&mut self, method: &str, parameters: &[Value]) -> Result<Vec<Value>, LoadError> {
        let mut results = Vec::with_capacity(parameters.len());
        for parameters in parameters.chunks(100) {
            let body: Vec<Value> = parameters
                .iter()
                .enumerate()
                .map(|(id, parameters)| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}))
                .collect();
            let reply = self.connection.exchange(&post(Value::from(body).to_string().as_bytes())).await?;
            let Value::Array(mut replies) = parse(method, reply)? else {
                return Err(foreign(method, &String::from_utf8_lossy(reply)));
            };
            if replies.len() != parameters.len() {
                return Err(foreign(method, &format!("{} replies to {} calls", replies.len(), parameters.len())));
            }
            replies.sort_by_key(|reply| reply["id"].as_u64());
            for reply in replies {
                results.push(result(method, reply)?);
            }
        }
        Ok(results)
    }
}

/// A quantity such as `"0x1f"`.
pub(super) fn number(method: &str, value: &Value) -> Result<u64, LoadError> {
    let number = value.as_str().and_then(|text| text.parse::<U64>().ok());
    number.map(|number| number.to::<u64>()).ok_or_else(|| foreign(method, &value.to_string()))
}

fn parse(method: &str, reply: &[u8]) -> Result<Value, LoadError> {
    serde_json::from_slice(reply).map_err(|_| foreign(method, &String::from_utf8_lossy(reply)))
}

fn result(method: &str, mut reply: Value) -> Result<Value, LoadError> {
    if let Some(result) = reply.get_mut("result") {
        return Ok(result.take());
    }
    match reply.get("error") {
        Some(error) => Err(LoadError::Refused {
            method: method.to_owned(),
            code: error["code"].as_i64().unwrap_or(0),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
        }),
        None => Err(foreign(method, &reply.to_string())),
    }
}

fn foreign(method: &str, reply: &str) -> LoadError {
    LoadError::Reply { method: method.to_owned(), reply: reply.chars().take(200).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(number("m", &json!("0x1f")).unwrap(), 31);
        assert!(number("m", &json!(31)).is_err());
        assert!(number("m", &json!("x")).is_err());
    }

    #[test]
    fn results_and_refusals() {
        assert_eq!(result("m", json!({"id": 1, "result": null})).unwrap(), Value::Null);
        let refused = result("m", json!({"id": 1, "error": {"code": -32601, "message": "no"}}));
        assert_eq!(refused.unwrap_err().to_string(), "m failed: no (-32601)");
        assert!(matches!(result("m", json!({"id": 1})), Err(LoadError::Reply { .. })));
    }
}

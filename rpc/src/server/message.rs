//! Requests as clients send them, and answers.

use crate::RpcError;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt::Write};

/// The message is no JSON.
pub(super) const PARSE_ERROR: i32 = -32700;
/// The message is JSON, but no request.
pub(super) const INVALID_REQUEST: i32 = -32600;
/// An answer is longer than the limit (as geth).
pub(super) const RESPONSE_TOO_LARGE: i32 = -32003;

/// A request or notification. Members that are not known are passed over; a missing `jsonrpc` is tolerated.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow, default)]
    pub(super) jsonrpc: Option<Cow<'a, str>>,
    /// As it came, so that it goes back the same, whatever its kind and size; `None` for a notification.
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) method: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) params: Option<&'a RawValue>,
}

/// What is left to answer when something is no request: its id.
#[derive(Debug, Deserialize)]
struct Remains<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

/// `null` is an id too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Request<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// The id to answer with, if there is one, when it is no request.
    pub(super) fn parse(json: &'a str) -> Result<Self, Option<&'a RawValue>> {
        match serde_json::from_str::<Self>(json) {
            Ok(request) if request.is_valid() => Ok(request),
            Ok(request) => Err(request.id.filter(|id| is_id(id))),
            Err(_) => {
                let remains = serde_json::from_str::<Remains<'_>>(json);
                Err(remains.ok().and_then(|remains| remains.id).filter(|id| is_id(id)))
            }
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.jsonrpc.as_deref().is_none_or(|version| version == "2.0")
            && !self.method.is_empty()
            && self.id.is_none_or(is_id)
    }
}

/// Ids are strings, numbers or null (some servers take booleans; geth does too).
fn is_id(id: &RawValue) -> bool {
    !id.get().starts_with(['{', '['])
}

/// Appends the answer to a call that went well.
pub(super) fn write_result(out: &mut String, id: &RawValue, result: &RawValue) {
    out.reserve(result.get().len() + id.get().len() + 36);
    out.push_str(r#"{"jsonrpc":"2.0","id":"#);
    out.push_str(id.get());
    out.push_str(r#","result":"#);
    out.push_str(result.get());
    out.push('}');
}

/// Appends the answer to a call that failed; without an id, `null` is one.
pub(super) fn write_error(out: &mut String, id: Option<&RawValue>, error: &RpcError) {
    let message = serde_json::Value::from(error.message.as_str());
    let id = id.map_or("null", RawValue::get);
    let code = error.code;
    // Writing to a string cannot fail.
    let _ = write!(out, r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}"#);
    if let Some(data) = &error.data {
        out.push_str(r#","data":"#);
        out.push_str(data.get());
    }
    out.push_str("}}");
}

/// A notification of a subscription.
pub(crate) fn notification(subscription: &str, result: &RawValue) -> String {
    let result = result.get();
    format!(
        r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{subscription}","result":{result}}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> Option<String> {
        Request::parse(json).unwrap().id.map(|id| id.get().to_owned())
    }

    #[test]
    fn ids_of_every_kind_are_kept() {
        for text in ["1", "-5", "1.5", "340282366920938463463374607431768211456", "null", r#""a-b""#, r#""é""#] {
            assert_eq!(id(&format!(r#"{{"id":{text},"method":"m"}}"#)).as_deref(), Some(text));
        }
        assert_eq!(id(r#"{"jsonrpc":"2.0","method":"m"}"#), None);
    }

    #[test]
    fn what_is_no_request_still_has_its_id() {
        let refused = |json: &str| Request::parse(json).unwrap_err().map(|id| id.get().to_owned());
        assert_eq!(refused(r#"{"id":7}"#).as_deref(), Some("7"));
        assert_eq!(refused(r#"{"id":7,"method":1}"#).as_deref(), Some("7"));
        assert_eq!(refused(r#"{"id":7,"method":"m","jsonrpc":"1.0"}"#).as_deref(), Some("7"));
        assert_eq!(refused(r#"{"id":{},"method":"m"}"#), None);
        assert_eq!(refused("[]"), None);
    }

    #[test]
    fn answers_are_json() {
        let mut out = String::new();
        let error = RpcError::server("bad \"thing\"\n").with_data(&1);
        write_error(&mut out, None, &error);
        assert_eq!(out, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"bad \"thing\"\n","data":1}}"#);
    }
}

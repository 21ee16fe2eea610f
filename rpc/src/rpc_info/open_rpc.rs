//! The OpenRPC document: <https://spec.open-rpc.org>.

use super::schemas;
use crate::methods::MethodDescription;
use serde_json::{Map, Value, json};

/// The document of these methods.
pub(super) fn document(methods: &[MethodDescription]) -> Value {
    let listed: Vec<Value> = methods.iter().map(method).collect();
    let kinds = methods.iter().flat_map(|method| {
        let parameters = method.parameters.iter().map(|parameter| parameter.kind);
        parameters.chain([method.result])
    });
    let mut named = Map::new();
    for kind in kinds {
        schemas::collect(base(kind), &mut named);
    }
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Braid JSON-RPC",
            "description": "Every method that this node offers at this port.",
            "license": { "name": "MIT OR Apache-2.0" },
            "version": env!("CARGO_PKG_VERSION"),
        },
        "methods": listed,
        "components": { "schemas": named },
    })
}

fn method(method: &MethodDescription) -> Value {
    let parameters = method.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "required": parameter.is_required,
            "schema": schema(parameter.kind),
        })
    });
    json!({
        "name": method.name,
        "summary": method.about,
        "paramStructure": "either",
        "params": parameters.collect::<Vec<_>>(),
        "result": { "name": "result", "schema": schema(method.result) },
    })
}

/// The name of a type without what stands behind it.
fn base(kind: &str) -> &str {
    kind.trim_end_matches('?').trim_end_matches("[]")
}

/// `T[]` is a list of `T`; `T?` may be null.
fn schema(kind: &str) -> Value {
    if let Some(inner) = kind.strip_suffix('?') {
        return json!({ "oneOf": [schema(inner), { "type": "null" }] });
    }
    match kind.strip_suffix("[]") {
        Some(inner) => json!({ "type": "array", "items": schema(inner) }),
        None => json!({ "$ref": format!("#/components/schemas/{kind}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_schemas() {
        let hash = json!({ "$ref": "#/components/schemas/Hash" });
        assert_eq!(schema("Hash"), hash);
        assert_eq!(schema("Hash[]?"), json!({ "oneOf": [{ "type": "array", "items": hash }, { "type": "null" }] }));
        assert_eq!(base("Hash[]?"), "Hash");
    }
}

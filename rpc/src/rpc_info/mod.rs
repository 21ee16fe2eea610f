//! `rpc_`: what can be called here.

mod open_rpc;
mod schemas;

use crate::{MethodSet, methods::MethodDescription};
use serde_json::{Value, value::to_raw_value};
use std::collections::BTreeMap;

/// Registers the methods. Last of all, because they tell what else is registered.
pub(crate) fn register(methods: &mut MethodSet) {
    let mut namespaces: BTreeMap<&str, &str> = methods.namespaces().into_iter().map(|name| (name, "1.0")).collect();
    namespaces.insert("rpc", "1.0");
    methods.quick("rpc_modules() -> Modules", "The namespaces that are offered, with their versions.", move |_, ()| {
        Ok(namespaces.clone())
    });
    let mut descriptions = methods.descriptions();
    let (signature, about) = ("rpc.discover() -> OpenRpc", "This document: every method that is offered (OpenRPC).");
    descriptions.push(MethodDescription::parse(signature, about));
    descriptions.sort_unstable_by_key(|description| description.name);
    // Written once; it never changes.
    let document: Value = open_rpc::document(&descriptions);
    match to_raw_value(&document) {
        Ok(document) => methods.quick(signature, about, move |_, ()| Ok(document.clone())),
        Err(error) => panic!("the OpenRPC document is no JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_chain;
    use std::collections::BTreeSet;

    fn document() -> (Value, BTreeSet<String>) {
        let methods = test_chain::backend(test_chain::dev_chain()).methods();
        let names = methods.methods().keys().map(|name| (*name).to_owned()).collect();
        let document = open_rpc::document(&methods.descriptions());
        (document, names)
    }

    #[test]
    fn the_document_has_what_is_registered() {
        let (document, names) = document();
        let listed = document["methods"].as_array().unwrap().iter();
        let listed: BTreeSet<String> = listed.map(|method| method["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(listed, names);
        assert!(names.contains("rpc.discover") && names.contains("rpc_modules"));
        assert_eq!(document["openrpc"], "1.3.2");
    }

    /// Every `$ref` leads to a schema, and every schema is used.
    #[test]
    fn every_type_has_a_schema() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| match value {
                    Value::String(target) if key == "$ref" => {
                        found.insert(target.trim_start_matches("#/components/schemas/").to_owned());
                    }
                    value => references(value, found),
                }),
                Value::Array(list) => list.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let (document, _) = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let missing: Vec<_> = found.iter().filter(|name| !schemas.contains_key(*name)).collect();
        assert!(missing.is_empty(), "types without a schema: {missing:?}");
        for (name, schema) in schemas {
            assert!(schema.is_object(), "{name}");
        }
    }

    #[test]
    fn the_namespaces_are_told() {
        let methods = test_chain::backend(test_chain::dev_chain()).methods();
        assert!(methods.namespaces().contains("rpc"));
    }
}

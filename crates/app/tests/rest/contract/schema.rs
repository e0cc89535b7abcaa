//! OpenAPI 3.0's dialect of JSON Schema, made into JSON Schema: it says `nullable` where JSON
//! Schema lists the type `null`. What OpenAPI 3.1 says is JSON Schema already and stays as it is.

use serde_json::{Map, Value, json};

/// The same schema, or the same collection of schemas, in JSON Schema's words.
pub(super) fn converted(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => object(fields),
        Value::Array(items) => items.iter().map(converted).collect(),
        other => other.clone(),
    }
}

fn object(fields: &Map<String, Value>) -> Value {
    let mut whole: Map<String, Value> = fields
        .iter()
        .filter(|(name, _)| !is_prose(name))
        .map(|(name, value)| (name.clone(), field(name, value)))
        .collect();
    if whole.remove("nullable") != Some(Value::Bool(true)) {
        return Value::Object(whole);
    }
    json!({ "anyOf": [{ "type": "null" }, whole] })
}

/// Below `properties` stand names of properties, which may be any word.
fn field(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(properties) if name == "properties" => properties
            .iter()
            .map(|(name, schema)| (name.clone(), converted(schema)))
            .collect::<Map<_, _>>()
            .into(),
        _ => converted(value),
    }
}

/// Fields that say nothing about which values are right.
fn is_prose(name: &str) -> bool {
    matches!(name, "example" | "examples" | "x-github-breaking-changes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_null_may_be_null_also_below_other_schemas() {
        let schema = json!({
            "type": "object",
            "properties": { "a": { "type": "string", "nullable": true, "enum": ["b"] } },
        });
        let validator = jsonschema::validator_for(&converted(&schema)).unwrap();
        assert!(validator.is_valid(&json!({ "a": null })));
        assert!(validator.is_valid(&json!({ "a": "b" })));
        assert!(!validator.is_valid(&json!({ "a": "c" })));
    }
}

//! The description of the API as a reader takes it in: sections of operations, and the types that
//! they take and answer.

use serde_json::Value;

use crate::rest::document;
use crate::rest::operation::{Operation, Origin, Table};

/// The whole reference.
pub(super) struct Reference {
    pub(super) sections: Vec<Section>,
    pub(super) types: Vec<Type>,
}

/// The operations of one noun.
pub(super) struct Section {
    /// `packages`.
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
}

/// One operation.
pub(super) struct Entry {
    pub(super) id: &'static str,
    pub(super) method: String,
    pub(super) path: &'static str,
    pub(super) is_own: bool,
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) scopes: Vec<&'static str>,
    pub(super) parameters: Vec<Field>,
    pub(super) body: Option<Kind>,
    pub(super) answers: Vec<Answer>,
}

/// A parameter, or a field of a type.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    pub(super) meaning: String,
}

/// What is answered with a status.
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) meaning: String,
    pub(super) body: Option<Kind>,
}

/// What something is: words, and perhaps a type of the reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kind {
    /// `array of`, `string`.
    pub(super) words: String,
    /// The name of a type.
    pub(super) named: Option<String>,
}

/// A type that has a name.
pub(super) struct Type {
    pub(super) name: String,
    pub(super) meaning: String,
    pub(super) fields: Vec<Field>,
}

impl Section {
    /// Whether several of its operations are summed up in the same words.
    pub(super) fn names_twice(&self, summary: &str) -> bool {
        self.entries
            .iter()
            .filter(|entry| entry.summary == summary)
            .nth(1)
            .is_some()
    }
}

impl Reference {
    /// Reads the table.
    pub(super) fn read(table: &Table) -> Self {
        let document = document::document(&table.operations, &table.schemas);
        let document = serde_json::to_value(document).unwrap_or_default();
        let mut sections: Vec<Section> = Vec::new();
        for operation in &table.operations {
            let entry = entry(operation, &document);
            let name = operation.id.split('/').next().unwrap_or_default();
            match sections.iter_mut().find(|section| section.name == name) {
                Some(section) => section.entries.push(entry),
                None => sections.push(Section {
                    name: name.to_owned(),
                    entries: vec![entry],
                }),
            }
        }
        let schemas = document.pointer("/components/schemas");
        let schemas = schemas.and_then(Value::as_object).into_iter().flatten();
        let types = schemas
            .map(|(name, schema)| type_of(name, schema))
            .collect();
        Self { sections, types }
    }
}

fn entry(operation: &Operation, document: &Value) -> Entry {
    let method = operation.method.as_str();
    let described = document
        .get("paths")
        .and_then(|paths| paths.get(operation.path)?.get(method.to_ascii_lowercase()))
        .unwrap_or(&Value::Null);
    let answers = described["responses"].as_object().into_iter().flatten();
    let json = |content: &Value| {
        let schema = content.pointer("/content/application~1json/schema");
        schema.map(kind)
    };
    Entry {
        id: operation.id,
        method: method.to_owned(),
        path: operation.path,
        is_own: operation.origin == Origin::Naru,
        summary: text(&described["summary"]),
        description: text(&described["description"]),
        scopes: operation
            .scopes
            .iter()
            .map(|scope| scope.as_str())
            .collect(),
        parameters: list(&described["parameters"])
            .iter()
            .map(parameter)
            .collect(),
        body: json(&described["requestBody"]),
        answers: answers
            .map(|(status, answer)| Answer {
                status: status.clone(),
                meaning: text(&answer["description"]),
                body: json(answer),
            })
            .collect(),
    }
}

fn parameter(parameter: &Value) -> Field {
    Field {
        name: text(&parameter["name"]),
        kind: kind(&parameter["schema"]),
        is_required: parameter["required"] == true,
        meaning: text(&parameter["description"]),
    }
}

fn type_of(name: &str, schema: &Value) -> Type {
    let mut fields = Vec::new();
    collect_fields(schema, &mut fields);
    Type {
        name: name.to_owned(),
        meaning: text(&schema["description"]),
        fields,
    }
}

/// Fields of an object, also of one that is put together from several.
fn collect_fields(schema: &Value, fields: &mut Vec<Field>) {
    for part in list(&schema["allOf"]) {
        if let Some(named) = part["$ref"].as_str() {
            fields.push(Field {
                name: "…".to_owned(),
                kind: reference(named),
                is_required: false,
                meaning: String::new(),
            });
        }
        collect_fields(part, fields);
    }
    let required = list(&schema["required"]);
    let properties = schema["properties"].as_object().into_iter().flatten();
    fields.extend(properties.map(|(name, schema)| Field {
        name: name.clone(),
        kind: kind(schema),
        is_required: required.iter().any(|known| known == name),
        meaning: text(&schema["description"]),
    }));
}

fn reference(target: &str) -> Kind {
    let name = target.rsplit('/').next().unwrap_or_default();
    Kind {
        words: String::new(),
        named: Some(name.to_owned()),
    }
}

/// What a schema says in few words.
fn kind(schema: &Value) -> Kind {
    if let Some(target) = schema["$ref"].as_str() {
        return reference(target);
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        let real = list(&schema[several])
            .iter()
            .find(|one| one["type"] != "null");
        if let Some(real) = real {
            return kind(real);
        }
    }
    let word = match &schema["type"] {
        Value::String(word) => word.clone(),
        Value::Array(words) => words
            .iter()
            .filter_map(Value::as_str)
            .filter(|word| *word != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        _ => String::new(),
    };
    if word == "array" {
        let items = kind(&schema["items"]);
        return Kind {
            words: format!("array of {}", items.words).trim().to_owned(),
            named: items.named,
        };
    }
    Kind {
        words: if word.is_empty() {
            "any".to_owned()
        } else {
            word
        },
        named: None,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rest::routes;

    fn words(schema: &Value) -> (String, Option<String>) {
        let kind = kind(schema);
        (kind.words, kind.named)
    }

    #[test]
    fn a_schema_is_said_in_few_words() {
        let named = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        for (schema, expected) in [
            (json!({ "type": "string" }), ("string", None)),
            (json!({ "type": ["integer", "null"] }), ("integer", None)),
            (
                json!({ "type": "array", "items": named("Package") }),
                ("array of", Some("Package")),
            ),
            (
                json!({ "oneOf": [{ "type": "null" }, named("User")] }),
                ("", Some("User")),
            ),
            (json!({}), ("any", None)),
        ] {
            let (found, name) = words(&schema);
            assert_eq!((found.as_str(), name.as_deref()), expected, "{schema}");
        }
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        let reference = Reference::read(&routes::table());
        let known: Vec<_> = reference
            .types
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        let fields = reference.types.iter().flat_map(|one| &one.fields);
        let mut named: Vec<_> = fields
            .filter_map(|field| field.kind.named.as_deref())
            .collect();
        for entry in reference
            .sections
            .iter()
            .flat_map(|section| &section.entries)
        {
            let answers = entry
                .answers
                .iter()
                .filter_map(|answer| answer.body.as_ref());
            let kinds = answers.chain(&entry.body);
            named.extend(kinds.filter_map(|kind| kind.named.as_deref()));
        }
        assert!(named.len() > 10);
        for name in named {
            assert!(known.contains(&name), "{name}");
        }
    }
}

//! An OpenAPI document, read as far as the judging of answers needs it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::{OverlaidAnswer, OverlaidSchema, Overlay, schema};

/// The methods of OpenAPI that we use, as the document writes them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A description.
pub(crate) struct Description {
    pub(crate) operations: Vec<Operation>,
    /// Schemas of the document as JSON Schema.
    components: Value,
    /// Validators that were needed already, by operation and status.
    ready: Mutex<HashMap<(String, u16), Arc<Validator>>>,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// In capitals.
    pub(crate) method: String,
    /// The path with its parameters in braces.
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) answers: BTreeMap<u16, Expected>,
}

/// What an answer of a status is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// The schema of the body, as JSON Schema; `None` where there is no body or one of any form.
    pub(crate) schema: Option<Value>,
    /// Whether the description promises a JSON body.
    pub(crate) has_body: bool,
}

impl Description {
    /// Reads a document.
    pub(crate) fn read(document: Value) -> Self {
        let none = Overlay {
            answers: Vec::new(),
            schemas: Vec::new(),
        };
        Self::overlaid(document, &none)
    }

    /// Reads a document with the overlay over it.
    pub(crate) fn overlaid(mut document: Value, overlay: &Overlay) -> Self {
        overlay
            .schemas
            .iter()
            .for_each(|change| apply(&mut document, change));
        let mut operations = operations(&document);
        for operation in &mut operations {
            let fitting: Vec<_> = overlay
                .answers
                .iter()
                .filter(|answer| answer.fits(operation))
                .collect();
            for answer in fitting {
                let answers = &mut operation.answers;
                answers
                    .entry(answer.status)
                    .or_insert_with(|| answer.expected());
            }
        }
        Self {
            operations,
            components: schema::converted(&document["components"]["schemas"]),
            ready: Mutex::default(),
        }
    }

    /// The operation that a request is: of those whose template fits, the one with the fewest
    /// parameters, as routers choose.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<&Operation> {
        let fitting = self
            .operations
            .iter()
            .filter(|operation| operation.method == method && fits(&operation.path, path));
        fitting.min_by_key(|operation| operation.path.matches('{').count())
    }

    /// The operation with a method and template, whatever its parameters are called.
    pub(crate) fn has(&self, method: &str, template: &str) -> bool {
        let wanted = without_names(template);
        self.operations
            .iter()
            .any(|operation| operation.method == method && without_names(&operation.path) == wanted)
    }

    /// What validates the body of an operation's answer; `None` where any body will do.
    pub(super) fn validator(&self, operation: &Operation, status: u16) -> Option<Arc<Validator>> {
        let schema = operation.answers.get(&status)?.schema.as_ref()?;
        let key = (format!("{} {}", operation.method, operation.path), status);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = ready
            .entry(key)
            .or_insert_with(|| Arc::new(self.compile(schema)));
        Some(Arc::clone(validator))
    }

    fn compile(&self, schema: &Value) -> Validator {
        let whole = serde_json::json!({
            "allOf": [schema],
            "components": { "schemas": self.components },
        });
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&whole)
            .unwrap_or_else(|error| panic!("{schema} is no schema: {error}"))
    }
}

impl OverlaidAnswer {
    fn fits(&self, operation: &Operation) -> bool {
        let named = self
            .operations
            .iter()
            .any(|name| match name.strip_suffix('*') {
                Some(start) => operation.id.starts_with(start),
                None => operation.id == *name,
            });
        named && (self.methods.is_empty() || self.methods.contains(&operation.method))
    }

    fn expected(&self) -> Expected {
        let reference =
            |name: &String| serde_json::json!({ "$ref": format!("#/components/schemas/{name}") });
        Expected {
            schema: self.schema.as_ref().map(reference),
            has_body: self.schema.is_some(),
        }
    }
}

fn apply(document: &mut Value, change: &OverlaidSchema) {
    let OverlaidSchema {
        at,
        value,
        because: _,
    } = change;
    match document.pointer_mut(at) {
        Some(Value::Array(list)) if !value.is_array() => list.push(value.clone()),
        Some(place) => *place = value.clone(),
        None => {
            let (parent, name) = at.rsplit_once('/').unwrap();
            let parent = document.pointer_mut(parent);
            let parent = parent.and_then(Value::as_object_mut);
            let parent = parent.unwrap_or_else(|| panic!("the overlay's {at} leads nowhere"));
            parent.insert(name.to_owned(), value.clone());
        }
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    let paths = document["paths"]
        .as_object()
        .expect("a description has paths");
    for (path, item) in paths {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let answers = operation["responses"].as_object().into_iter().flatten();
            operations.push(Operation {
                method: method.to_ascii_uppercase(),
                path: path.clone(),
                id: operation["operationId"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                answers: answers
                    .filter_map(|(status, answer)| {
                        Some((status.parse().ok()?, expected(document, answer)))
                    })
                    .collect(),
            });
        }
    }
    operations
}

fn expected(document: &Value, answer: &Value) -> Expected {
    let answer = resolved(document, answer);
    let content = answer.get("content").and_then(Value::as_object);
    let json = content.and_then(json_of);
    let schema = json.and_then(|json| json.get("schema"));
    Expected {
        schema: schema.map(schema::converted),
        has_body: content.is_some_and(|content| !content.is_empty()),
    }
}

/// The entry for JSON, or for what is JSON under another name.
fn json_of(content: &Map<String, Value>) -> Option<&Value> {
    content.get("application/json").or_else(|| {
        let named = |(name, _): &(&String, &Value)| name.ends_with("+json");
        content.iter().find(named).map(|(_, value)| value)
    })
}

/// What a reference within the document leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value.get("$ref").and_then(Value::as_str);
    let target = pointer.and_then(|pointer| pointer.strip_prefix('#'));
    target
        .and_then(|target| document.pointer(target))
        .unwrap_or(value)
}

/// Whether a path, as it goes over the wire, is an instance of a template.
fn fits(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let all = template.split('/').all(|wanted| {
        parts
            .next()
            .is_some_and(|part| match wanted.starts_with('{') {
                true => !part.is_empty(),
                false => part == wanted,
            })
    });
    all && parts.next().is_none()
}

/// A template with all parameters called the same.
pub(crate) fn without_names(template: &str) -> String {
    let parts = template.split('/').map(|part| match part.starts_with('{') {
        true => "{}",
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

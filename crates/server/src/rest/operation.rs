//! One operation of the REST API, and the table of all of them.
//!
//! An operation is declared once, in the `routes` function of its noun: method, path, handler, what
//! the vendor calls it, which scopes it looks for, what it takes and answers. From the table come
//! the router, the OpenAPI document, the `X-Accepted-OAuth-Scopes` header, the sentences of
//! refusals and the address of its documentation; so none of them can disagree with another.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use naru_model::Scope;
use utoipa::openapi::path::{Operation as Documented, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Array, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Content, Ref, RefOr, Required, Response, ResponseBuilder, Schema};
use utoipa::{IntoParams, ToSchema};

use super::State;

/// One method on one path.
#[derive(Clone)]
pub(crate) struct Operation {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub(crate) method: Method,
    /// The path below the base, with `{name}` for each part that varies.
    pub(crate) path: &'static str,
    /// What the official description calls it, such as `packages/get-package-for-organization`;
    /// Naru's own operations are named in the same manner.
    pub(crate) id: &'static str,
    /// Whether it is one of the official description, or Naru's own.
    pub(crate) origin: Origin,
    /// The scopes of which one would do, for `X-Accepted-OAuth-Scopes`; none where any token does.
    pub(crate) scopes: &'static [Scope],
    /// What it does, as in "You need at least read:packages scope to … .".
    pub(crate) deed: &'static str,
    /// What the document says of it.
    pub(crate) documented: Documented,
}

/// Whose operation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The official description has it.
    Vendor,
    /// Only Naru has it.
    Naru,
}

impl Operation {
    /// The names in braces, in the order of the path.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static str> {
        parameters(self.path)
    }
}

impl Operation {
    /// Documents what any request may be answered, whatever it asks for.
    fn document_common(&mut self, schemas: &mut BTreeMap<String, RefOr<Schema>>) {
        let is_get = self.method == Method::GET;
        let mut declared = Declared {
            operation: self,
            schemas,
        };
        for status in [400, 403, 503] {
            if !declared.has(status) {
                declared = declared.refuses(&[status]);
            }
        }
        if is_get && !declared.has(304) {
            declared.ends(
                304,
                "Nothing has changed since the entity tag that was sent",
            );
        }
    }
}

fn parameters(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The table under construction.
#[derive(Default)]
pub(crate) struct Operations {
    rows: Vec<(Operation, MethodRouter<State>)>,
    schemas: BTreeMap<String, RefOr<Schema>>,
}

/// What the table is made into.
pub(crate) struct Table {
    /// Finds the handler of a request.
    pub(crate) router: Router<State>,
    /// Every operation, in the order in which they were declared.
    pub(crate) operations: Vec<Arc<Operation>>,
    /// The types that they take and answer, by name.
    pub(crate) schemas: BTreeMap<String, RefOr<Schema>>,
}

/// An operation that is being declared.
pub(crate) struct Declared<'t> {
    operation: &'t mut Operation,
    schemas: &'t mut BTreeMap<String, RefOr<Schema>>,
}

impl Operations {
    /// Declares `GET path`.
    pub(crate) fn get<H, T>(&mut self, path: &'static str, handler: H) -> Declared<'_>
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::GET, MethodFilter::GET, path, handler)
    }

    /// Declares `POST path`.
    pub(crate) fn post<H, T>(&mut self, path: &'static str, handler: H) -> Declared<'_>
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::POST, MethodFilter::POST, path, handler)
    }

    /// Declares `PUT path`.
    pub(crate) fn put<H, T>(&mut self, path: &'static str, handler: H) -> Declared<'_>
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::PUT, MethodFilter::PUT, path, handler)
    }

    /// Declares `PATCH path`.
    pub(crate) fn patch<H, T>(&mut self, path: &'static str, handler: H) -> Declared<'_>
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::PATCH, MethodFilter::PATCH, path, handler)
    }

    /// Declares `DELETE path`.
    pub(crate) fn delete<H, T>(&mut self, path: &'static str, handler: H) -> Declared<'_>
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::DELETE, MethodFilter::DELETE, path, handler)
    }

    fn add<H, T>(
        &mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
    ) -> Declared<'_>
    where
        H: Handler<T, State>,
        T: 'static,
    {
        let operation = Operation {
            method,
            path,
            id: "",
            origin: Origin::Vendor,
            scopes: &[],
            deed: "do this",
            documented: documented(path),
        };
        let (operation, _) = self.rows.push_mut((operation, on(filter, handler)));
        Declared {
            operation,
            schemas: &mut self.schemas,
        }
    }

    /// Makes the table: the router, and the list that everything else is made from.
    pub(crate) fn finish(self) -> Table {
        let mut router = Router::new();
        let mut operations = Vec::with_capacity(self.rows.len());
        let mut schemas = self.schemas;
        for (mut operation, handler) in self.rows {
            operation.document_common(&mut schemas);
            let operation = Arc::new(operation);
            operations.push(Arc::clone(&operation));
            let path = by_position(operation.path);
            router = router.route(&path, handler.layer(middleware::from_fn(naming(operation))));
        }
        Table {
            router,
            operations,
            schemas,
        }
    }
}

/// Tells the handler, and whoever finishes the answer, which operation it is.
fn naming(
    operation: Arc<Operation>,
) -> impl Fn(Request, Next) -> futures_util::future::BoxFuture<'static, axum::response::Response> + Clone
{
    move |mut request, next| {
        let operation = Arc::clone(&operation);
        Box::pin(async move {
            request.extensions_mut().insert(Arc::clone(&operation));
            let mut response = next.run(request).await;
            response.extensions_mut().insert(operation);
            response
        })
    }
}

/// The path with its parameters named by position: the official description calls one and the
/// same place by several names, which the router does not take.
fn by_position(path: &str) -> String {
    let mut number = 0;
    let part = |part: &str| {
        if part.starts_with('{') {
            number += 1;
            format!("{{p{number}}}")
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn documented(path: &'static str) -> Documented {
    let mut documented = Documented::new();
    documented.parameters = Some(parameters(path).map(path_parameter).map(RefOr::T).collect());
    documented
}

fn path_parameter(name: &'static str) -> Parameter {
    let kind = if name.ends_with("_id") {
        Type::Integer
    } else {
        Type::String
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(ObjectBuilder::new().schema_type(kind).build()))
        .build()
}

impl Declared<'_> {
    /// What the official description calls it.
    pub(crate) fn id(self, id: &'static str) -> Self {
        self.operation.id = id;
        self.operation.documented.operation_id = Some(id.to_owned());
        let tag = id.split('/').next().unwrap_or_default();
        self.operation.documented.tags = Some(vec![tag.to_owned()]);
        self
    }

    /// Naru's own operation, and its name.
    pub(crate) fn own(self, id: &'static str) -> Self {
        self.operation.origin = Origin::Naru;
        self.id(id)
    }

    /// A line that says what it does.
    pub(crate) fn summary(self, summary: &'static str) -> Self {
        self.operation.documented.summary = Some(summary.to_owned());
        self
    }

    /// More about it, in Markdown.
    pub(crate) fn description(self, text: &'static str) -> Self {
        self.operation.documented.description = Some(text.to_owned());
        self
    }

    /// The scopes of which one would do, and what for: the end of "You need at least … scope
    /// to …".
    pub(crate) fn needs(self, scopes: &'static [Scope], deed: &'static str) -> Self {
        self.operation.scopes = scopes;
        self.operation.deed = deed;
        self
    }

    /// The query that it understands.
    pub(crate) fn query<Q: IntoParams>(self) -> Self {
        let query = Q::into_params(|| Some(ParameterIn::Query));
        let known = self.operation.documented.parameters.get_or_insert_default();
        known.extend(query.into_iter().map(RefOr::T));
        self
    }

    /// The body that it takes, in JSON.
    pub(crate) fn body<B: ToSchema>(self) -> Self {
        let schema = named::<B>(self.schemas);
        let body = RequestBodyBuilder::new()
            .content("application/json", Content::new(Some(schema)))
            .required(Some(Required::True))
            .build();
        self.operation.documented.request_body = Some(RefOr::T(body));
        self
    }

    /// An answer with a body.
    pub(crate) fn answers<V: ToSchema>(self, status: u16, description: &str) -> Self {
        let schema = named::<V>(self.schemas);
        self.response(status, description, Some(schema))
    }

    /// An answer with a list.
    pub(crate) fn lists<V: ToSchema>(self, description: &str) -> Self {
        let schema = RefOr::T(Schema::Array(Array::new(named::<V>(self.schemas))));
        self.response(200, description, Some(schema))
    }

    /// An answer without a body.
    pub(crate) fn ends(self, status: u16, description: &str) -> Self {
        self.response(status, description, None)
    }

    /// The statuses that it refuses with, besides 401, 404 and those that every operation has.
    pub(crate) fn refuses(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let schema = named::<super::error::ErrorBody>(self.schemas);
            self = self.response(*status, refusal(*status), Some(schema));
        }
        self
    }

    fn has(&self, status: u16) -> bool {
        let responses = &self.operation.documented.responses.responses;
        responses.contains_key(&status.to_string())
    }

    fn response(self, status: u16, description: &str, schema: Option<RefOr<Schema>>) -> Self {
        let mut response: Response = ResponseBuilder::new().description(description).build();
        if let Some(schema) = schema {
            let content = Content::new(Some(schema));
            response
                .content
                .insert("application/json".to_owned(), RefOr::T(content));
        }
        let responses = &mut self.operation.documented.responses.responses;
        responses.insert(status.to_string(), RefOr::T(response));
        self
    }
}

/// What a status means when it refuses.
pub(crate) const fn refusal(status: u16) -> &'static str {
    match status {
        400 => "What was sent cannot be understood, or cannot be done as asked",
        401 => "Requires authentication, or the credential is of no use",
        403 => "Not allowed, or the rate limit is used up",
        404 => "There is no such thing, or you may not know about it",
        409 => "It stands against the state of things",
        413 => "Too large",
        422 => "Validation failed",
        503 => "Something that the server needs cannot be reached: try again later",
        _ => "Refused",
    }
}

/// Keeps the type's schema by its name, and answers a reference to it.
fn named<V: ToSchema>(schemas: &mut BTreeMap<String, RefOr<Schema>>) -> RefOr<Schema> {
    // A text or a number is said where it is used.
    if let RefOr::T(Schema::Object(object)) = V::schema()
        && object.properties.is_empty()
        && object.schema_type != SchemaType::Type(Type::Object)
    {
        return V::schema();
    }
    let name = V::name().into_owned();
    let mut others = Vec::new();
    V::schemas(&mut others);
    schemas.extend(others);
    schemas.insert(name.clone(), V::schema());
    RefOr::Ref(Ref::from_schema_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_names_parameters_by_their_place() {
        assert_eq!(
            by_position("/orgs/{org}/attestations/{attestation_id}"),
            "/orgs/{p1}/attestations/{p2}"
        );
        assert_eq!(by_position("/rate_limit"), "/rate_limit");
    }
}

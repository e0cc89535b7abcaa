//! The description of the API, made from the table of its operations (OpenAPI 3.1).

use std::collections::BTreeMap;

use http::Method;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ExternalDocs, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, RefOr,
    Schema, Server,
};

use super::operation::{Operation, Origin};

/// What is said at the beginning.
const WORDS: &str = "GitHub's REST API for packages, and what Naru adds to it. Operations whose \
                     `x-naru-origin` is `vendor` have GitHub's names, paths and shapes; those with \
                     `naru` are Naru's own.";

/// The description, without the address of the server.
pub(super) fn document(
    operations: &[std::sync::Arc<Operation>],
    schemas: &BTreeMap<String, RefOr<Schema>>,
) -> OpenApi {
    let mut paths: BTreeMap<&str, PathItem> = BTreeMap::new();
    for operation in operations {
        let item = PathItem::new(method(&operation.method), described(operation));
        match paths.get_mut(operation.path) {
            Some(known) => known.merge_operations(item),
            None => {
                paths.insert(operation.path, item);
            }
        }
    }
    let mut all = PathsBuilder::new();
    for (path, item) in paths {
        all = all.path(path, item);
    }
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut components = ComponentsBuilder::new().security_scheme("token", token);
    for (name, schema) in schemas {
        components = components.schema(name, schema.clone());
    }
    let info = InfoBuilder::new()
        .title("Naru REST API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(WORDS))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .paths(all.build())
        .components(Some(components.build()))
        .security(Some([
            SecurityRequirement::new("token", [""; 0]),
            SecurityRequirement::default(),
        ]))
        .build()
}

/// The description for whoever reaches the server at `api` and its pages at `web`.
pub(super) fn for_server(document: &OpenApi, api: &str, web: &str) -> OpenApi {
    let mut document = document.clone();
    document.servers = Some(vec![Server::new(api)]);
    document.external_docs = Some(ExternalDocs::new(format!("{web}/docs/rest")));
    document
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn described(operation: &Operation) -> utoipa::openapi::path::Operation {
    let mut described = operation.documented.clone();
    let origin = match operation.origin {
        Origin::Vendor => "vendor",
        Origin::Naru => "naru",
    };
    let scopes: Vec<&str> = operation
        .scopes
        .iter()
        .map(|scope| scope.as_str())
        .collect();
    let extensions = utoipa::openapi::extensions::ExtensionsBuilder::new()
        .add("x-naru-origin", origin)
        .add("x-accepted-oauth-scopes", scopes)
        .build();
    described.extensions = Some(extensions);
    described
}

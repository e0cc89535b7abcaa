//! The schema of an answer that is one shape for some callers and another for the rest.

use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Any of two shapes: where one holds all of the other, an answer may be both (`anyOf`).
pub(super) fn either<A: ToSchema, B: ToSchema>() -> RefOr<Schema> {
    let either = AnyOfBuilder::new()
        .item(Ref::from_schema_name(A::name()))
        .item(Ref::from_schema_name(B::name()));
    RefOr::T(Schema::AnyOf(either.build()))
}

/// The schemas that [`either`] refers to, with those that they refer to.
pub(super) fn schemas_of_either<A, B>(schemas: &mut Vec<(String, RefOr<Schema>)>)
where
    A: ToSchema + PartialSchema,
    B: ToSchema + PartialSchema,
{
    schemas.push((A::name().into_owned(), A::schema()));
    schemas.push((B::name().into_owned(), B::schema()));
    A::schemas(schemas);
    B::schemas(schemas);
}

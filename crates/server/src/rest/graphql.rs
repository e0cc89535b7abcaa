//! What `gh` asks by GraphQL: who is calling, a repository's record, and which fields there are
//! (contract D10). Read-only; anything else is REST.
//!
//! At `/api/graphql` on the web host and `/graphql` on the API host. Faults of a query are in the
//! answer's `errors`, with status 200, as GraphQL has it; the kind of fault stands beside the
//! message, as GitHub has it.

use std::sync::Arc;

use async_graphql::{
    ComplexObject, Context, EmptyMutation, EmptySubscription, Enum, Error as QueryError,
    ErrorExtensions, ID, Object, PathSegment, Request, Schema, SimpleObject, Variables,
};
use naru_model::{
    Account, AccountName, Repository, RepositoryPath, RepositoryPermission, Topics, User,
    Visibility,
};
use naru_registry::{Cursor, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::call::Call;
use super::error::Failure;
use super::finish::Outcome;
use super::input::Json;
use super::operation::Operations;
use super::views::{Urls, node_id, time};

/// How many levels of fields a query has at most, and how many fields.
const DEEPEST: usize = 12;
const MOST_FIELDS: usize = 500;
/// How many things a list has at most.
const MOST_NODES: usize = 100;

/// The one operation.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .post("/graphql", answer)
        .own("graphql/query")
        .summary("Ask by GraphQL")
        .description(
            "Just what `gh` asks: `viewer`, `repository(owner:, name:)` and introspection. On the \
             web host it is at `/api/graphql`. Nothing can be changed.",
        )
        .body::<GraphqlQuery>()
        .answers::<GraphqlAnswer>(200, "What was asked for, or why it is not answered")
        .refuses(&[400, 401, 403, 422]);
}

/// What can be asked.
pub(super) type Questions = Schema<Query, EmptyMutation, EmptySubscription>;

/// The schema, with the limits of queries.
pub(super) fn questions() -> Questions {
    Schema::build(Query, EmptyMutation, EmptySubscription)
        .limit_depth(DEEPEST)
        .limit_complexity(MOST_FIELDS)
        .limit_recursive_depth(2 * DEEPEST)
        .finish()
}

/// A query with its variables.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct GraphqlQuery {
    query: String,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    variables: Option<Value>,
    operation_name: Option<String>,
}

/// The answer to a query.
#[derive(Serialize, ToSchema)]
struct GraphqlAnswer {
    /// What was asked for, in the shape of the query.
    #[schema(value_type = Option<Object>)]
    data: Value,
    /// Why something is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    errors: Vec<Value>,
}

async fn answer(call: Call, Json(body): Json<GraphqlQuery>) -> Outcome {
    if call.caller().principal.is_anonymous() {
        return Err(Failure::UNAUTHENTICATED);
    }
    let questions = call.questions();
    let call = Arc::new(call);
    let mut request = Request::new(body.query).data(Arc::clone(&call));
    request.operation_name = body.operation_name;
    if let Some(variables) = body.variables {
        request = request.variables(Variables::from_json(variables));
    }
    let response = questions.execute(request).await;
    let data = serde_json::to_value(response.data);
    let errors = response.errors.iter().map(told).collect::<Result<_, _>>();
    let (data, errors) = data
        .and_then(|data| Ok((data, errors?)))
        .map_err(|error| Error::Internal(error.to_string()))?;
    call.ok(&GraphqlAnswer { data, errors })
}

/// A fault with its kind beside the message.
fn told(error: &async_graphql::ServerError) -> Result<Value, serde_json::Error> {
    let mut told = serde_json::to_value(error)?;
    if let Some(fields) = told.as_object_mut()
        && let Some(Value::Object(mut extensions)) = fields.remove("extensions")
        && let Some(kind) = extensions.remove("type")
    {
        fields.insert("type".to_owned(), kind);
    }
    Ok(told)
}

/// The beginning of every query.
pub(super) struct Query;

#[Object]
impl Query {
    /// Who is calling.
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer, QueryError> {
        let call = context.data::<Arc<Call>>()?;
        let user = call
            .registry()
            .me(call.caller())
            .await
            .map_err(|error| refused(&error, "Resource not accessible by integration"))?;
        Ok(Viewer::new(&user, &call.urls()))
    }

    /// A source repository's record.
    async fn repository(
        &self,
        context: &Context<'_>,
        owner: String,
        name: String,
    ) -> Result<Option<RepositoryNode>, QueryError> {
        let call = context.data::<Arc<Call>>()?;
        match find(call, &owner, &name).await {
            Ok(found) => Ok(Some(found)),
            Err(error) => {
                // The rest of the query is answered all the same, as at GitHub.
                let mut error = error.into_server_error(context.item.pos);
                error.path.push(PathSegment::Field("repository".to_owned()));
                context.add_error(error);
                Ok(None)
            }
        }
    }
}

async fn find(call: &Call, owner: &str, name: &str) -> Result<RepositoryNode, QueryError> {
    let unknown = format!("Could not resolve to a Repository with the name '{owner}/{name}'.");
    let path = path(owner, name).ok_or_else(|| not_found(&unknown))?;
    let (registry, caller) = (call.registry(), call.caller());
    let no = |error: Error| refused(&error, &unknown);
    let repository = registry.repository(caller, &path).await.map_err(no)?;
    let permission = registry.repository_permission(caller, &path).await;
    // Whose a repository is, is no secret to whoever may see it.
    let owner = registry.account(caller, &path.owner).await.map_err(no)?;
    let permission = permission.map_err(no)?;
    Ok(RepositoryNode::new(
        &repository,
        &owner,
        permission,
        &call.urls(),
    ))
}

fn path(owner: &str, name: &str) -> Option<RepositoryPath> {
    Some(RepositoryPath {
        owner: owner.parse::<AccountName>().ok()?,
        name: name.parse().ok()?,
    })
}

fn not_found(message: &str) -> QueryError {
    QueryError::new(message).extend_with(|_, extensions| extensions.set("type", "NOT_FOUND"))
}

/// What the caller may not see is answered like what is not there.
fn refused(error: &Error, unknown: &str) -> QueryError {
    match error {
        Error::Unavailable(_) => QueryError::new("Temporarily unavailable; please try again.")
            .extend_with(|_, extensions| extensions.set("type", "SERVICE_UNAVAILABLE")),
        Error::Internal(cause) => {
            tracing::error!(cause, "a query failed");
            QueryError::new("Something went wrong while executing your query.")
                .extend_with(|_, extensions| extensions.set("type", "INTERNAL"))
        }
        Error::Refused(naru_model::Refusal::Scope { missing, .. }) => QueryError::new(format!(
            "Your token has not been granted the required scopes to execute this query. It needs \
             the scope `{missing}`."
        ))
        .extend_with(|_, extensions| extensions.set("type", "INSUFFICIENT_SCOPES")),
        _ => not_found(unknown),
    }
}

/// The user who is calling.
#[derive(SimpleObject)]
#[graphql(complex, name = "User")]
struct Viewer {
    id: ID,
    database_id: i64,
    login: String,
    name: Option<String>,
    url: String,
}

#[ComplexObject]
impl Viewer {
    /// The organizations that the caller is in, oldest first.
    async fn organizations(
        &self,
        context: &Context<'_>,
        first: Option<usize>,
    ) -> Result<Organizations, QueryError> {
        let call = context.data::<Arc<Call>>()?;
        let limit = first.unwrap_or(MOST_NODES).clamp(1, MOST_NODES);
        let page = call
            .registry()
            .list_my_memberships(call.caller(), Cursor::first(limit))
            .await
            .map_err(|error| refused(&error, "Resource not accessible"))?;
        let nodes = page.items.into_iter().map(|membership| OrganizationNode {
            login: membership.organization.organization.login.to_string(),
        });
        Ok(Organizations {
            nodes: nodes.collect(),
        })
    }
}

/// A list of organizations.
#[derive(SimpleObject)]
#[graphql(name = "OrganizationConnection")]
struct Organizations {
    nodes: Vec<OrganizationNode>,
}

/// An organization.
#[derive(SimpleObject)]
#[graphql(name = "Organization")]
struct OrganizationNode {
    login: String,
}

impl Viewer {
    fn new(user: &User, urls: &Urls) -> Self {
        Self {
            id: node_id("User", user.id.get()).into(),
            database_id: user.id.get(),
            login: user.login.to_string(),
            name: user.name.clone(),
            url: urls.account_page(&user.login),
        }
    }
}

/// Whose a repository is.
#[derive(SimpleObject)]
struct RepositoryOwner {
    id: ID,
    login: String,
    url: String,
}

/// Who may see a repository.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum RepositoryVisibility {
    Public,
    Internal,
    Private,
}

/// What the caller may do with a repository.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "RepositoryPermission")]
enum ViewerPermission {
    Admin,
    Write,
    Read,
}

/// A branch. Naru hosts no git: there is none.
#[derive(SimpleObject)]
struct Ref {
    name: String,
}

/// A source repository's record. What git would answer is absent or false: Naru hosts none.
#[derive(SimpleObject)]
#[graphql(complex, name = "Repository")]
struct RepositoryNode {
    #[graphql(skip)]
    topics: Topics,
    id: ID,
    database_id: i64,
    name: String,
    name_with_owner: String,
    owner: RepositoryOwner,
    description: Option<String>,
    url: String,
    homepage_url: Option<String>,
    visibility: RepositoryVisibility,
    is_private: bool,
    is_in_organization: bool,
    is_archived: bool,
    is_empty: bool,
    is_fork: bool,
    is_mirror: bool,
    is_template: bool,
    created_at: String,
    updated_at: String,
    pushed_at: Option<String>,
    viewer_permission: Option<ViewerPermission>,
    viewer_can_administer: bool,
    default_branch_ref: Option<Ref>,
    parent: Option<Box<RepositoryNode>>,
    has_issues_enabled: bool,
    has_projects_enabled: bool,
    has_wiki_enabled: bool,
    has_discussions_enabled: bool,
    merge_commit_allowed: bool,
    rebase_merge_allowed: bool,
    squash_merge_allowed: bool,
    fork_count: i32,
    stargazer_count: i32,
}

#[ComplexObject]
impl RepositoryNode {
    /// Words that it is found by.
    async fn repository_topics(&self, first: Option<usize>) -> RepositoryTopics {
        let limit = first.unwrap_or(MOST_NODES).min(MOST_NODES);
        let topics = self.topics.as_slice().iter().take(limit);
        let nodes = topics.map(|name| RepositoryTopic {
            topic: Topic { name: name.clone() },
        });
        RepositoryTopics {
            nodes: nodes.collect(),
        }
    }
}

/// The topics of a repository.
#[derive(SimpleObject)]
#[graphql(name = "RepositoryTopicConnection")]
struct RepositoryTopics {
    nodes: Vec<RepositoryTopic>,
}

/// A topic of a repository.
#[derive(SimpleObject)]
struct RepositoryTopic {
    topic: Topic,
}

/// A word that repositories are found by.
#[derive(SimpleObject)]
struct Topic {
    name: String,
}

impl RepositoryNode {
    fn new(
        repository: &Repository,
        owner: &Account,
        permission: Option<RepositoryPermission>,
        urls: &Urls,
    ) -> Self {
        let login = owner.login();
        let full_name = format!("{login}/{}", repository.name);
        let kind = owner.kind();
        Self {
            topics: repository.topics.clone(),
            id: node_id("Repository", repository.id.get()).into(),
            database_id: repository.id.get(),
            name: repository.name.to_string(),
            owner: RepositoryOwner {
                id: node_id(kind.rest_word(), owner.id().get()).into(),
                login: login.to_string(),
                url: urls.account_page(login),
            },
            description: repository.description.clone(),
            url: format!("{}/{full_name}", urls.web),
            homepage_url: repository
                .forge_url
                .as_ref()
                .map(|url| format!("https://{url}")),
            name_with_owner: full_name,
            visibility: match repository.visibility {
                Visibility::Public => RepositoryVisibility::Public,
                Visibility::Internal => RepositoryVisibility::Internal,
                Visibility::Private => RepositoryVisibility::Private,
            },
            is_private: repository.visibility == Visibility::Private,
            is_in_organization: matches!(owner, Account::Organization(_)),
            is_archived: false,
            is_empty: true,
            is_fork: false,
            is_mirror: false,
            is_template: false,
            created_at: time(repository.created_at),
            updated_at: time(repository.updated_at),
            pushed_at: None,
            viewer_permission: permission.and_then(viewer_permission),
            viewer_can_administer: permission == Some(RepositoryPermission::Administer),
            default_branch_ref: None,
            parent: None,
            has_issues_enabled: false,
            has_projects_enabled: false,
            has_wiki_enabled: false,
            has_discussions_enabled: false,
            merge_commit_allowed: false,
            rebase_merge_allowed: false,
            squash_merge_allowed: false,
            fork_count: 0,
            stargazer_count: 0,
        }
    }
}

const fn viewer_permission(permission: RepositoryPermission) -> Option<ViewerPermission> {
    match permission {
        RepositoryPermission::Administer => Some(ViewerPermission::Admin),
        RepositoryPermission::Write => Some(ViewerPermission::Write),
        RepositoryPermission::Read => Some(ViewerPermission::Read),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(query: &str) -> async_graphql::Response {
        questions().execute(query).await
    }

    #[tokio::test]
    async fn gh_learns_which_fields_a_repository_has() {
        let query = "query Repository_fields{Repository: __type(name: \"Repository\")\
                     {fields(includeDeprecated: true){name}}}";
        let answer = serde_json::to_value(ask(query).await.data).unwrap();
        let fields = answer["Repository"]["fields"].as_array().unwrap();
        let has = |name: &str| fields.iter().any(|field| field["name"] == name);
        assert!(has("visibility") && has("nameWithOwner"));
        assert!(!has("pullRequestTemplates"));
    }

    #[tokio::test]
    async fn deep_and_wide_queries_are_refused() {
        let deep = format!(
            "{{repository(owner:\"a\",name:\"b\"){}id{}}}",
            "{parent".repeat(20),
            "}".repeat(20)
        );
        assert!(!ask(&deep).await.errors.is_empty());
        let fields: String = (0..600).map(|n| format!("a{n}:login ")).collect();
        let wide = format!("{{viewer{{{fields}}}}}");
        let errors = ask(&wide).await.errors;
        assert!(errors[0].message.contains("complex"), "{errors:?}");
    }

    #[tokio::test]
    async fn nothing_can_be_changed() {
        let answer = ask("mutation{deletePackageVersion(input:{}){success}}").await;
        assert!(!answer.errors.is_empty());
    }
}

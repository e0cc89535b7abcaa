//! Tokens: those of the caller, seen and ended; and those of a repository's workflows, made by
//! whoever administers it (contract B6, B8). No token makes personal access tokens: these come from
//! people.

use std::time::Duration;

use http::StatusCode;
use naru_model::{
    RepositoryPath, Scope, Token, TokenHolder, TokenId, TokenState, WorkflowPackages,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::Call;
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, Query};
use super::operation::Operations;
use super::paging::{Paging, Rest};
use super::views::time;

/// How long a workflow's token lives if nobody says otherwise: an hour, in seconds.
const HOUR: u64 = 3_600;

const ADMINISTER: &[Scope] = &[Scope::Repo, Scope::PublicRepo];

/// The operations of tokens.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/user/tokens", list)
        .own("users/list-tokens-for-authenticated-user")
        .summary("List the personal access tokens of the authenticated user")
        .description("Newest first, ended ones too. The secrets are not stored anywhere.")
        .needs(&[Scope::User], "list tokens")
        .query::<Paging>()
        .lists::<TokenView>("The tokens")
        .refuses(&[400, 401, 403]);
    operations
        .delete("/user/tokens/{token_id}", revoke)
        .own("users/revoke-token-for-authenticated-user")
        .summary("Revoke a personal access token of the authenticated user")
        .description("For good, with every upload that was begun with it. Repeating it is fine.")
        .needs(&[Scope::User], "revoke a token")
        .ends(204, "It works no more")
        .refuses(&[401, 403, 404]);
    operations
        .get("/repos/{owner}/{repo}/workflow-tokens", list_of_repository)
        .own("repos/list-workflow-tokens")
        .summary("List the tokens of a repository's workflows")
        .needs(ADMINISTER, "list the tokens of workflows")
        .query::<Paging>()
        .lists::<TokenView>("The tokens, newest first")
        .refuses(&[400, 401, 403, 404]);
    operations
        .post("/repos/{owner}/{repo}/workflow-tokens", create)
        .own("repos/create-workflow-token")
        .summary("Create a token for a repository's workflows")
        .description(
            "What `GITHUB_TOKEN` is to a workflow: bound to the repository, good for a day at \
             most. The answer shows the secret once.",
        )
        .needs(ADMINISTER, "create a token for workflows")
        .body::<NewWorkflowToken>()
        .answers::<WorkflowToken>(201, "Made")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .delete(
            "/repos/{owner}/{repo}/workflow-tokens/{token_id}",
            revoke_of_repository,
        )
        .own("repos/revoke-workflow-token")
        .summary("Revoke a token of a repository's workflows")
        .needs(ADMINISTER, "revoke a token of workflows")
        .ends(204, "It works no more")
        .refuses(&[401, 403, 404]);
}

/// A token's record.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct TokenView {
    /// The number of the token.
    id: i64,
    /// `personal` or `workflow`.
    kind: &'static str,
    /// What its owner wrote beside it.
    note: String,
    /// What a personal access token may be used for at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<&'static str>>,
    /// What a workflow's token may do: `{"packages": "read"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Permissions>,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    created_at: String,
    expires_at: Option<String>,
    /// To within a minute.
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

/// What a workflow's token may do.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowPermissions)]
struct Permissions {
    /// `read` or `write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    packages: Option<&'static str>,
}

/// What a workflow's token is to be like.
#[derive(Deserialize, ToSchema)]
struct NewWorkflowToken {
    /// `read` or `write`; without it the token reads what is public.
    #[schema(value_type = Option<String>)]
    packages: Option<WorkflowPackages>,
    /// How many seconds it lives: an hour if it is not said, a day at most.
    #[schema(minimum = 60, maximum = 86_400)]
    expires_in: Option<u64>,
}

/// A workflow's token that was just made.
#[derive(Serialize, ToSchema)]
struct WorkflowToken {
    /// The number of the token.
    id: i64,
    /// The secret, shown once.
    token: String,
    expires_at: Option<String>,
    permissions: Permissions,
}

impl TokenView {
    fn new(token: &Token, state: TokenState) -> Self {
        let (scopes, permissions) = match token.holder {
            TokenHolder::User { scopes, .. } => (
                Some(scopes.iter().map(|scope| scope.as_str()).collect()),
                None,
            ),
            TokenHolder::Repository { packages, .. } => (None, Some(permissions(packages))),
        };
        Self {
            id: token.id.get(),
            kind: token.holder.kind().as_str(),
            note: token.note.clone(),
            scopes,
            permissions,
            state: state.as_str(),
            created_at: time(token.created_at),
            expires_at: token.expires_at.map(time),
            last_used_at: token.last_used_at.map(time),
            revoked_at: token.revoked_at.map(time),
        }
    }
}

fn permissions(packages: Option<WorkflowPackages>) -> Permissions {
    Permissions {
        packages: packages.map(WorkflowPackages::as_str),
    }
}

async fn list(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let page = paging.wanted()?;
    let user = call.registry().me(call.caller()).await?;
    let cursor = page.cursor();
    let found = call
        .registry()
        .list_tokens_page(call.caller(), &user.login, cursor)
        .await?;
    let rest = Rest {
        next: found.next.and_then(|next| next.after).into(),
        total: None,
    };
    Ok(call
        .ok(&views(&call, &found.items))?
        .linked(page.link(&call, rest)))
}

async fn list_of_repository(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let page = paging.wanted()?;
    let cursor = page.cursor();
    let found = call
        .registry()
        .list_workflow_tokens(call.caller(), &repository(&call)?, cursor)
        .await?;
    let rest = Rest {
        next: found.next.and_then(|next| next.after).into(),
        total: None,
    };
    Ok(call
        .ok(&views(&call, &found.items))?
        .linked(page.link(&call, rest)))
}

fn views(call: &Call, tokens: &[Token]) -> Vec<TokenView> {
    let now = call.registry().now();
    let view = |token: &Token| TokenView::new(token, token.state(now));
    tokens.iter().map(view).collect()
}

async fn revoke(call: Call) -> Outcome {
    let id = TokenId::new(call.number("token_id")?);
    let user = call.registry().me(call.caller()).await?;
    call.registry()
        .revoke_token(call.caller(), &user.login, id)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn create(call: Call, Json(body): Json<NewWorkflowToken>) -> Outcome {
    let seconds = body.expires_in.unwrap_or(HOUR);
    if seconds < 60 {
        let expected = "60 to 86400 seconds";
        return Err(Failure::invalid("Token", "expires_in", expected));
    }
    let created = call
        .registry()
        .create_workflow_token(
            call.caller(),
            &repository(&call)?,
            body.packages,
            Duration::from_secs(seconds),
        )
        .await?;
    let view = WorkflowToken {
        id: created.token.id.get(),
        token: created.secret.expose().to_owned(),
        expires_at: created.token.expires_at.map(time),
        permissions: permissions(body.packages),
    };
    Answer::json(StatusCode::CREATED, &view)
}

async fn revoke_of_repository(call: Call) -> Outcome {
    let id = TokenId::new(call.number("token_id")?);
    call.registry()
        .revoke_workflow_token(call.caller(), &repository(&call)?, id)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn repository(call: &Call) -> Result<RepositoryPath, Failure> {
    Ok(RepositoryPath {
        owner: call.part("owner")?,
        name: call.part("repo")?,
    })
}

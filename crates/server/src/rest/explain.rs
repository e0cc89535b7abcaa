//! Why somebody may do something with a package, or what is missing. Naru's own operations
//! (`EXTENSIONS`, `P/access/explain`, `O/packages/explain`).

use naru_model::{
    AccountName, PackageName, PackagePath, PackagePermission, PackageType, RepositoryPath, Scope,
    TokenId,
};
use naru_registry::explain::ExplainedSubject;
use serde::Deserialize;
use utoipa::IntoParams;

use super::call::{Call, Owner};
use super::error::Failure;
use super::finish::Outcome;
use super::input::Query;
use super::operation::Operations;
use super::owners::for_owners;
use super::views::ExplanationView;

/// The operations that explain access.
pub(super) fn routes(operations: &mut Operations) {
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/access/explain",
        "packages/explain-access"
    ) {
        operations
            .get(path, of_package)
            .own(id)
            .summary("Explain what somebody may do with a package")
            .description(ABOUT)
            .needs(NO_SCOPES, "explain access")
            .query::<Question>()
            .answers::<ExplanationView>(200, "Yes or no, and why")
            .refuses(&[400, 401, 403, 404]);
    }
    for (path, id) in for_owners!("/packages/explain", "packages/explain-access-to-name") {
        operations
            .get(path, of_name)
            .own(id)
            .summary("Explain what somebody may do with a package name, also one that is free")
            .description(ABOUT)
            .needs(NO_SCOPES, "explain access")
            .query::<Name>()
            .query::<Question>()
            .answers::<ExplanationView>(200, "Yes or no, and why")
            .refuses(&[400, 401, 403, 404]);
    }
}

const ABOUT: &str = "It is about roles and scopes, not about tag rules. Everybody may ask about \
    themselves and their own tokens, and hears what a refusal would say. Who administers the package, owns the namespace in which the name is free, \
    or administers the instance may ask about users and repositories; about tokens of others, who \
    administers the instance. The reason is the sentence that stands in the detail of the \
    registry's refusals.";

/// Asking about oneself needs none; what else is asked needs what administering needs.
const NO_SCOPES: &[Scope] = &[];

/// Whom the question is about, and what they would do. Nobody named: the caller, with the
/// credential of this request.
#[derive(Debug, Deserialize, IntoParams)]
struct Question {
    /// A user, by name; the caller's own is about the credential of this request too.
    user: Option<String>,
    /// A personal access token or a workflow's token, by number.
    token_id: Option<i64>,
    /// The workflows of a source repository, as `OWNER/NAME`.
    repository: Option<String>,
    /// `read` (pull), `read_metadata` (REST), `write` (push, or create), `delete`, `restore`,
    /// `admin`, `make_public`, `make_internal` or `make_private`. Without it, `read`.
    permission: Option<String>,
}

/// Which name is asked about.
#[derive(Debug, Deserialize, IntoParams)]
struct Name {
    /// The name of the package under the owner.
    #[param(required = true)]
    name: Option<String>,
    /// `container`, or `docker` for the older Docker registry. Without it, `container`.
    package_type: Option<String>,
}

impl Question {
    fn subject(&self) -> Result<ExplainedSubject, Failure> {
        match (&self.user, self.token_id, &self.repository) {
            (None, None, None) => Ok(ExplainedSubject::Caller),
            (Some(login), None, None) => {
                let login: AccountName = login.parse().map_err(Failure::bad_argument)?;
                Ok(ExplainedSubject::User(login))
            }
            (None, Some(id), None) => Ok(ExplainedSubject::Token(TokenId::new(id))),
            (None, None, Some(path)) => {
                let path: RepositoryPath = path.parse().map_err(Failure::bad_argument)?;
                Ok(ExplainedSubject::Repository(path))
            }
            _ => Err(Failure::bad_request(
                "Only one of user, token_id and repository can be asked about at a time.",
            )),
        }
    }

    fn permission(&self) -> Result<PackagePermission, Failure> {
        let word = self.permission.as_deref().unwrap_or("read");
        word.parse().map_err(Failure::bad_argument)
    }
}

async fn of_package(call: Call, Query(question): Query<Question>) -> Outcome {
    let owner = call.owner().await?;
    let path = call.package(&owner)?;
    explain(&call, &path, &question).await
}

async fn of_name(
    call: Call,
    Query(name): Query<Name>,
    Query(question): Query<Question>,
) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let package_type: PackageType = match name.package_type.as_deref() {
        Some(word) => word.parse().map_err(Failure::bad_argument)?,
        None => PackageType::Container,
    };
    let text = name.name.unwrap_or_default();
    let name: PackageName = text.parse().map_err(Failure::bad_argument)?;
    if package_type == PackageType::Docker && name.legacy_repository().is_none() {
        return Err(Failure::bad_request(
            "A name on the older Docker registry is a repository, a slash and an image.",
        ));
    }
    let path = PackagePath {
        package_type,
        owner: owner.login().clone(),
        name,
    };
    explain(&call, &path, &question).await
}

async fn explain(call: &Call, path: &PackagePath, question: &Question) -> Outcome {
    let (subject, permission) = (question.subject()?, question.permission()?);
    let found = call
        .registry()
        .explain(call.caller(), path, &subject, permission)
        .await?;
    call.ok(&ExplanationView::new(path, &subject, &found))
}

//! Source repositories: records that packages are linked to. Naru hosts no git.

use std::future::Future;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::LOCATION;
use naru_model::{
    AccountName, RepositoryId, RepositoryPath, Scope, SourceRepositoryName, Topics, Visibility,
};
use naru_oci::{Algorithm, Digest};
use naru_registry::Error;
use naru_registry::repositories::{NewRepository, RepositoryChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::Call;
use super::error::{Failure, FieldError};
use super::finish::{Answer, Outcome};
use super::input::{Json, given};
use super::operation::Operations;
use super::views::{ContentFile, FullRepository};

/// The operations of single repositories.
pub(super) fn routes(operations: &mut Operations) {
    creating(operations);
    single(operations);
    by_number(operations);
    topics(operations);
    readme(operations);
}

const PRIVATE: &[Scope] = &[Scope::Repo, Scope::PublicRepo];

fn creating(operations: &mut Operations) {
    for (path, id, summary) in [
        (
            "/user/repos",
            "repos/create-for-authenticated-user",
            "Create a repository for the authenticated user",
        ),
        (
            "/orgs/{org}/repos",
            "repos/create-in-org",
            "Create an organization repository",
        ),
    ] {
        operations
            .post(path, create)
            .id(id)
            .summary(summary)
            .needs(PRIVATE, "create a repository")
            .body::<CreateRepository>()
            .answers::<FullRepository>(201, "The repository")
            .refuses(&[400, 401, 403, 404, 422]);
    }
}

fn single(operations: &mut Operations) {
    operations
        .get("/repos/{owner}/{repo}", show)
        .id("repos/get")
        .summary("Get a repository")
        .needs(&[Scope::Repo], "get a repository")
        .answers::<FullRepository>(200, "The repository")
        .refuses(&[301, 401, 403, 404]);
    operations
        .patch("/repos/{owner}/{repo}", update)
        .id("repos/update")
        .summary("Update a repository")
        .description(
            "Name and visibility are for administrators of the repository, the rest for who may \
             write in it. The name before leads to the new one as long as nobody takes it.",
        )
        .needs(PRIVATE, "change a repository")
        .body::<UpdateRepository>()
        .answers::<FullRepository>(200, "The repository as it is now")
        .refuses(&[307, 400, 401, 403, 404, 422]);
    operations
        .delete("/repos/{owner}/{repo}", delete)
        .id("repos/delete")
        .summary("Delete a repository")
        .description(
            "Packages of the container registry stay and lose the link; a repository with packages \
             of the Docker registry stays until they are deleted. It can be restored for 30 days.",
        )
        .needs(&[Scope::DeleteRepo], "delete a repository")
        .ends(204, "It is gone")
        .refuses(&[307, 401, 403, 404, 409]);
    operations
        .post("/repos/{owner}/{repo}/restore", restore)
        .own("repos/restore")
        .summary("Restore a deleted repository")
        .description("For the owner of the account it was under, within 30 days.")
        .needs(&[Scope::Repo], "restore a repository")
        .answers::<FullRepository>(200, "The repository, with those who work in it")
        .refuses(&[401, 403, 404, 422]);
}

fn by_number(operations: &mut Operations) {
    operations
        .get("/repositories/{repository_id}", show_by_number)
        .own("repos/get-by-id")
        .summary("Get a repository by its number")
        .needs(&[Scope::Repo], "get a repository")
        .answers::<FullRepository>(200, "The repository")
        .refuses(&[401, 403, 404]);
    operations
        .patch("/repositories/{repository_id}", update_by_number)
        .own("repos/update-by-id")
        .summary("Update a repository by its number")
        .needs(PRIVATE, "change a repository")
        .body::<UpdateRepository>()
        .answers::<FullRepository>(200, "The repository as it is now")
        .refuses(&[400, 401, 403, 404, 422]);
    operations
        .delete("/repositories/{repository_id}", delete_by_number)
        .own("repos/delete-by-id")
        .summary("Delete a repository by its number")
        .needs(&[Scope::DeleteRepo], "delete a repository")
        .ends(204, "It is gone")
        .refuses(&[401, 403, 404, 409]);
}

fn topics(operations: &mut Operations) {
    operations
        .get("/repos/{owner}/{repo}/topics", show_topics)
        .own("repos/get-all-topics")
        .summary("Get all repository topics")
        .needs(&[Scope::Repo], "get topics")
        .answers::<TopicsBody>(200, "The words that it is found by")
        .refuses(&[301, 401, 403, 404]);
    operations
        .put("/repos/{owner}/{repo}/topics", set_topics)
        .own("repos/replace-all-topics")
        .summary("Replace all repository topics")
        .needs(PRIVATE, "change topics")
        .body::<TopicsBody>()
        .answers::<TopicsBody>(200, "The words that it is found by now")
        .refuses(&[307, 400, 401, 403, 404, 422]);
}

fn readme(operations: &mut Operations) {
    operations
        .get("/repos/{owner}/{repo}/readme", show_readme)
        .id("repos/get-readme")
        .summary("Get a repository README")
        .description("With `Accept: application/vnd.github.raw+json` the text itself is told.")
        .needs(&[Scope::Repo], "get a readme")
        .answers::<ContentFile>(200, "The text, in base64")
        .refuses(&[301, 401, 403, 404]);
    operations
        .put("/repos/{owner}/{repo}/readme", set_readme)
        .own("repos/set-readme")
        .summary("Write a repository README")
        .needs(PRIVATE, "change a readme")
        .body::<ReadmeBody>()
        .ends(204, "It is written")
        .refuses(&[307, 400, 401, 403, 404, 413, 422]);
    operations
        .delete("/repos/{owner}/{repo}/readme", remove_readme)
        .own("repos/delete-readme")
        .summary("Remove a repository README")
        .needs(PRIVATE, "remove a readme")
        .ends(204, "There is none")
        .refuses(&[307, 401, 403, 404]);
}

/// What a use case said of the repository at a path; if that there is none, but it has another name
/// now, whoever may see it is led on.
pub(super) async fn found<T>(
    call: &Call,
    path: &RepositoryPath,
    said: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    let failure: Failure = match said.await {
        Ok(value) => return Ok(value),
        Err(error) => error.into(),
    };
    let is_absent = matches!(
        failure.status(),
        StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED
    );
    if !is_absent {
        return Err(failure);
    }
    let moved = call
        .registry()
        .moved_repository(call.caller(), path)
        .await?;
    match moved {
        Some(moved) => Err(Failure::moved(
            call.is_read(),
            &address(call, moved.repository.id, &moved.path()),
        )),
        None => Err(failure),
    }
}

/// The repository by its number, anything below it by its new name.
fn address(call: &Call, id: RepositoryId, to: &RepositoryPath) -> String {
    let urls = call.urls();
    let rest = call.path().splitn(5, '/').nth(4);
    match rest {
        Some(rest) => format!("{}/{rest}", urls.repository(to)),
        None => format!("{}/repositories/{id}", urls.api),
    }
}

async fn view(call: &Call, path: &RepositoryPath, status: StatusCode) -> Outcome {
    let registry = call.registry();
    let seen = found(call, path, registry.repository_details(call.caller(), path)).await?;
    Answer::json(status, &FullRepository::new(&seen, &call.urls()))
}

async fn show(call: Call) -> Outcome {
    view(&call, &call.repository()?, StatusCode::OK).await
}

/// A repository to make.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateRepository {
    /// Its name.
    name: Option<String>,
    /// What it is, in a sentence.
    description: Option<String>,
    /// The address of a page about it.
    homepage: Option<String>,
    /// Whether it is private; public if nothing is said.
    private: Option<bool>,
    /// `public`, `internal` or `private`; counts before `private`.
    visibility: Option<String>,
    /// Where the source lives, on a forge elsewhere: a web address (Naru's addition).
    forge_url: Option<String>,
}

impl CreateRepository {
    fn new_repository(self, owner: AccountName) -> Result<NewRepository, Failure> {
        let name = self
            .name
            .as_deref()
            .ok_or_else(|| Failure::missing("Repository", "name"))?;
        let visibility = visibility(self.visibility.as_deref(), self.private)?;
        Ok(NewRepository {
            path: RepositoryPath {
                owner,
                name: name_of(name)?,
            },
            visibility: visibility.unwrap_or(Visibility::Public),
            description: self.description,
            forge_url: self.forge_url.filter(|url| !url.is_empty()),
            homepage: self.homepage,
        })
    }
}

fn name_of(text: &str) -> Result<SourceRepositoryName, Failure> {
    text.parse().map_err(|error| invalid("name", error))
}

fn visibility(word: Option<&str>, private: Option<bool>) -> Result<Option<Visibility>, Failure> {
    match (word, private) {
        (Some(word), _) => {
            let visibility = word.parse().map_err(|error| invalid("visibility", error))?;
            Ok(Some(visibility))
        }
        (None, Some(true)) => Ok(Some(Visibility::Private)),
        (None, Some(false)) => Ok(Some(Visibility::Public)),
        (None, None) => Ok(None),
    }
}

fn invalid(field: &str, message: impl std::fmt::Display) -> Failure {
    Failure::invalid("Repository", field, message)
}

async fn create(call: Call, Json(wish): Json<CreateRepository>) -> Outcome {
    let owner = call.owner().await?;
    let new = wish.new_repository(owner.0.login().clone())?;
    let path = new.path.clone();
    let made = call.registry().create_repository(call.caller(), new).await;
    made.map_err(not_created)?;
    let url = call.urls().repository(&path);
    let answer = view(&call, &path, StatusCode::CREATED).await?;
    Ok(answer.with(LOCATION, &url))
}

/// The vendor's own words where the name is taken.
fn not_created(error: Error) -> Failure {
    match error {
        Error::Exists { .. } => Failure::validation(vec![FieldError::custom(
            "Repository",
            "name",
            "name already exists on this account",
        )]),
        other => other.into(),
    }
}

/// What is to change of a repository; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct UpdateRepository {
    /// Its name.
    name: Option<String>,
    /// What it is, in a sentence.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// The address of a page about it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    homepage: Option<Option<String>>,
    /// Whether it is private.
    private: Option<bool>,
    /// `public`, `internal` or `private`; counts before `private`.
    visibility: Option<String>,
    /// Where the source lives, on a forge elsewhere: a web address (Naru's addition).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    forge_url: Option<Option<String>>,
    /// Nothing here is ever archived: only `false` is possible.
    archived: Option<bool>,
}

impl UpdateRepository {
    fn change(self) -> Result<RepositoryChange, Failure> {
        if self.archived == Some(true) {
            return Err(invalid("archived", "repositories cannot be archived here"));
        }
        Ok(RepositoryChange {
            name: self.name.as_deref().map(name_of).transpose()?,
            visibility: visibility(self.visibility.as_deref(), self.private)?,
            description: self.description,
            homepage: self.homepage,
            forge_url: self.forge_url,
            topics: None,
        })
    }
}

async fn update(call: Call, Json(update): Json<UpdateRepository>) -> Outcome {
    let path = call.repository()?;
    change(&call, &path, &update.change()?).await
}

async fn change(call: &Call, path: &RepositoryPath, change: &RepositoryChange) -> Outcome {
    let registry = call.registry();
    let updated = registry.update_repository(call.caller(), path, change);
    let path = found(call, path, updated).await?;
    view(call, &path, StatusCode::OK).await
}

async fn delete(call: Call) -> Outcome {
    let path = call.repository()?;
    remove(&call, &path).await
}

async fn remove(call: &Call, path: &RepositoryPath) -> Outcome {
    let deleted = async {
        let deleted = call.registry().delete_repository(call.caller(), path).await;
        match deleted {
            Err(Error::Conflict(text)) => Ok(Err(Failure::conflict(text))),
            other => other.map(Ok),
        }
    };
    found(call, path, deleted).await??;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn restore(call: Call) -> Outcome {
    let path = call.repository()?;
    call.registry()
        .restore_repository(call.caller(), &path)
        .await?;
    view(&call, &path, StatusCode::OK).await
}

async fn by_id(call: &Call) -> Result<RepositoryPath, Failure> {
    let id = RepositoryId::new(call.named("repository_id")?);
    let found = call.registry().repository_by_id(call.caller(), id).await?;
    Ok(found.path())
}

async fn show_by_number(call: Call) -> Outcome {
    view(&call, &by_id(&call).await?, StatusCode::OK).await
}

async fn update_by_number(call: Call, Json(update): Json<UpdateRepository>) -> Outcome {
    let path = by_id(&call).await?;
    change(&call, &path, &update.change()?).await
}

async fn delete_by_number(call: Call) -> Outcome {
    let path = by_id(&call).await?;
    remove(&call, &path).await
}

/// Words that a repository is found by.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
struct TopicsBody {
    names: Vec<String>,
}

async fn show_topics(call: Call) -> Outcome {
    let path = call.repository()?;
    let registry = call.registry();
    let seen = found(
        &call,
        &path,
        registry.repository_details(call.caller(), &path),
    )
    .await?;
    let names = seen.repository.topics.as_slice().to_vec();
    call.ok(&TopicsBody { names })
}

async fn set_topics(call: Call, Json(topics): Json<TopicsBody>) -> Outcome {
    let path = call.repository()?;
    let topics = Topics::new(topics.names.iter().map(String::as_str));
    let topics = topics.map_err(|error| invalid("names", error))?;
    let names = topics.as_slice().to_vec();
    let change = RepositoryChange {
        topics: Some(topics),
        ..RepositoryChange::default()
    };
    let registry = call.registry();
    let updated = registry.update_repository(call.caller(), &path, &change);
    found(&call, &path, updated).await?;
    call.ok(&TopicsBody { names })
}

async fn show_readme(call: Call) -> Outcome {
    let path = call.repository()?;
    let text = found(&call, &path, call.registry().readme(call.caller(), &path)).await?;
    let accept = call.header("accept").unwrap_or_default();
    if accept.contains(".raw") {
        return Ok(Answer::text(
            "application/vnd.github.raw+json; charset=utf-8",
            text,
        ));
    }
    let urls = call.urls();
    let sha = Digest::of(Algorithm::Sha256, text.as_bytes());
    let url = format!("{}/readme", urls.repository(&path));
    let page = urls.repository_page(&path);
    call.ok(&ContentFile::readme(&text, sha.hex().to_owned(), url, page))
}

/// The text that introduces a repository.
#[derive(Debug, Deserialize, ToSchema)]
struct ReadmeBody {
    /// In base64, Markdown in UTF-8, at most 512 KiB.
    content: String,
}

async fn set_readme(call: Call, Json(readme): Json<ReadmeBody, { 1 << 20 }>) -> Outcome {
    let path = call.repository()?;
    let plain: String = readme.content.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(plain)
        .map_err(|_| invalid("content", "content is not valid Base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| invalid("content", "content is not UTF-8"))?;
    let written = call
        .registry()
        .set_readme(call.caller(), &path, Some(&text));
    found(&call, &path, written).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn remove_readme(call: Call) -> Outcome {
    let path = call.repository()?;
    let removed = call.registry().set_readme(call.caller(), &path, None);
    found(&call, &path, removed).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

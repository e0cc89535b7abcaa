//! Tag rules of packages and organizations: Naru's own operations (`EXTENSIONS`, `P/tag-rules`,
//! `S/tag-rules`).

use http::StatusCode;
use naru_model::{AccountName, RepositoryPath, Role, Scope, TagPattern, TagRuleId, TeamSlug};
use naru_registry::tag_rules::{AllowanceWish, TagRuleChange, TagRuleWish, TagRulesOf};
use serde::Deserialize;
use utoipa::ToSchema;

use super::call::{Call, Owner};
use super::error::Failure;
use super::finish::{Answer, Outcome};
use super::input::{Json, NoQuery, field, given};
use super::operation::Operations;
use super::owners::for_owners;
use super::views::TagRuleView;

const OF_PACKAGES: &[Scope] = &[Scope::WritePackages, Scope::DeletePackages];
const OF_ORGANIZATIONS: &[Scope] = &[Scope::AdminOrg];

/// The operations of tag rules.
pub(super) fn routes(operations: &mut Operations) {
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tag-rules",
        "packages/list-tag-rules"
    ) {
        let summary = "List the tag rules that bind a package";
        lists(operations, path, id, summary, OF_PACKAGES);
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tag-rules",
        "packages/create-tag-rule"
    ) {
        creates(
            operations,
            path,
            id,
            "Create a tag rule for a package",
            OF_PACKAGES,
        );
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tag-rules/{rule_id}",
        "packages/get-tag-rule"
    ) {
        gets(
            operations,
            path,
            id,
            "Get a tag rule of a package",
            OF_PACKAGES,
        );
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tag-rules/{rule_id}",
        "packages/update-tag-rule"
    ) {
        changes(
            operations,
            path,
            id,
            "Update a tag rule of a package",
            OF_PACKAGES,
        );
    }
    for (path, id) in for_owners!(
        "/packages/{package_type}/{package_name}/tag-rules/{rule_id}",
        "packages/delete-tag-rule"
    ) {
        deletes(
            operations,
            path,
            id,
            "Delete a tag rule of a package",
            OF_PACKAGES,
        );
    }
    of_organizations(operations);
}

fn of_organizations(operations: &mut Operations) {
    let all = "/orgs/{org}/settings/packages/tag-rules";
    let one = "/orgs/{org}/settings/packages/tag-rules/{rule_id}";
    let scopes = OF_ORGANIZATIONS;
    let id = "packages/list-organization-tag-rules";
    lists(
        operations,
        all,
        id,
        "List the tag rules of an organization",
        scopes,
    );
    let id = "packages/create-organization-tag-rule";
    creates(
        operations,
        all,
        id,
        "Create a tag rule for an organization",
        scopes,
    );
    let id = "packages/get-organization-tag-rule";
    gets(
        operations,
        one,
        id,
        "Get a tag rule of an organization",
        scopes,
    );
    let id = "packages/update-organization-tag-rule";
    changes(
        operations,
        one,
        id,
        "Update a tag rule of an organization",
        scopes,
    );
    let id = "packages/delete-organization-tag-rule";
    deletes(
        operations,
        one,
        id,
        "Delete a tag rule of an organization",
        scopes,
    );
}

type Text = &'static str;
type Scopes = &'static [Scope];

fn lists(operations: &mut Operations, path: Text, id: Text, summary: Text, scopes: Scopes) {
    operations
        .get(path, list)
        .own(id)
        .summary(summary)
        .needs(scopes, "list tag rules")
        .lists::<TagRuleView>("All of them, oldest first; there are at most a hundred and one")
        .refuses(&[401, 403, 404]);
}

fn creates(operations: &mut Operations, path: Text, id: Text, summary: Text, scopes: Scopes) {
    operations
        .post(path, create)
        .own(id)
        .summary(summary)
        .description(
            "A rule narrows what roles and scopes allow, for the tags that its pattern names. \
             Where several rules are about a tag, all of them must let it happen. It binds from \
             the next request on.",
        )
        .needs(scopes, "create a tag rule")
        .body::<TagRuleBody>()
        .answers::<TagRuleView>(201, "The rule")
        .refuses(&[400, 401, 403, 404, 422]);
}

fn gets(operations: &mut Operations, path: Text, id: Text, summary: Text, scopes: Scopes) {
    operations
        .get(path, get)
        .own(id)
        .summary(summary)
        .needs(scopes, "get a tag rule")
        .answers::<TagRuleView>(200, "The rule")
        .refuses(&[401, 403, 404]);
}

fn changes(operations: &mut Operations, path: Text, id: Text, summary: Text, scopes: Scopes) {
    operations
        .patch(path, change)
        .own(id)
        .summary(summary)
        .description("What is not named stays as it is.")
        .needs(scopes, "update a tag rule")
        .body::<TagRuleBody>()
        .answers::<TagRuleView>(200, "The rule as it is now")
        .refuses(&[400, 401, 403, 404, 422]);
}

fn deletes(operations: &mut Operations, path: Text, id: Text, summary: Text, scopes: Scopes) {
    operations
        .delete(path, delete)
        .own(id)
        .summary(summary)
        .needs(scopes, "delete a tag rule")
        .ends(204, "The rule is gone")
        .refuses(&[401, 403, 404, 422]);
}

/// What a rule is to say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = TagRuleBody)]
#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things in a PATCH"
)]
struct TagRuleBody {
    /// The tags that it is about: a glob over the whole name, such as `v*` or `{latest,stable}`.
    /// Must be there for a new rule.
    pattern: Option<String>,
    /// Tags that are not meant, although the pattern names them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    except: Option<Option<String>>,
    /// What it is for, in at most 256 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// Whether nobody moves or deletes such a tag once it is there.
    immutable: Option<bool>,
    /// Who creates such tags. Without it, whoever may push.
    create: Option<AllowanceBody>,
    /// Who moves them. Without it, whoever may push.
    #[serde(rename = "move")]
    moves: Option<AllowanceBody>,
    /// Who deletes them. Without it, whoever may delete.
    delete: Option<AllowanceBody>,
}

/// Whom a rule lets: whoever has the role, and those who are named. Nobody if there is neither.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = TagAllowanceBody)]
struct AllowanceBody {
    /// Whoever has at least this role on the package: `write` or `admin`.
    role: Option<String>,
    /// Users by name.
    #[serde(default)]
    users: Vec<String>,
    /// Teams of the organization by slug.
    #[serde(default)]
    teams: Vec<String>,
    /// Repositories of the owner as `OWNER/NAME`; their workflows are meant.
    #[serde(default)]
    repositories: Vec<String>,
}

impl AllowanceBody {
    fn wish(&self, name: &str) -> Result<AllowanceWish, Failure> {
        let role: Option<Role> = match &self.role {
            Some(word) => Some(field(TAG_RULE, &format!("{name}.role"), word)?),
            None => None,
        };
        let users: Vec<AccountName> = read_all(&format!("{name}.users"), &self.users)?;
        let teams: Vec<TeamSlug> = read_all(&format!("{name}.teams"), &self.teams)?;
        let name = format!("{name}.repositories");
        let repositories: Vec<RepositoryPath> = read_all(&name, &self.repositories)?;
        Ok(AllowanceWish {
            role,
            users,
            teams,
            repositories,
        })
    }
}

impl TagRuleBody {
    /// As it is meant for a new rule: what is not said is left to roles and scopes.
    fn wish(self) -> Result<TagRuleWish, Failure> {
        let change = self.change()?;
        let whoever = || AllowanceWish {
            role: Some(Role::Write),
            ..AllowanceWish::default()
        };
        let missing = || Failure::missing(TAG_RULE, "pattern");
        Ok(TagRuleWish {
            pattern: change.pattern.ok_or_else(missing)?,
            except: change.except.flatten(),
            description: change.description.flatten(),
            immutable: change.immutable.unwrap_or(false),
            creates: change.creates.unwrap_or_else(whoever),
            moves: change.moves.unwrap_or_else(whoever),
            deletes: change.deletes.unwrap_or_else(whoever),
        })
    }

    fn change(self) -> Result<TagRuleChange, Failure> {
        let pattern: Option<TagPattern> = match &self.pattern {
            Some(text) => Some(field(TAG_RULE, "pattern", text)?),
            None => None,
        };
        let except = match &self.except {
            Some(Some(text)) => Some(Some(field(TAG_RULE, "except", text)?)),
            Some(None) => Some(None),
            None => None,
        };
        let allowance =
            |body: Option<AllowanceBody>, name: &str| body.map(|body| body.wish(name)).transpose();
        Ok(TagRuleChange {
            pattern,
            except,
            description: self.description,
            immutable: self.immutable,
            creates: allowance(self.create, "create")?,
            moves: allowance(self.moves, "move")?,
            deletes: allowance(self.delete, "delete")?,
        })
    }
}

const TAG_RULE: &str = "TagRule";

fn read_all<T>(name: &str, texts: &[String]) -> Result<Vec<T>, Failure>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    texts
        .iter()
        .map(|text| field(TAG_RULE, name, text))
        .collect()
}

/// Whose rules the path is about.
async fn rules_of(call: &Call) -> Result<TagRulesOf, Failure> {
    let owner = call.owner().await?;
    if call.text("package_name").is_ok() {
        return Ok(TagRulesOf::Package(call.package(&owner)?));
    }
    let Owner(organization) = owner;
    Ok(TagRulesOf::Organization(organization.login().clone()))
}

fn rule_id(call: &Call) -> Result<TagRuleId, Failure> {
    Ok(TagRuleId::new(call.part("rule_id")?))
}

async fn list(call: Call) -> Outcome {
    let of = rules_of(&call).await?;
    let found = call.registry().list_tag_rules(call.caller(), &of).await?;
    let views: Vec<TagRuleView> = found.iter().map(TagRuleView::new).collect();
    call.ok(&views)
}

async fn create(call: Call, Json(body): Json<TagRuleBody>) -> Outcome {
    let of = rules_of(&call).await?;
    let wish = body.wish()?;
    let rule = call
        .registry()
        .create_tag_rule(call.caller(), &of, wish)
        .await?;
    Answer::json(StatusCode::CREATED, &TagRuleView::new(&rule))
}

async fn get(call: Call) -> Outcome {
    let (of, id) = (rules_of(&call).await?, rule_id(&call)?);
    let rule = call.registry().tag_rule(call.caller(), &of, id).await?;
    call.ok(&TagRuleView::new(&rule))
}

async fn change(call: Call, Json(body): Json<TagRuleBody>) -> Outcome {
    let (of, id) = (rules_of(&call).await?, rule_id(&call)?);
    let change = body.change()?;
    let rule = call
        .registry()
        .change_tag_rule(call.caller(), &of, id, change)
        .await?;
    call.ok(&TagRuleView::new(&rule))
}

async fn delete(call: Call) -> Outcome {
    let (of, id) = (rules_of(&call).await?, rule_id(&call)?);
    let NoQuery {} = call.strict_query()?;
    call.registry()
        .delete_tag_rule(call.caller(), &of, id)
        .await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

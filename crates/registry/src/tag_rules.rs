//! Tag rules of packages and organizations: who may create, move and delete which tags. Whom they
//! let is asked in [`access`](crate::access), where every tag is written or removed.

use naru_metadata::tag_rules::{self, RuleText, RulesOf};
use naru_metadata::{Conn, accounts, packages};
use naru_model::{
    AccountId, AccountName, AccountPermission, EventKind, NewEvent, PackageId, PackagePath,
    PackagePermission, RepositoryId, RepositoryPath, RepositoryPermission, Role, TagAction,
    TagAllowance, TagPattern, TagRule, TagRuleId, TeamSlug,
};

use crate::access::tag_rules::TaggedPackage;
use crate::access::{Authorized, authorize_in};
use crate::accounts::find_user;
use crate::error::{Error, Result};
use crate::sight::{seen_rule, seen_rules};
use crate::{Caller, Registry, account_access, teams};

/// Whose rules are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagRulesOf {
    /// One package's.
    Package(PackagePath),
    /// An organization's, for all of its packages.
    Organization(AccountName),
}

/// Whom a rule is to let do something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowanceWish {
    /// Whoever has at least this role on the package: write or admin.
    pub role: Option<Role>,
    /// Users.
    pub users: Vec<AccountName>,
    /// Teams of the organization.
    pub teams: Vec<TeamSlug>,
    /// Repositories of the owner, whose workflows are meant.
    pub repositories: Vec<RepositoryPath>,
}

/// What a new rule is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRuleWish {
    /// The tags that it is about,
    pub pattern: TagPattern,
    /// but for these.
    pub except: Option<TagPattern>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether nobody moves or deletes such tags.
    pub immutable: bool,
    /// Who creates them.
    pub creates: AllowanceWish,
    /// Who moves them.
    pub moves: AllowanceWish,
    /// Who deletes them.
    pub deletes: AllowanceWish,
}

/// What is to be different about a rule; nothing said leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagRuleChange {
    /// The tags that it is about.
    pub pattern: Option<TagPattern>,
    /// The tags that are not meant.
    pub except: Option<Option<TagPattern>>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Whether nobody moves or deletes such tags.
    pub immutable: Option<bool>,
    /// Who creates them.
    pub creates: Option<AllowanceWish>,
    /// Who moves them.
    pub moves: Option<AllowanceWish>,
    /// Who deletes them.
    pub deletes: Option<AllowanceWish>,
}

impl TagRuleChange {
    /// The actions for which it says anew whom the rule lets.
    fn named(&self) -> Vec<TagAction> {
        let said = [
            (TagAction::Create, &self.creates),
            (TagAction::Move, &self.moves),
            (TagAction::Delete, &self.deletes),
        ];
        let said = said.into_iter().filter(|(_, wish)| wish.is_some());
        said.map(|(action, _)| action).collect()
    }
}

/// Where rules belong, and the proof that this caller administers it.
struct Place {
    owner: AccountId,
    package: Option<PackageId>,
}

impl Place {
    const fn rules(&self) -> RulesOf {
        match self.package {
            Some(package) => RulesOf::Package(package),
            None => RulesOf::Owner(self.owner),
        }
    }
}

impl Registry {
    /// The rules in force: of a package all that bind it, the registry's own and its
    /// organization's included; of an organization those of all of its packages.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it.
    pub async fn list_tag_rules(&self, caller: &Caller, of: &TagRulesOf) -> Result<Vec<TagRule>> {
        match of {
            TagRulesOf::Package(path) => {
                let mut conn = self.db.read().await?;
                let package = administer_package(&mut conn, caller, path).await?;
                let tagged = TaggedPackage::from(&package);
                let rules = self.tag_rules_in_force(&mut conn, tagged).await?;
                seen_rules(&mut conn, caller, rules).await
            }
            TagRulesOf::Organization(_) => {
                let mut conn = self.db.read().await?;
                let place = place(&mut conn, caller, of).await?;
                let rules = tag_rules::list(&mut conn, place.rules()).await?;
                seen_rules(&mut conn, caller, rules).await
            }
        }
    }

    /// One rule of a package or an organization itself.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::NotFound`].
    pub async fn tag_rule(
        &self,
        caller: &Caller,
        of: &TagRulesOf,
        id: TagRuleId,
    ) -> Result<TagRule> {
        let mut conn = self.db.read().await?;
        let place = place(&mut conn, caller, of).await?;
        let rule = find(&mut conn, &place, id).await?;
        seen_rule(&mut conn, caller, rule).await
    }

    /// Makes a rule; it binds from the next push on.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::AccountUnknown`] or
    /// [`Error::NotFound`] for whom it names; [`Error::Invalid`]; [`Error::Conflict`] for one rule
    /// too many.
    pub async fn create_tag_rule(
        &self,
        caller: &Caller,
        of: &TagRulesOf,
        wish: TagRuleWish,
    ) -> Result<TagRule> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let place = place(&mut tx, caller, of).await?;
        lock(&mut tx, &place).await?;
        one_more(&mut tx, &place).await?;
        described(wish.description.as_deref())?;
        let text = RuleText {
            pattern: &wish.pattern,
            except: wish.except.as_ref(),
            description: wish.description.as_deref(),
            immutable: wish.immutable,
            creates: &allowance(&mut tx, caller, &place, &wish.creates).await?,
            moves: &allowance(&mut tx, caller, &place, &wish.moves).await?,
            deletes: &allowance(&mut tx, caller, &place, &wish.deletes).await?,
        };
        let by = caller.principal.user();
        let id = tag_rules::create(&mut tx, place.owner, place.package, text, by, now).await?;
        let rule = find(&mut tx, &place, id).await?;
        let event = event(caller.event(EventKind::TagRuleCreated, now), &place, &rule);
        self.commit_access_change(tx, event).await?;
        Ok(rule)
    }

    /// Changes what a rule says.
    ///
    /// # Errors
    /// As [`Registry::create_tag_rule`]; [`Error::NotFound`] for the rule.
    pub async fn change_tag_rule(
        &self,
        caller: &Caller,
        of: &TagRulesOf,
        id: TagRuleId,
        change: TagRuleChange,
    ) -> Result<TagRule> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let place = place(&mut tx, caller, of).await?;
        lock(&mut tx, &place).await?;
        let mut rule = find(&mut tx, &place, id).await?;
        let named = change.named();
        apply(&mut tx, caller, &place, &mut rule, change).await?;
        let text = RuleText {
            pattern: &rule.pattern,
            except: rule.except.as_ref(),
            description: rule.description.as_deref(),
            immutable: rule.immutable,
            creates: &rule.creates,
            moves: &rule.moves,
            deletes: &rule.deletes,
        };
        tag_rules::change(&mut tx, id, text, &named, now).await?;
        let rule = find(&mut tx, &place, id).await?;
        let event = event(caller.event(EventKind::TagRuleUpdated, now), &place, &rule);
        let seen = seen_rule(&mut tx, caller, rule).await?;
        self.commit_access_change(tx, event).await?;
        Ok(seen)
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the caller administers it; [`Error::NotFound`].
    pub async fn delete_tag_rule(
        &self,
        caller: &Caller,
        of: &TagRulesOf,
        id: TagRuleId,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let place = place(&mut tx, caller, of).await?;
        lock(&mut tx, &place).await?;
        let rule = find(&mut tx, &place, id).await?;
        tag_rules::delete(&mut tx, id).await?;
        let event = event(caller.event(EventKind::TagRuleDeleted, now), &place, &rule);
        self.commit_access_change(tx, event).await
    }
}

/// Asks for administering what the rules belong to.
async fn place(conn: &mut Conn, caller: &Caller, of: &TagRulesOf) -> Result<Place> {
    match of {
        TagRulesOf::Package(path) => {
            let package = administer_package(conn, caller, path).await?;
            Ok(Place {
                owner: package.owner(),
                package: Some(package.id()),
            })
        }
        TagRulesOf::Organization(name) => {
            let permission = AccountPermission::Administer;
            let found = account_access::organization(conn, caller, name, permission).await?;
            Ok(Place {
                owner: found.id(),
                package: None,
            })
        }
    }
}

async fn administer_package(
    conn: &mut Conn,
    caller: &Caller,
    path: &PackagePath,
) -> Result<Authorized> {
    authorize_in(conn, caller, path, PackagePermission::Administer).await
}

/// Of two who change the rules of one package or organization, one waits for the other.
async fn lock(conn: &mut Conn, place: &Place) -> Result<()> {
    match place.package {
        Some(package) => packages::lock(conn, package).await.map(drop)?,
        None => accounts::lock(conn, place.owner).await?,
    }
    Ok(())
}

async fn find(conn: &mut Conn, place: &Place, id: TagRuleId) -> Result<TagRule> {
    let found = tag_rules::find(conn, place.rules(), id).await?;
    found.ok_or_else(|| Error::NotFound {
        what: "tag rule",
        name: id.to_string(),
    })
}

async fn one_more(conn: &mut Conn, place: &Place) -> Result<()> {
    if tag_rules::list(conn, place.rules()).await?.len() < TagRule::MOST {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "there are {} tag rules already, and that is the most; one pattern may name several tags, \
         as `{{latest,stable}}` does",
        TagRule::MOST
    )))
}

fn described(description: Option<&str>) -> Result<()> {
    let length = description.map_or(0, |text| text.chars().count());
    if length <= TagRule::LONGEST_DESCRIPTION {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the description has {length} characters; {} is the most",
        TagRule::LONGEST_DESCRIPTION
    )))
}

async fn apply(
    conn: &mut Conn,
    caller: &Caller,
    place: &Place,
    rule: &mut TagRule,
    change: TagRuleChange,
) -> Result<()> {
    if let Some(pattern) = change.pattern {
        rule.pattern = pattern;
    }
    if let Some(except) = change.except {
        rule.except = except;
    }
    if let Some(description) = change.description {
        described(description.as_deref())?;
        rule.description = description;
    }
    rule.immutable = change.immutable.unwrap_or(rule.immutable);
    if let Some(wish) = change.creates {
        rule.creates = allowance(conn, caller, place, &wish).await?;
    }
    if let Some(wish) = change.moves {
        rule.moves = allowance(conn, caller, place, &wish).await?;
    }
    if let Some(wish) = change.deletes {
        rule.deletes = allowance(conn, caller, place, &wish).await?;
    }
    Ok(())
}

/// Finds whom a rule is to name.
async fn allowance(
    conn: &mut Conn,
    caller: &Caller,
    place: &Place,
    wish: &AllowanceWish,
) -> Result<TagAllowance> {
    bounded(wish)?;
    let mut allowance = TagAllowance {
        role: wish.role,
        ..TagAllowance::default()
    };
    for login in &wish.users {
        let user = find_user(conn, login).await?;
        allowance.users.push((user.id, user.login));
    }
    for slug in &wish.teams {
        let team = teams::find(conn, caller, place.owner, slug).await?;
        allowance.teams.push((team.id, team.slug, team.privacy));
    }
    for path in &wish.repositories {
        let found = own_repository(conn, caller, place.owner, path).await?;
        allowance.repositories.push((found, path.clone()));
    }
    Ok(allowance)
}

fn bounded(wish: &AllowanceWish) -> Result<()> {
    if wish.role == Some(Role::Read) {
        return Err(Error::Invalid(
            "readers do nothing with tags; the role of a tag rule is write or admin".to_owned(),
        ));
    }
    let named = [wish.users.len(), wish.teams.len(), wish.repositories.len()];
    if named.iter().all(|number| *number <= TagRule::MOST_NAMED) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "an action of a tag rule names at most {} users, teams and repositories each; put more \
         people into a team",
        TagRule::MOST_NAMED
    )))
}

/// A repository of this owner that the caller may know about.
///
/// # Errors
/// [`Error::Refused`] and [`Error::NotFound`].
pub(crate) async fn own_repository(
    conn: &mut Conn,
    caller: &Caller,
    owner: AccountId,
    path: &RepositoryPath,
) -> Result<RepositoryId> {
    let permission = RepositoryPermission::Read;
    let found = account_access::repository(conn, caller, path, permission).await?;
    if found.owner() == owner {
        return Ok(found.id());
    }
    let owner = accounts::find_by_id(conn, owner).await?;
    let owner = owner.map_or_else(String::new, |owner| owner.login().to_string());
    Err(Error::Conflict(format!(
        "{path} is no repository of {owner}; only workflows of the owner's repositories can be \
         named"
    )))
}

fn event(event: NewEvent, place: &Place, rule: &TagRule) -> NewEvent {
    let event = match place.package {
        Some(package) => event.on_package(place.owner, package),
        None => event.on_account(place.owner),
    };
    event
        .with("rule", rule.id)
        .with("pattern", &rule.pattern)
        .with("immutable", rule.immutable)
}

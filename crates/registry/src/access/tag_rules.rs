//! What tag rules take from a caller who may push or delete. The rules, the live role and the
//! teams are read in the transaction that acts on them.

use naru_metadata::tag_rules::RulesOf;
use naru_metadata::{Conn, grants, tag_rules, tags};
use naru_model::policy::{self, TagCaller};
use naru_model::{
    AccountId, PackageId, PackagePath, PackageType, Principal, TagAction, TagRule, TagRules,
};

use super::{Authorized, PushTarget};
use crate::error::{Error, Result};
use crate::{Caller, Registry};

/// A package whose tags are about to change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaggedPackage<'a> {
    /// The package.
    pub(crate) id: PackageId,
    /// The account that owns it.
    pub(crate) owner: AccountId,
    /// Which registry it belongs to.
    pub(crate) package_type: PackageType,
    /// The name it was asked for by.
    pub(crate) path: &'a PackagePath,
}

impl<'a> From<&'a Authorized> for TaggedPackage<'a> {
    fn from(package: &'a Authorized) -> Self {
        Self {
            id: package.id,
            owner: package.owner,
            package_type: package.package_type,
            path: &package.path,
        }
    }
}

impl<'a> TaggedPackage<'a> {
    /// The package that a push goes to, which has a row by now.
    pub(crate) const fn pushed(target: &'a PushTarget, id: PackageId) -> Self {
        Self {
            id,
            owner: target.owner(),
            package_type: target.package_type(),
            path: target.path(),
        }
    }
}

/// The tag rules of a package, and whom they are asked about: without one, no tag is written or
/// removed.
#[derive(Debug)]
pub(crate) struct TagBinding {
    principal: Principal,
    rules: TagRules,
    caller: TagCaller,
}

impl TagBinding {
    /// Asks whether the rules let the caller do something with a tag.
    ///
    /// # Errors
    /// [`Error::TagProtected`].
    pub(crate) fn allow(&self, action: TagAction, tag: &str) -> Result<()> {
        policy::decide_tag(&self.principal, action, tag, &self.rules, &self.caller)
            .map_err(Error::TagProtected)
    }
}

impl Registry {
    /// The tag rules of a package as they bind the caller.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn tag_binding(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: TaggedPackage<'_>,
    ) -> Result<TagBinding> {
        let rules = match caller.principal {
            // The machine itself is not bound.
            Principal::System => Vec::new(),
            _ => self.tag_rules_in_force(conn, package).await?,
        };
        binding(conn, caller, package, rules).await
    }

    /// Asks whether the organization's tag rules let the caller delete a whole package: deleted and
    /// pushed again, its tags would have moved. The package's own rules do not hold it up, because
    /// whoever deletes a package may lift them.
    ///
    /// # Errors
    /// [`Error::TagProtected`] by the first tag that must stay.
    pub(crate) async fn allow_deleting_all_tags(
        &self,
        conn: &mut Conn,
        caller: &Caller,
        package: TaggedPackage<'_>,
    ) -> Result<()> {
        const BATCH: i64 = 1000;
        let rules = match caller.principal {
            Principal::System => Vec::new(),
            _ => tag_rules::list(conn, RulesOf::Owner(package.owner)).await?,
        };
        if rules.is_empty() {
            return Ok(());
        }
        let binding = binding(conn, caller, package, rules).await?;
        let mut after = String::new();
        loop {
            let names = tags::names(conn, package.id, &after, BATCH).await?;
            for name in &names {
                binding.allow(TagAction::Delete, name)?;
            }
            match names.into_iter().next_back() {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    /// The rules that bind a package's tags: the registry's own, its owner's and its own.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn tag_rules_in_force(
        &self,
        conn: &mut Conn,
        package: TaggedPackage<'_>,
    ) -> Result<Vec<TagRule>> {
        let mut rules = Vec::new();
        let is_legacy = package.package_type == PackageType::Docker;
        if is_legacy
            && self.settings.legacy_immutable_tags
            && tag_rules::default_binds(conn, package.id).await?
        {
            rules.push(TagRule::of_the_legacy_registry());
        }
        rules.extend(tag_rules::binding(conn, package.id, package.owner).await?);
        Ok(rules)
    }
}

async fn binding(
    conn: &mut Conn,
    caller: &Caller,
    package: TaggedPackage<'_>,
    rules: Vec<TagRule>,
) -> Result<TagBinding> {
    let principal = &caller.principal;
    let caller = if rules.is_empty() {
        TagCaller::default()
    } else {
        tag_caller(conn, principal, package).await?
    };
    Ok(TagBinding {
        principal: principal.clone(),
        rules: ready(rules)?,
        caller,
    })
}

/// What the rules need to know of the caller.
async fn tag_caller(
    conn: &mut Conn,
    principal: &Principal,
    package: TaggedPackage<'_>,
) -> Result<TagCaller> {
    let facts = grants::package_facts(conn, principal, package.path).await?;
    let teams = match principal.user() {
        Some(user) => tag_rules::teams_of_user(conn, user, package.owner).await?,
        None => Vec::new(),
    };
    Ok(TagCaller {
        role: policy::role_on_package(principal, package.path, &facts),
        teams,
        is_member: facts.caller.organization_role.is_some(),
    })
}

fn ready(rules: Vec<TagRule>) -> Result<TagRules> {
    TagRules::new(rules).map_err(|error| Error::Internal(format!("a stored tag rule: {error}")))
}

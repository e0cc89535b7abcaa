//! Searching packages (contract G9 and its like).
//!
//! A query is words and qualifiers, all of which must hold. A word is the beginning of a word of the
//! name, the description, a tag, a label or the linked repository. At most a thousand packages are
//! looked at, as the vendor's search does; if there may be more, the answer says that it is
//! incomplete.

use std::collections::{HashMap, HashSet};

use naru_metadata::search::{self, Hit, Range, Reach};
use naru_metadata::{Conn, accounts};
use naru_model::policy::Refusal;
use naru_model::{
    Account, AccountId, AccountKind, AccountPermission, PackageId, PackageType, Principal,
    Visibility,
};

use crate::error::{Error, Result};
use crate::packages::ListedPackage;
use crate::search_index::term;
use crate::{Caller, Registry, account_access};

/// How many packages are looked at, and can be reached (as at the vendor).
pub const MOST: usize = 1000;
/// How many words and qualifiers a query may have.
const MOST_CONDITIONS: usize = 10;
/// The shortest beginning of a digest, in hex digits.
const SHORTEST_DIGEST: usize = 7;

/// A query, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchQuery {
    conditions: Vec<Range>,
    words: Vec<String>,
    owner: Option<(Option<AccountKind>, String)>,
    visibility: Option<Visibility>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many packages match that the caller may read.
    pub total: usize,
    /// Whether there may be more.
    pub incomplete: bool,
    /// Those of the page, best first, with their owners.
    pub items: Vec<(ListedPackage, Account)>,
}

impl std::str::FromStr for SearchQuery {
    type Err = String;

    /// The error says which part is wrong and what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        for part in parts(text) {
            query.add(&part)?;
        }
        let asks = !query.conditions.is_empty() || query.owner.is_some();
        if !asks && query.visibility.is_none() {
            return Err("q has no words and no qualifiers".to_owned());
        }
        if query.conditions.len() > MOST_CONDITIONS {
            return Err(format!(
                "q has more than {MOST_CONDITIONS} words and qualifiers"
            ));
        }
        Ok(query)
    }
}

/// The parts of a query: separated by spaces, but for those in double quotes.
fn parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut part, mut quoted) = (String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

impl SearchQuery {
    fn add(&mut self, part: &str) -> Result<(), String> {
        let Some((qualifier, value)) = part.split_once(':') else {
            self.add_word(part);
            return Ok(());
        };
        if value.is_empty() {
            return Err(format!("{qualifier}: has no value"));
        }
        match qualifier {
            "user" => self.add_owner(Some(AccountKind::User), value),
            "org" => self.add_owner(Some(AccountKind::Organization), value),
            "owner" => self.add_owner(None, value),
            "type" => return self.add_type(value),
            "is" | "visibility" => return self.add_visibility(qualifier, value),
            "repo" => self.conditions.push(Range::is(&term('r', value))),
            "tag" => self.add_value('t', value),
            "label" => self.add_value('l', value),
            "digest" => return self.add_digest(value),
            // The digest as clients print it.
            "sha256" | "sha512" => return self.add_digest(part),
            _ => return Err(format!("there is no qualifier {qualifier}:")),
        }
        Ok(())
    }

    fn add_word(&mut self, word: &str) {
        self.words.push(word.to_lowercase());
        self.conditions.push(Range::begins(&term('w', word)));
    }

    fn add_owner(&mut self, kind: Option<AccountKind>, login: &str) {
        self.owner = Some((kind, login.to_owned()));
    }

    fn add_type(&mut self, value: &str) -> Result<(), String> {
        let known: PackageType = value
            .parse()
            .map_err(|_| "type: is container or docker".to_owned())?;
        self.conditions.push(Range::is(&term('k', known.as_str())));
        Ok(())
    }

    fn add_visibility(&mut self, qualifier: &str, value: &str) -> Result<(), String> {
        let known = value
            .parse()
            .map_err(|_| format!("{qualifier}: is public, internal or private"))?;
        self.visibility = Some(known);
        Ok(())
    }

    /// A value, or its beginning if a `*` ends it.
    fn add_value(&mut self, kind: char, value: &str) {
        self.conditions.push(match value.strip_suffix('*') {
            Some(beginning) => Range::begins(&term(kind, beginning)),
            None => Range::is(&term(kind, value)),
        });
    }

    fn add_digest(&mut self, value: &str) -> Result<(), String> {
        let hex = value.rsplit(':').next().unwrap_or_default();
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || hex.len() < SHORTEST_DIGEST {
            return Err(format!(
                "digest: is a digest, or at least its first {SHORTEST_DIGEST} hex digits"
            ));
        }
        self.conditions.push(Range::begins(&term('d', hex)));
        Ok(())
    }
}

/// Whom a search is for. A credential that may not list packages finds what strangers find: names
/// and tags are told by a search as they are by a list.
async fn seeker(conn: &mut Conn, caller: &Caller) -> Result<Principal> {
    match &caller.principal {
        Principal::User { .. } => {
            let login = account_access::myself(conn, caller).await?.login;
            let list = AccountPermission::ListPackages;
            match account_access::account(conn, caller, &login, list).await {
                Ok(_) => Ok(caller.principal.clone()),
                Err(Error::Refused(Refusal::Scope { .. })) => Ok(Principal::ANONYMOUS),
                Err(error) => Err(error),
            }
        }
        Principal::Workflow { packages: None, .. } => Ok(Principal::ANONYMOUS),
        other => Ok(other.clone()),
    }
}

impl Registry {
    /// Finds packages that the caller may read, best matches first; those of the page that begins
    /// after `skip` of them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn search_packages(
        &self,
        caller: &Caller,
        query: &SearchQuery,
        skip: usize,
        limit: usize,
    ) -> Result<Found> {
        let mut conn = self.db.read().await?;
        let principal = &seeker(&mut conn, caller).await?;
        let nothing = Found {
            total: 0,
            incomplete: false,
            items: Vec::new(),
        };
        let mut conditions = query.conditions.clone();
        if let Some((kind, login)) = &query.owner {
            let Some(owner) = owner(&mut conn, *kind, login).await? else {
                return Ok(nothing);
            };
            let owner = term('o', &owner.to_string());
            conditions.push(Range::is(&owner));
        }
        if conditions.is_empty() {
            // Every package has a name.
            conditions.push(Range::begins("n:"));
        }
        let candidates = candidates(&mut conn, principal, &conditions, query.visibility).await?;
        let mut hits =
            search::readable(&mut conn, principal, &candidates.packages, query.visibility).await?;
        rank(&mut hits, &query.words);
        let page: Vec<PackageId> = hits
            .iter()
            .skip(skip)
            .take(limit)
            .map(|hit| hit.package)
            .collect();
        Ok(Found {
            total: hits.len(),
            incomplete: candidates.incomplete,
            items: with_owners(&mut conn, &page).await?,
        })
    }
}

/// The owner that a qualifier names. That there is an account of a name is no secret.
async fn owner(
    conn: &mut Conn,
    kind: Option<AccountKind>,
    login: &str,
) -> Result<Option<AccountId>> {
    let Ok(login) = login.parse() else {
        return Ok(None);
    };
    let found = accounts::find(conn, &login).await?;
    let found = found.filter(|found| kind.is_none_or(|kind| found.kind() == kind));
    Ok(found.map(|found| found.id()))
}

struct Candidates {
    packages: Vec<PackageId>,
    known: HashSet<PackageId>,
    incomplete: bool,
}

/// Packages that match, from every part of the index that the caller may see.
async fn candidates(
    conn: &mut Conn,
    principal: &Principal,
    conditions: &[Range],
    visibility: Option<Visibility>,
) -> Result<Candidates> {
    let mut found = Candidates {
        packages: Vec::new(),
        known: HashSet::new(),
        incomplete: false,
    };
    let reaches = search::reaches(conn, principal).await?.into_iter();
    for reach in reaches.filter(|reach| visibility.is_none_or(|wanted| reach.has(wanted))) {
        if found.is_full() {
            return Ok(found);
        }
        let Some(driver) = rarest(conn, reach, conditions).await? else {
            continue;
        };
        let packages = search::within_reach(conn, reach, driver, rows()).await?;
        found.add(conn, packages, driver, conditions).await?;
    }
    if let Some(driver) = conditions.first()
        && !found.is_full()
    {
        let packages = search::granted(conn, principal, driver, rows()).await?;
        found.add(conn, packages, driver, conditions).await?;
    }
    Ok(found)
}

/// One more than is looked at, to learn whether there are more.
fn rows() -> i64 {
    i64::try_from(MOST).unwrap_or(i64::MAX).saturating_add(1)
}

impl Candidates {
    /// Whether there are as many as are looked at, and known to be more.
    fn is_full(&self) -> bool {
        self.incomplete && self.packages.len() >= MOST
    }

    /// Takes those of `packages`, which match `driver`, that match the other conditions too.
    async fn add(
        &mut self,
        conn: &mut Conn,
        mut packages: Vec<PackageId>,
        driver: &Range,
        conditions: &[Range],
    ) -> Result<()> {
        if packages.len() > MOST {
            self.incomplete = true;
            packages.truncate(MOST);
        }
        packages.sort_unstable();
        packages.dedup();
        for condition in conditions.iter().filter(|condition| *condition != driver) {
            if packages.is_empty() {
                return Ok(());
            }
            packages = search::among(conn, &packages, condition).await?;
        }
        packages.retain(|package| !self.known.contains(package));
        let room = MOST - self.packages.len();
        if packages.len() > room {
            self.incomplete = true;
            packages.truncate(room);
        }
        self.known.extend(&packages);
        self.packages.extend(packages);
        Ok(())
    }
}

/// The condition that the fewest terms within a reach match: where to begin. `None` when one is
/// matched by nothing.
async fn rarest<'c>(
    conn: &mut Conn,
    reach: Reach,
    conditions: &'c [Range],
) -> Result<Option<&'c Range>> {
    let mut rarest: Option<(i64, &Range)> = None;
    for condition in conditions {
        let count = search::count(conn, reach, condition, rows()).await?;
        if count == 0 {
            return Ok(None);
        }
        if rarest.is_none_or(|(least, _)| count < least) {
            rarest = Some((count, condition));
        }
    }
    Ok(rarest.map(|(_, condition)| condition))
}

/// Best first: the whole name is a word of the query, then a part of it, then it contains one; the
/// newest first among equals.
fn rank(hits: &mut [Hit], words: &[String]) {
    let quality = |hit: &Hit| {
        let name = hit.name.as_str();
        let is = |word: &String| name == word;
        let has_part = |word: &String| name.split('/').any(|part| part == word);
        let contains = |word: &String| name.contains(word.as_str());
        if words.iter().any(is) {
            0
        } else if words.iter().any(has_part) {
            1
        } else if words.iter().any(contains) {
            2
        } else {
            3
        }
    };
    hits.sort_by_cached_key(|hit| (quality(hit), std::cmp::Reverse(hit.package)));
}

async fn with_owners(conn: &mut Conn, page: &[PackageId]) -> Result<Vec<(ListedPackage, Account)>> {
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let found = search::fetch(conn, page).await?;
    let mut owners: Vec<AccountId> = found.iter().map(|listed| listed.package.owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let owners = accounts::many(conn, &owners).await?.into_iter();
    let owners: HashMap<AccountId, Account> = owners.map(|owner| (owner.id(), owner)).collect();
    let records = found.into_iter().map(|listed| (listed.package.id, listed));
    let mut records: HashMap<PackageId, ListedPackage> = records.collect();
    let found = page.iter().filter_map(|id| {
        let listed = records.remove(id)?;
        let owner = owners.get(&listed.package.owner)?.clone();
        Some((listed, owner))
    });
    Ok(found.collect())
}

impl SearchQuery {
    /// Reads a query; see [`std::str::FromStr`].
    ///
    /// # Errors
    /// [`Error::Invalid`] that says what was expected.
    pub fn read(text: &str) -> Result<Self> {
        text.parse().map_err(Error::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> SearchQuery {
        text.parse().unwrap()
    }

    #[test]
    fn words_and_qualifiers_are_told_apart() {
        let found = query("Base user:octocat is:public tag:v1* label:\"a.b=two words\"");
        assert_eq!(found.words, ["base"]);
        assert_eq!(
            found.owner,
            Some((Some(AccountKind::User), "octocat".to_owned()))
        );
        assert_eq!(found.visibility, Some(Visibility::Public));
        assert_eq!(
            found.conditions,
            [
                Range::begins("w:base"),
                Range::begins("t:v1"),
                Range::is("l:a.b=two words")
            ]
        );
    }

    #[test]
    fn a_digest_is_found_by_its_beginning() {
        let expected = [Range::begins("d:0123abcd")];
        for text in [
            "digest:0123abcd",
            "digest:sha256:0123ABCD",
            "sha256:0123abcd",
        ] {
            assert_eq!(query(text).conditions, expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_what_was_expected() {
        for (text, told) in [
            ("", "no words"),
            ("  \"\" ", "no words"),
            ("type:npm", "container or docker"),
            ("is:secret", "public, internal or private"),
            ("digest:abc", "at least its first 7"),
            ("digest:zzzzzzzzz", "hex digits"),
            ("tag:", "has no value"),
            ("stars:7", "no qualifier stars"),
            ("a b c d e f g h i j k", "more than 10"),
        ] {
            let refused = text.parse::<SearchQuery>().unwrap_err();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }
}

//! Profiles: what the owner of an account says about it, and figures shown beside that.

use naru_model::{AccountId, Profile};

use crate::db::{Conn, FromRow, Row, statements};
use crate::error::Result;

impl FromRow for Profile {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            company: row.get("company")?,
            blog: row.get("blog")?,
            location: row.get("location")?,
            email: row.get("email")?,
            twitter_username: row.get("twitter_username")?,
            bio: row.get("bio")?,
            hireable: hireable(row)?,
            description: row.get("description")?,
            billing_email: row.get("billing_email")?,
        })
    }
}

fn hireable(row: &Row) -> Result<Option<bool>> {
    let word: Option<i64> = row.get("hireable")?;
    Ok(word.map(|word| word == 1))
}

/// How many there are of what an account owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFigures {
    /// Public repositories.
    pub public_repositories: u64,
    /// Internal and private repositories.
    pub private_repositories: u64,
    /// Users with a role of their own in internal and private repositories.
    pub collaborators: u64,
}

impl FromRow for AccountFigures {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            public_repositories: row.get("public_repositories")?,
            private_repositories: row.get("private_repositories")?,
            collaborators: row.get("collaborators")?,
        })
    }
}

statements! {
    FIND = "SELECT company, blog, location, email, twitter_username, bio, hireable, description,
            billing_email
        FROM profiles WHERE account_id = $1";
    PUT = "INSERT INTO profiles (account_id, company, blog, location, email, twitter_username, bio,
            hireable, description, billing_email)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (account_id) DO UPDATE SET company = excluded.company, blog = excluded.blog,
            location = excluded.location, email = excluded.email,
            twitter_username = excluded.twitter_username, bio = excluded.bio,
            hireable = excluded.hireable, description = excluded.description,
            billing_email = excluded.billing_email";
    FIGURES = "SELECT
            (SELECT COUNT(*) FROM repositories r WHERE r.owner_id = $1 AND r.deleted_at IS NULL
                AND r.visibility = 'public') AS public_repositories,
            (SELECT COUNT(*) FROM repositories r WHERE r.owner_id = $1 AND r.deleted_at IS NULL
                AND r.visibility <> 'public') AS private_repositories,
            (SELECT COUNT(DISTINCT c.user_id)
                FROM repositories r JOIN repository_users c ON c.repository_id = r.id
                WHERE r.owner_id = $1 AND r.deleted_at IS NULL AND r.visibility <> 'public'
                    AND c.user_id <> $1) AS collaborators";
}

/// What the owner of an account says about it.
///
/// # Errors
/// Those of the database.
pub async fn find(conn: &mut Conn, account: AccountId) -> Result<Profile> {
    let found = conn.optional(FIND, &[account.into()]).await?;
    Ok(found.unwrap_or_default())
}

/// Writes what the owner of an account says about it.
///
/// # Errors
/// [`Error::ForeignKey`](crate::Error::ForeignKey) when there is no such account.
pub async fn put(conn: &mut Conn, account: AccountId, profile: &Profile) -> Result<()> {
    let args = [
        account.into(),
        profile.company.as_deref().into(),
        profile.blog.as_deref().into(),
        profile.location.as_deref().into(),
        profile.email.as_deref().into(),
        profile.twitter_username.as_deref().into(),
        profile.bio.as_deref().into(),
        profile.hireable.map(i64::from).into(),
        profile.description.as_deref().into(),
        profile.billing_email.as_deref().into(),
    ];
    conn.execute(PUT, &args).await?;
    Ok(())
}

/// How much an account owns.
///
/// # Errors
/// Those of the database.
pub async fn figures(conn: &mut Conn, account: AccountId) -> Result<AccountFigures> {
    conn.one(FIGURES, &[account.into()]).await
}

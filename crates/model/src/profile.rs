//! Profiles: what the owner of an account says about it.

/// What the owner of an account says about it; nothing where nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Where they work.
    pub company: Option<String>,
    /// The address of a page of theirs.
    pub blog: Option<String>,
    /// Where they are.
    pub location: Option<String>,
    /// The mail address that everybody who sees the profile sees.
    pub email: Option<String>,
    /// Their name at X, once Twitter.
    pub twitter_username: Option<String>,
    /// Users: a few words about themselves.
    pub bio: Option<String>,
    /// Users: whether they look for work.
    pub hireable: Option<bool>,
    /// Organizations: what it is, in a sentence.
    pub description: Option<String>,
    /// Organizations: where bills would go; owners see it.
    pub billing_email: Option<String>,
}

/// What is wrong with a text of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is longer than shown texts may be.
    #[error("`{field}` has at most {longest} characters")]
    TooLong {
        /// Which text, by its name in REST.
        field: &'static str,
        /// The longest allowed, in characters.
        longest: usize,
    },
    /// It holds control characters.
    #[error("`{field}` holds characters that cannot be shown")]
    Unprintable {
        /// Which text, by its name in REST.
        field: &'static str,
    },
    /// It is no mail address.
    #[error("`{field}` is no mail address")]
    NoMailAddress {
        /// Which text, by its name in REST.
        field: &'static str,
    },
}

impl ProfileError {
    /// Which text it is about, by its name in REST.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::TooLong { field, .. }
            | Self::Unprintable { field }
            | Self::NoMailAddress { field } => field,
        }
    }
}

impl Profile {
    /// The longest text but for [`Profile::LONGEST_BIO`], in characters.
    pub const LONGEST: usize = 255;
    /// The longest text about oneself, in characters (as on the vendor's page).
    pub const LONGEST_BIO: usize = 160;

    /// Whether every text can be shown.
    ///
    /// # Errors
    /// [`ProfileError`], which names the first that cannot.
    pub fn check(&self) -> Result<(), ProfileError> {
        let texts = [
            ("company", &self.company),
            ("blog", &self.blog),
            ("location", &self.location),
            ("twitter_username", &self.twitter_username),
            ("description", &self.description),
        ];
        for (field, text) in texts {
            check_text(field, text.as_deref(), Self::LONGEST)?;
        }
        check_text("bio", self.bio.as_deref(), Self::LONGEST_BIO)?;
        check_mail("email", self.email.as_deref())?;
        check_mail("billing_email", self.billing_email.as_deref())
    }
}

/// Whether a text in one line can be shown and is not too long.
///
/// # Errors
/// [`ProfileError`].
pub fn check_text(
    field: &'static str,
    text: Option<&str>,
    longest: usize,
) -> Result<(), ProfileError> {
    let text = text.unwrap_or_default();
    if text.chars().count() > longest {
        return Err(ProfileError::TooLong { field, longest });
    }
    if text.chars().any(char::is_control) {
        return Err(ProfileError::Unprintable { field });
    }
    Ok(())
}

/// A mail address is something, an `@` and a domain: whoever writes to it learns the rest.
fn check_mail(field: &'static str, text: Option<&str>) -> Result<(), ProfileError> {
    check_text(field, text, Profile::LONGEST)?;
    let Some(text) = text else {
        return Ok(());
    };
    let is_one = text.split_once('@').is_some_and(|(name, domain)| {
        let plain = |part: &str| !part.is_empty() && !part.contains([' ', '@', '<', '>', ',']);
        plain(name) && plain(domain)
    });
    if is_one {
        return Ok(());
    }
    Err(ProfileError::NoMailAddress { field })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_can_be_shown_are_taken() {
        let profile = Profile {
            company: Some("@github".to_owned()),
            bio: Some("ä".repeat(160)),
            email: Some("octocat@github.example".to_owned()),
            ..Profile::default()
        };
        assert_eq!(profile.check(), Ok(()));
        assert_eq!(Profile::default().check(), Ok(()));
    }

    #[test]
    fn the_first_text_that_cannot_be_shown_is_named() {
        let with = |change: fn(&mut Profile)| {
            let mut profile = Profile::default();
            change(&mut profile);
            profile.check().unwrap_err().to_string()
        };
        assert_eq!(
            with(|profile| profile.bio = Some("a".repeat(161))),
            "`bio` has at most 160 characters"
        );
        assert_eq!(
            with(|profile| profile.company = Some("a\u{1b}[31m".to_owned())),
            "`company` holds characters that cannot be shown"
        );
        for address in ["octocat", "@b", "a@", "a b@c", "a@b@c"] {
            let profile = Profile {
                email: Some(address.to_owned()),
                ..Profile::default()
            };
            let error = ProfileError::NoMailAddress { field: "email" };
            assert_eq!(profile.check(), Err(error), "{address}");
        }
    }
}

//! Labels and annotations that mean something to the registry.
//!
//! OCI image-spec, "Annotations"; GitHub documentation, "Working with the Container registry",
//! "Labelling container images". A single image says them as labels of its configuration or as
//! annotations of its manifest, an index as annotations of its own.

use std::fmt;

use url::{Host, Url};

use crate::repository::RepositoryPath;

/// Names the source repository that the package is linked to.
pub const SOURCE: &str = "org.opencontainers.image.source";
/// Says what the image is, under the package's name.
pub const DESCRIPTION: &str = "org.opencontainers.image.description";
/// Names the licence, as an SPDX expression.
pub const LICENSES: &str = "org.opencontainers.image.licenses";

/// The longest source and licence that count, in characters.
const LONGEST: usize = 256;
/// How much of a description is kept, in characters.
const LONGEST_DESCRIPTION: usize = 512;

/// The text to show of a description: trimmed, its first 512 characters; none if nothing is left.
#[must_use]
pub fn description(value: &str) -> Option<String> {
    let text: String = value.trim().chars().take(LONGEST_DESCRIPTION).collect();
    (!text.is_empty()).then_some(text)
}

/// The licence to show; none if it is empty or longer than 256 characters.
#[must_use]
pub fn licenses(value: &str) -> Option<&str> {
    let text = value.trim();
    (!text.is_empty() && text.chars().count() <= LONGEST).then_some(text)
}

/// The source repository that an image names: on this instance, or on a forge elsewhere whose
/// address a repository's record may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `https://HOST/OWNER/NAME` with a host name of this instance.
    Here(RepositoryPath),
    /// Any other address: look for a record with the same [`ForgeUrl`].
    Forge(ForgeUrl),
}

/// Reads the value of [`SOURCE`]. `hosts` are the names of this instance, in lower case, without
/// ports. None for what is no web address, or is longer than 256 characters: such a label is
/// ignored.
#[must_use]
pub fn source(value: &str, hosts: &[&str]) -> Option<Source> {
    let value = value.trim();
    if value.chars().count() > LONGEST {
        return None;
    }
    let forge = ForgeUrl::parse(value)?;
    if hosts.contains(&forge.host.as_str()) {
        return forge.path.parse().ok().map(Source::Here);
    }
    Some(Source::Forge(forge))
}

/// The address of a repository on a forge, in the one form in which two spellings of the same
/// address are equal: host in lower case, without scheme, credentials, query, a closing slash and
/// `.git`.
///
/// The path is compared without case, as forges do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForgeUrl {
    host: String,
    port: Option<u16>,
    path: String,
}

impl ForgeUrl {
    /// Reads a web address (`https://` or `http://`) of a repository; none if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let host = match url.host()? {
            Host::Domain(name) => name.trim_end_matches('.').to_owned(),
            address => address.to_string(),
        };
        let path = url.path().trim_matches('/');
        let path = path
            .strip_suffix(".git")
            .unwrap_or(path)
            .to_ascii_lowercase();
        let is_web = matches!(url.scheme(), "https" | "http");
        if !is_web || path.is_empty() || host.is_empty() {
            return None;
        }
        Some(Self {
            host,
            port: url.port(),
            path,
        })
    }
}

impl fmt::Display for ForgeUrl {
    /// `host/path`, the form to store and to look up by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOSTS: &[&str] = &["naru.example", "127.0.0.1"];

    fn here(value: &str) -> Option<String> {
        match source(value, HOSTS)? {
            Source::Here(path) => Some(path.to_string()),
            Source::Forge(_) => None,
        }
    }

    #[test]
    fn an_address_on_this_instance_names_its_repository() {
        for value in [
            "https://naru.example/octo/app",
            "https://naru.example/octo/app/",
            "https://naru.example/Octo/App.git",
            "http://NARU.example/octo/app?tab=packages#readme",
            "https://naru.example:8443/octo/app",
            "https://user:secret@naru.example/octo/app",
            "http://127.0.0.1:5000/octo/app",
            " https://naru.example/octo/app\n",
        ] {
            assert_eq!(here(value).as_deref(), Some("octo/app"), "{value}");
        }
    }

    #[test]
    fn what_is_no_repository_of_this_instance_is_ignored() {
        for value in [
            "",
            "octo/app",
            "git@naru.example:octo/app.git",
            "ssh://naru.example/octo/app",
            "javascript:alert(1)",
            "https://naru.example/octo",
            "https://naru.example/octo/app/tree/main",
            "https://naru.example/octo/..",
            "https:///octo/app",
        ] {
            assert_eq!(here(value), None, "{value}");
        }
    }

    #[test]
    fn a_host_that_only_looks_like_this_one_is_another() {
        for value in [
            "https://naru.example.evil.example/octo/app",
            "https://xnaru.example/octo/app",
        ] {
            assert!(
                matches!(source(value, HOSTS), Some(Source::Forge(_))),
                "{value}"
            );
        }
    }

    #[test]
    fn spellings_of_one_forge_address_are_equal() {
        let one = ForgeUrl::parse("https://Forge.example/Octo/App.git").unwrap();
        assert_eq!(
            ForgeUrl::parse("http://forge.example./octo/app/").unwrap(),
            one
        );
        assert_eq!(one.to_string(), "forge.example/octo/app");
        let other = ForgeUrl::parse("https://forge.example:3000/octo/app").unwrap();
        assert_eq!(other.to_string(), "forge.example:3000/octo/app");
        assert_ne!(one, other);
    }

    #[test]
    fn too_long_a_source_is_ignored() {
        let fitting = format!("https://forge.example/{}", "a".repeat(256 - 22));
        assert!(source(&fitting, HOSTS).is_some());
        assert!(source(&format!("{fitting}a"), HOSTS).is_none());
    }

    #[test]
    fn a_description_is_cut_at_512_characters_and_not_inside_one() {
        assert_eq!(description(&"ä".repeat(600)).unwrap().chars().count(), 512);
        assert_eq!(description("  what it is\n").as_deref(), Some("what it is"));
        assert_eq!(description("  "), None);
    }

    #[test]
    fn too_long_a_licence_is_not_shown() {
        assert_eq!(licenses(" Apache-2.0 "), Some("Apache-2.0"));
        assert_eq!(licenses(&"a".repeat(257)), None);
    }

    proptest! {
        #[test]
        fn no_label_makes_the_reader_panic(value in "(https?://)?\\PC{0,80}") {
            let _ = source(&value, HOSTS);
        }
    }
}

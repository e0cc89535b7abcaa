//! From path and query to [`Endpoint`].

use std::str::FromStr;

use http::Method;

use crate::endpoint::{Endpoint, EndpointError};
use crate::name::{NameError, RepositoryName};
use crate::query::{Query, decode};
use crate::reference::{Reference, Tag};

impl Endpoint {
    /// Understands a request line: its method, its raw path and its raw query.
    ///
    /// Parameters that no row of the specification gives to this method and path are ignored,
    /// such as `ns`, and so are second values of all but `tag`.
    ///
    /// # Errors
    /// [`EndpointError`] says what to answer: 404 for another path, 405 for another method, 400
    /// for what is outside a grammar.
    pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, EndpointError> {
        let row = Row::find(path).ok_or(EndpointError::NotFound)?;
        row.check_method(method)?;
        row.read(method, Query(query.unwrap_or_default()))
    }
}

/// A path cut into its parts, none of them looked at yet.
enum Row<'p> {
    Base,
    Catalog,
    TagsList { name: &'p str },
    Manifest { name: &'p str, reference: &'p str },
    Referrers { name: &'p str, digest: &'p str },
    Uploads { name: &'p str },
    Upload { name: &'p str, id: &'p str },
    Blob { name: &'p str, digest: &'p str },
}

impl<'p> Row<'p> {
    fn find(path: &'p str) -> Option<Self> {
        let path = path.strip_prefix("/v2")?;
        if matches!(path, "" | "/") {
            return Some(Self::Base);
        }
        let path = path.strip_prefix('/')?;
        if path == "_catalog" {
            return Some(Self::Catalog);
        }
        if let Some(name) = path.strip_suffix("/blobs/uploads/") {
            return Some(Self::Uploads { name });
        }
        Self::split(path)
    }

    /// Splits from the right: the last part, the word before it, and the name before that.
    fn split(path: &'p str) -> Option<Self> {
        let (rest, last) = path.rsplit_once('/')?;
        let (name, word) = rest.rsplit_once('/').unwrap_or(("", rest));
        match (word, last) {
            ("tags", "list") => Some(Self::TagsList { name }),
            ("manifests", reference) => Some(Self::Manifest { name, reference }),
            ("referrers", digest) => Some(Self::Referrers { name, digest }),
            ("blobs", "uploads") => Some(Self::Uploads { name }),
            ("blobs", digest) => Some(Self::Blob { name, digest }),
            ("uploads", id) => {
                let name = name.strip_suffix("/blobs")?;
                Some(Self::Upload { name, id })
            }
            _ => None,
        }
    }

    fn check_method(&self, method: &Method) -> Result<(), EndpointError> {
        let allow = self.methods();
        if allow.split(", ").any(|allowed| allowed == method.as_str()) {
            Ok(())
        } else {
            Err(EndpointError::MethodNotAllowed { allow })
        }
    }

    const fn methods(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::TagsList { .. } | Self::Referrers { .. } => {
                "GET, HEAD"
            }
            Self::Manifest { .. } => "GET, HEAD, PUT, DELETE",
            Self::Blob { .. } => "GET, HEAD, DELETE",
            Self::Uploads { .. } => "POST",
            Self::Upload { .. } => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }

    fn read(self, method: &Method, query: Query<'_>) -> Result<Endpoint, EndpointError> {
        match self {
            Self::Base => Ok(Endpoint::Base),
            Self::Catalog => Ok(Endpoint::Catalog {
                n: page_size(query)?,
                last: parameter(query, "last")?,
            }),
            Self::TagsList { name } => Ok(Endpoint::TagsList {
                name: repository(name)?,
                n: page_size(query)?,
                last: parameter(query, "last")?,
            }),
            Self::Manifest { name, reference } => manifest(method, name, reference, query),
            Self::Referrers { name, digest } => referrers(name, digest, query),
            Self::Uploads { name } => uploads(name, query),
            Self::Upload { name, id } => upload(method, name, id, query),
            Self::Blob { name, digest } => Ok(Endpoint::Blob {
                name: repository(name)?,
                digest: decode(digest).parse()?,
            }),
        }
    }
}

fn manifest(
    method: &Method,
    name: &str,
    reference: &str,
    query: Query<'_>,
) -> Result<Endpoint, EndpointError> {
    let name = repository(name)?;
    let reference: Reference = decode(reference).parse()?;
    let tags = match (&reference, method) {
        (Reference::Digest(_), &Method::PUT) => tags(query)?,
        _ => Vec::new(),
    };
    Ok(Endpoint::Manifest {
        name,
        reference,
        tags,
    })
}

fn tags(query: Query<'_>) -> Result<Vec<Tag>, EndpointError> {
    let mut tags = Vec::new();
    for text in query.all("tag") {
        let tag: Tag = text.parse()?;
        if tags.contains(&tag) {
            continue;
        }
        if tags.len() == Endpoint::MAX_TAGS {
            return Err(EndpointError::TooManyTags);
        }
        tags.push(tag);
    }
    Ok(tags)
}

fn referrers(name: &str, digest: &str, query: Query<'_>) -> Result<Endpoint, EndpointError> {
    let artifact_type = query
        .first("artifactType")
        .map(|text| text.parse())
        .transpose();
    Ok(Endpoint::Referrers {
        name: repository(name)?,
        digest: decode(digest).parse()?,
        artifact_type: artifact_type.map_err(EndpointError::ArtifactType)?,
        n: page_size(query)?,
        last: parameter(query, "last")?,
    })
}

fn uploads(name: &str, query: Query<'_>) -> Result<Endpoint, EndpointError> {
    Ok(Endpoint::Uploads {
        name: repository(name)?,
        mount: parameter(query, "mount")?,
        from: parameter(query, "from")?,
        digest: parameter(query, "digest")?,
        algorithm: parameter(query, "digest-algorithm")?,
    })
}

fn upload(
    method: &Method,
    name: &str,
    id: &str,
    query: Query<'_>,
) -> Result<Endpoint, EndpointError> {
    let name = repository(name)?;
    let id = id.parse()?;
    let digest = match *method {
        Method::PUT => Some(parameter(query, "digest")?.ok_or(EndpointError::DigestMissing)?),
        _ => None,
    };
    Ok(Endpoint::Upload { name, id, digest })
}

/// The name in a path. Percent-encoding is undone, but an encoded slash does not join two
/// components: one repository has one path.
fn repository(raw: &str) -> Result<RepositoryName, EndpointError> {
    let name = decode(raw);
    if name.matches('/').count() == raw.matches('/').count() {
        Ok(name.parse()?)
    } else {
        Err(EndpointError::Name(NameError::Grammar))
    }
}

/// The first value of a parameter, through the parser of its type.
fn parameter<T>(query: Query<'_>, name: &str) -> Result<Option<T>, EndpointError>
where
    T: FromStr,
    EndpointError: From<T::Err>,
{
    Ok(query.first(name).map(|text| text.parse()).transpose()?)
}

fn page_size(query: Query<'_>) -> Result<Option<u32>, EndpointError> {
    let Some(text) = query.first("n") else {
        return Ok(None);
    };
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(Some(text.parse().unwrap_or(u32::MAX)))
    } else {
        Err(EndpointError::PageSize)
    }
}

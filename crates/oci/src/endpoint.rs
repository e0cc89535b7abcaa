//! [`Endpoint`]: a request line under `/v2/`, understood.
//!
//! OCI distribution-spec, "Endpoints". Repository names contain slashes and may contain words
//! such as `blobs`; so the path is split from the right, here and nowhere else, and built here
//! too. Nothing in a path or a query reaches other rooms but as a validated type.

mod error;
mod parse;
mod print;

#[cfg(test)]
mod tests;

use http::Method;

use crate::digest::{Algorithm, Digest};
use crate::media_type::MediaType;
use crate::name::RepositoryName;
use crate::reference::{Reference, Tag};
use crate::scope::{Actions, Scope, Scopes};
use crate::upload_id::UploadId;

pub use error::EndpointError;

/// What a request is about. Prints as the path and query that parse to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/v2/`: is this a registry, and do the credentials work? (end-1)
    Base,
    /// `/v2/<name>/blobs/<digest>` (end-2, end-10).
    Blob {
        /// Where.
        name: RepositoryName,
        /// Which blob.
        digest: Digest,
    },
    /// `/v2/<name>/manifests/<reference>` (end-3, end-7a, end-7b, end-9).
    Manifest {
        /// Where.
        name: RepositoryName,
        /// Which manifest.
        reference: Reference,
        /// Tags to put on a manifest that is pushed by digest, without duplicates; empty for
        /// every other request.
        tags: Vec<Tag>,
    },
    /// `/v2/<name>/tags/list` (end-8a, end-8b).
    TagsList {
        /// Where.
        name: RepositoryName,
        /// How many tags at most. Numbers beyond `u32` are read as its maximum.
        n: Option<u32>,
        /// After which tag to begin.
        last: Option<Tag>,
    },
    /// `/v2/<name>/blobs/uploads/`: begin an upload (end-4a, end-4b, end-4c, end-11).
    Uploads {
        /// Where.
        name: RepositoryName,
        /// A blob to be mounted rather than uploaded.
        mount: Option<Digest>,
        /// The repository to mount it from.
        from: Option<RepositoryName>,
        /// The digest of a blob that is the body of this very request.
        digest: Option<Digest>,
        /// The algorithm the upload will be closed with.
        algorithm: Option<Algorithm>,
    },
    /// `/v2/<name>/blobs/uploads/<id>`: go on with one (end-5, end-6, end-13, end-14).
    Upload {
        /// Where.
        name: RepositoryName,
        /// Which session.
        id: UploadId,
        /// The digest of the whole blob; there for `PUT`, and only for `PUT`.
        digest: Option<Digest>,
    },
    /// `/v2/<name>/referrers/<digest>` (end-12a, end-12b).
    Referrers {
        /// Where.
        name: RepositoryName,
        /// What they refer to.
        digest: Digest,
        /// Only referrers of this type.
        artifact_type: Option<MediaType>,
        /// How many at most; our own, for the `Link` to a further page.
        n: Option<u32>,
        /// After which referrer to begin; our own, for the `Link` to a further page.
        last: Option<Digest>,
    },
    /// `/v2/_catalog`: the repositories, Docker's way.
    Catalog {
        /// How many at most.
        n: Option<u32>,
        /// After which repository to begin.
        last: Option<RepositoryName>,
    },
}

impl Endpoint {
    /// The most `tag` parameters one push may carry; the specification asks for 10.
    pub const MAX_TAGS: usize = 100;

    /// The repository it is about, if it is about one.
    #[must_use]
    pub const fn name(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Catalog { .. } => None,
            Self::Blob { name, .. }
            | Self::Manifest { name, .. }
            | Self::TagsList { name, .. }
            | Self::Uploads { name, .. }
            | Self::Upload { name, .. }
            | Self::Referrers { name, .. } => Some(name),
        }
    }

    /// A word for logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Blob { .. } => "blob",
            Self::Manifest { .. } => "manifest",
            Self::TagsList { .. } => "tags",
            Self::Uploads { .. } => "uploads",
            Self::Upload { .. } => "upload",
            Self::Referrers { .. } => "referrers",
            Self::Catalog { .. } => "catalog",
        }
    }

    /// The token scopes a client needs for this request, as a challenge names them; none for
    /// `/v2/`.
    #[must_use]
    pub fn scopes(&self, method: &Method) -> Scopes {
        let own = match self {
            Self::Base => None,
            Self::Catalog { .. } => Some(Scope::Catalog),
            _ => self
                .name()
                .map(|name| Scope::repository(name.clone(), self.actions(method))),
        };
        own.into_iter().chain(self.mount_scope()).collect()
    }

    /// Pushing includes pulling, because clients look before they push.
    fn actions(&self, method: &Method) -> Actions {
        match (self, method) {
            (Self::Uploads { .. } | Self::Upload { .. }, _) | (_, &Method::PUT) => {
                Actions::PULL | Actions::PUSH
            }
            (_, &Method::DELETE) => Actions::DELETE,
            _ => Actions::PULL,
        }
    }

    /// Mounting from elsewhere is a read of elsewhere.
    fn mount_scope(&self) -> Option<Scope> {
        match self {
            Self::Uploads {
                mount: Some(_),
                from: Some(from),
                ..
            } => Some(Scope::repository(from.clone(), Actions::PULL)),
            _ => None,
        }
    }
}

//! From [`Endpoint`] back to path and query.

use std::fmt;

use crate::digest::Algorithm;
use crate::endpoint::Endpoint;
use crate::query::QueryPrinter;

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print_path(f)?;
        self.print_query(&mut QueryPrinter::new(f))
    }
}

impl Endpoint {
    fn print_path(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("/v2/"),
            Self::Blob { name, digest } => write!(f, "/v2/{name}/blobs/{digest}"),
            Self::Manifest {
                name, reference, ..
            } => {
                write!(f, "/v2/{name}/manifests/{reference}")
            }
            Self::TagsList { name, .. } => write!(f, "/v2/{name}/tags/list"),
            Self::Uploads { name, .. } => write!(f, "/v2/{name}/blobs/uploads/"),
            Self::Upload { name, id, .. } => write!(f, "/v2/{name}/blobs/uploads/{id}"),
            Self::Referrers { name, digest, .. } => write!(f, "/v2/{name}/referrers/{digest}"),
            Self::Catalog { .. } => f.write_str("/v2/_catalog"),
        }
    }

    fn print_query(&self, query: &mut QueryPrinter<'_, '_>) -> fmt::Result {
        match self {
            Self::Base | Self::Blob { .. } => Ok(()),
            Self::Manifest { tags, .. } => {
                tags.iter().try_for_each(|tag| query.add("tag", Some(tag)))
            }
            Self::TagsList { n, last, .. } => {
                query.add("last", last.as_ref())?;
                query.add("n", *n)
            }
            Self::Uploads {
                mount,
                from,
                digest,
                algorithm,
                ..
            } => {
                query.add("mount", mount.as_ref())?;
                query.add("from", from.as_ref())?;
                query.add("digest", digest.as_ref())?;
                query.add("digest-algorithm", algorithm.map(Algorithm::as_str))
            }
            Self::Upload { digest, .. } => query.add("digest", digest.as_ref()),
            Self::Referrers {
                artifact_type,
                n,
                last,
                ..
            } => {
                query.add("artifactType", artifact_type.as_ref())?;
                query.add("last", last.as_ref())?;
                query.add("n", *n)
            }
            Self::Catalog { n, last } => {
                query.add("last", last.as_ref())?;
                query.add("n", *n)
            }
        }
    }
}

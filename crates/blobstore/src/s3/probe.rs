//! Tries bucket and scratch disk before the server takes anything.

use std::fs;
use std::path::Path;

use object_store::{Error as ObjectError, ObjectStoreExt, PutMode, PutPayload};

use super::scratch::{self, Scratch};
use super::{Shared, unavailable};
use crate::error::{During, Error, Result};
use crate::flow::Sink;
use crate::probe::Probe;

pub(super) async fn probe(shared: &Shared) -> Result<Probe> {
    let scratch = shared.scratch.clone();
    let scratch_free = shared
        .threads
        .write
        .run(move || try_scratch(&scratch))
        .await?;
    let conditional_put = try_bucket(shared).await?;
    Ok(Probe::S3 {
        bucket: shared.place.clone(),
        conditional_put,
        scratch_free,
    })
}

fn try_scratch(directory: &Path) -> Result<u64> {
    let unfit = |error| {
        Error::Unfit(format!(
            "cannot write in the scratch directory {}: {error}",
            directory.display()
        ))
    };
    fs::create_dir_all(directory).map_err(unfit)?;
    let mut file = Scratch::create(directory, 0)?;
    file.write(&[0; 4096]);
    scratch::read(file.range(0..4096)?)?;
    let space = rustix::fs::statvfs(directory).during("try the scratch disk")?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Writes, reads and removes an object. Says whether the server refuses to overwrite when asked
/// so. Replicas that start together share the object, so it may be gone at any time.
async fn try_bucket(shared: &Shared) -> Result<bool> {
    let (bucket, name) = (&shared.bucket, shared.names.probe());
    let reach = |error: ObjectError| match unavailable(&error) {
        Error::Unavailable(why) => {
            Error::Unavailable(format!("the bucket {} cannot be used: {why}", shared.place))
        }
        other => other,
    };
    bucket
        .put(&name, PutPayload::from_static(b"naru"))
        .await
        .map_err(reach)?;
    let again = bucket.put_opts(
        &name,
        PutPayload::from_static(b"again"),
        PutMode::Create.into(),
    );
    let conditional_put = matches!(again.await, Err(ObjectError::AlreadyExists { .. }));
    match bucket.get(&name).await {
        Ok(_) | Err(ObjectError::NotFound { .. }) => {}
        Err(error) => return Err(reach(error)),
    }
    match bucket.delete(&name).await {
        Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(conditional_put),
        Err(error) => Err(reach(error)),
    }
}

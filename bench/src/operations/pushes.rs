//! Blobs and manifests on their way in. A 201 of Naru's means that the bytes are on the disk.

use std::sync::Arc;

use anyhow::Result;

use super::{Against, Goal, Operation, Sample, Stand, Unit, Visit, timed};
use crate::client::{Request, Want, drive};
use crate::payload::Payload;
use crate::process::peak_memory;
use crate::stock::{IMAGES, Stock, blobs, once_each, push_scope, put_manifest};
use crate::upload::{Blob, Way, push};

/// Where the blobs go.
const PUSHED: &str = "bench/pushed";
/// How many connections push small things.
const PUSHERS: usize = 16;

/// What the pushes have in common.
const PUSH: Operation = Operation {
    name: "",
    unit: Unit::Bytes,
    stand: Stand::Fresh,
    against: Against::Peer,
    needs: &[],
    goal: Goal::None,
    memory_goal: None,
    measure: huge_put,
};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "push 1 GiB in one PUT",
        goal: Goal::times_or_least((3.2, 3.5), (1.0, 1.0)),
        ..PUSH
    },
    Operation {
        name: "push 1 GiB streamed, PATCH and PUT",
        goal: Goal::times_or_least((2.2, 2.6), (1.0, 1.0)),
        measure: |visit| whole(visit, Way::Patch, &blobs(10, 1, visit.shelf.sizes.huge)),
        ..PUSH
    },
    Operation {
        name: "push 64 × 64 MiB at once",
        goal: Goal::times_or_least((1.5, 2.5), (1.0, 1.0)),
        memory_goal: Some((96.0, 64.0)),
        measure: uploads,
        ..PUSH
    },
    Operation {
        name: "push small blobs, POST and PUT, c16",
        unit: Unit::Requests,
        stand: Stand::Standing,
        goal: Goal::times_or_least((7.0, 9.0), (3.0, 0.0)),
        measure: |visit| small(visit, Way::Put, 11),
        ..PUSH
    },
    Operation {
        name: "push small blobs, POST, PATCH and PUT, c16",
        unit: Unit::Requests,
        stand: Stand::Standing,
        goal: Goal::times_or_least((7.0, 9.0), (3.0, 0.0)),
        measure: |visit| small(visit, Way::Patch, 12),
        ..PUSH
    },
    Operation {
        name: "manifest PUT, c16",
        unit: Unit::Requests,
        stand: Stand::Standing,
        needs: &[Stock::Images],
        goal: Goal::times(5.0, 7.0),
        measure: manifests,
        ..PUSH
    },
    Operation {
        name: "blob mount, c16",
        unit: Unit::Requests,
        stand: Stand::Standing,
        needs: &[Stock::Mounted],
        goal: Goal::times(4.0, 7.0),
        measure: mounts,
        ..PUSH
    },
];

fn huge_put(visit: &mut Visit<'_>) -> Result<Sample> {
    whole(visit, Way::Put, &blobs(10, 1, visit.shelf.sizes.huge))
}

/// Every blob on a connection of its own, all at the same time.
fn whole(visit: &Visit<'_>, way: Way, blobs: &[Blob]) -> Result<Sample> {
    let sample = pushed(visit, way, blobs, blobs.len())?;
    let bytes: u64 = blobs.iter().map(|blob| blob.payload.len()).sum();
    Ok(Sample {
        work: bytes as f64,
        ..sample
    })
}

/// Many big blobs, and the memory they take.
fn uploads(visit: &mut Visit<'_>) -> Result<Sample> {
    let (count, length) = visit.shelf.sizes.uploads;
    let blobs = blobs(13, count, length);
    let (sample, memory) = peak_memory(visit.server.pid(), || whole(visit, Way::Put, &blobs))?;
    Ok(Sample {
        memory: Some(memory),
        ..sample
    })
}

/// Blobs of 4 to 64 KiB that no other round has.
fn small(visit: &Visit<'_>, way: Way, kind: u64) -> Result<Sample> {
    let count = visit.shelf.sizes.small_pushes;
    let first = (kind << 32) + visit.round * count;
    let blob = |number| Blob::new(Payload::pattern(first + number, (number % 16 + 1) << 12));
    let blobs: Vec<Blob> = (0..count).map(blob).collect();
    let sample = pushed(visit, way, &blobs, PUSHERS)?;
    Ok(Sample {
        work: count as f64,
        ..sample
    })
}

/// Pushes, and asks afterwards for each blob whether it is there.
fn pushed(visit: &Visit<'_>, way: Way, blobs: &[Blob], connections: usize) -> Result<Sample> {
    let address = visit.server.address;
    let headers = visit.server.authorization(&[&push_scope(PUSHED)])?;
    let sample = timed(visit, || {
        push(address, PUSHED, &headers, way, (blobs, connections))
    })?;
    let headers = visit.server.authorization(&[&push_scope(PUSHED)])?;
    let head = |blob: &Blob| {
        let want = Want::status(200).digest(&blob.digest).body(&blob.payload);
        let target = format!("/v2/{PUSHED}/blobs/{}", blob.digest);
        Arc::new(Request::new("HEAD", &target, &headers, want))
    };
    drive(
        address,
        once_each(&blobs.iter().map(head).collect::<Vec<_>>(), PUSHERS),
    )?;
    Ok(sample)
}

/// New manifests under new tags.
fn manifests(visit: &mut Visit<'_>) -> Result<Sample> {
    let headers = visit.server.authorization(&[&push_scope(IMAGES)])?;
    let request = |number: u64| {
        let manifest = visit
            .shelf
            .manifest(&format!("put-{}-{number}", visit.round));
        Arc::new(put_manifest(IMAGES, &headers, &manifest))
    };
    let requests: Vec<_> = (0..visit.shelf.sizes.manifests).map(request).collect();
    timed(visit, || {
        drive(visit.server.address, once_each(&requests, PUSHERS))
    })
}

/// Blobs from one repository into another that does not have them (end-11).
fn mounts(visit: &mut Visit<'_>) -> Result<Sample> {
    let target = format!("bench/mounted-{}", visit.round);
    let from = format!("repository:{IMAGES}:pull");
    let headers = visit.server.authorization(&[&push_scope(&target), &from])?;
    let request = |blob: &Blob| {
        let digest = blob.digest.replace(':', "%3A");
        let from = IMAGES.replace('/', "%2F");
        let target = format!("/v2/{target}/blobs/uploads/?mount={digest}&from={from}");
        Arc::new(Request::new(
            "POST",
            &target,
            &headers,
            Want::status(201).digest(&blob.digest),
        ))
    };
    let requests: Vec<_> = visit.shelf.mounted().iter().map(request).collect();
    timed(visit, || {
        drive(visit.server.address, once_each(&requests, PUSHERS))
    })
}

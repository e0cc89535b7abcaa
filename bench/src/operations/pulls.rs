//! Manifests and blobs on their way out.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::{Against, Goal, Operation, Sample, Stand, Unit, Visit, repeated, timed};
use crate::client::{Cycle, Request, Script, Want, drive_in_threads};
use crate::process::peak_memory;
use crate::stock::{IMAGES, MANIFEST, Stock};
use crate::upload::Blob;

/// What a token must allow here.
const SCOPE: &str = "repository:bench/images:pull";
/// How many threads take in what many connections give: one cannot read as fast as sendfile sends.
const READERS: usize = 2;

/// What the reads have in common.
const READ: Operation = Operation {
    name: "",
    unit: Unit::Requests,
    stand: Stand::Standing,
    against: Against::Peer,
    needs: &[Stock::Images],
    goal: Goal::None,
    memory_goal: None,
    measure: |visit| manifests(visit, "GET", By::Tag, 1),
};

/// A manifest GET costs at least three times less CPU than the peer's, whatever else is reached.
const fn manifest_goal(speed: f64, cpu: f64) -> Goal {
    Goal::times_or_least((speed, cpu), (0.0, 3.0))
}

/// A blob GET is not slower than the peer's, and not dearer.
const fn blob_goal(speed: f64, cpu: f64) -> Goal {
    Goal::times_or_least((speed, cpu), (1.0, 1.0))
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "manifest GET by tag, c1",
        goal: manifest_goal(1.8, 5.0),
        ..READ
    },
    Operation {
        name: "manifest GET by tag, c16",
        goal: manifest_goal(5.0, 10.0),
        measure: |visit| manifests(visit, "GET", By::Tag, 16),
        ..READ
    },
    Operation {
        name: "manifest GET by tag, c64",
        goal: manifest_goal(5.0, 10.0),
        measure: |visit| manifests(visit, "GET", By::Tag, 64),
        ..READ
    },
    Operation {
        name: "manifest HEAD by tag, c1",
        goal: manifest_goal(1.8, 5.0),
        measure: |visit| manifests(visit, "HEAD", By::Tag, 1),
        ..READ
    },
    Operation {
        name: "manifest HEAD by tag, c16",
        goal: manifest_goal(5.0, 12.0),
        measure: |visit| manifests(visit, "HEAD", By::Tag, 16),
        ..READ
    },
    Operation {
        name: "manifest HEAD by tag, c64",
        goal: manifest_goal(5.0, 12.0),
        measure: |visit| manifests(visit, "HEAD", By::Tag, 64),
        ..READ
    },
    Operation {
        name: "manifest GET by digest, c1",
        goal: manifest_goal(1.8, 5.0),
        measure: |visit| manifests(visit, "GET", By::Digest, 1),
        ..READ
    },
    Operation {
        name: "manifest GET by digest, c16",
        goal: manifest_goal(5.0, 10.0),
        measure: |visit| manifests(visit, "GET", By::Digest, 16),
        ..READ
    },
    Operation {
        name: "manifest GET by digest, c64",
        goal: manifest_goal(5.0, 10.0),
        measure: |visit| manifests(visit, "GET", By::Digest, 64),
        ..READ
    },
    Operation {
        name: "manifest HEAD by digest, c16",
        goal: manifest_goal(5.0, 10.0),
        measure: |visit| manifests(visit, "HEAD", By::Digest, 16),
        ..READ
    },
    Operation {
        name: "manifest 404, c16",
        goal: Goal::times(4.0, 8.0),
        measure: |visit| absent(visit, "GET", &format!("/v2/{IMAGES}/manifests/absent")),
        ..READ
    },
    Operation {
        name: "blob HEAD 404, c16",
        goal: Goal::times(4.0, 8.0),
        measure: |visit| {
            let digest = "0".repeat(64);
            absent(
                visit,
                "HEAD",
                &format!("/v2/{IMAGES}/blobs/sha256:{digest}"),
            )
        },
        ..READ
    },
    Operation {
        name: "blob HEAD, c16",
        goal: Goal::times(3.5, 7.0),
        measure: |visit| blobs(visit, "HEAD", visit.shelf.small()),
        ..READ
    },
    Operation {
        name: "blob GET 4 KiB, c16",
        goal: blob_goal(20.0, 35.0),
        measure: |visit| blobs(visit, "GET", visit.shelf.small()),
        ..READ
    },
    Operation {
        name: "blob GET 64 KiB, c16",
        goal: blob_goal(7.0, 20.0),
        measure: |visit| blobs(visit, "GET", visit.shelf.medium()),
        ..READ
    },
    Operation {
        name: "blob GET range of 1 MiB, c16",
        goal: blob_goal(2.0, 6.0),
        needs: &[Stock::Huge],
        measure: ranges,
        ..READ
    },
    Operation {
        name: "blob GET 1 GiB",
        unit: Unit::Bytes,
        goal: blob_goal(1.25, 1.5),
        needs: &[Stock::Huge],
        measure: |visit| at_once(visit, visit.shelf.huge()),
        ..READ
    },
    Operation {
        name: "blob GET 64 × 16 MiB at once",
        unit: Unit::Bytes,
        goal: blob_goal(1.2, 4.0),
        memory_goal: Some((40.0, 0.0)),
        needs: &[Stock::Large],
        measure: |visit| {
            let pid = visit.server.pid();
            let (sample, memory) = peak_memory(pid, || at_once(visit, visit.shelf.large()))?;
            Ok(Sample {
                memory: Some(memory),
                ..sample
            })
        },
        ..READ
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Tag,
    Digest,
}

/// Manifests in turn.
fn manifests(visit: &Visit<'_>, method: &str, by: By, connections: usize) -> Result<Sample> {
    let authorization = visit.server.authorization(&[SCOPE])?;
    let headers = format!("{authorization}Accept: {MANIFEST}\r\n");
    let request = |manifest: crate::stock::Manifest| {
        let reference = if by == By::Tag {
            &manifest.tag
        } else {
            &*manifest.blob.digest
        };
        let target = format!("/v2/{IMAGES}/manifests/{reference}");
        let want = Want::status(200)
            .digest(&manifest.blob.digest)
            .body(&manifest.blob.payload);
        Request::new(method, &target, &headers, want)
    };
    let requests = visit.shelf.manifests().into_iter().map(request).collect();
    repeated(visit, connections, requests)
}

/// What is not there.
fn absent(visit: &Visit<'_>, method: &str, target: &str) -> Result<Sample> {
    let headers = visit.server.authorization(&[SCOPE])?;
    repeated(
        visit,
        16,
        vec![Request::new(method, target, &headers, Want::status(404))],
    )
}

/// Blobs in turn.
fn blobs(visit: &Visit<'_>, method: &str, blobs: &[Blob]) -> Result<Sample> {
    let headers = visit.server.authorization(&[SCOPE])?;
    repeated(
        visit,
        16,
        blobs
            .iter()
            .map(|blob| get(method, blob, &headers))
            .collect(),
    )
}

fn get(method: &str, blob: &Blob, headers: &str) -> Request {
    let want = Want::status(200).digest(&blob.digest).body(&blob.payload);
    Request::new(
        method,
        &format!("/v2/{IMAGES}/blobs/{}", blob.digest),
        headers,
        want,
    )
}

/// Parts of the huge blob, all over it.
fn ranges(visit: &mut Visit<'_>) -> Result<Sample> {
    let authorization = visit.server.authorization(&[SCOPE])?;
    let blob = visit.shelf.huge().first().context("the huge blob")?;
    let length = visit.shelf.sizes.range;
    let request = |number: u64| {
        // An odd step, so that no range begins on a page.
        let offset = (number * 7_654_321) % (blob.payload.len() - length);
        let headers = format!(
            "{authorization}Range: bytes={offset}-{}\r\n",
            offset + length - 1
        );
        let want = Want::status(206).part(&blob.payload, offset, length);
        Request::new(
            "GET",
            &format!("/v2/{IMAGES}/blobs/{}", blob.digest),
            &headers,
            want,
        )
    };
    repeated(visit, 16, (0..64).map(request).collect())
}

/// Every blob once, each on a connection of its own, all at the same time.
fn at_once(visit: &Visit<'_>, blobs: &[Blob]) -> Result<Sample> {
    let headers = visit.server.authorization(&[SCOPE])?;
    let script = |blob: &Blob| -> Box<dyn Script> {
        Box::new(Cycle::count(
            &Arc::from([Arc::new(get("GET", blob, &headers))]),
            0,
            1,
        ))
    };
    let scripts: Vec<_> = blobs.iter().map(script).collect();
    let threads = READERS.min(blobs.len());
    let sample = timed(visit, || {
        drive_in_threads(visit.server.address, scripts, threads)
    })?;
    let bytes: u64 = blobs.iter().map(|blob| blob.payload.len()).sum();
    Ok(Sample {
        work: bytes as f64,
        ..sample
    })
}

//! What kinds of content are taken: "The specification is designed to be agnostic of content
//! types." (Introduction)

use serde_json::{Value, json};

use crate::kit::content::{
    DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, EMPTY, OCI_ARTIFACT, OCI_CONFIG,
    OCI_EMPTY, OCI_MANIFEST, Pushed, artifact, descriptor, index, noise,
};
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// An image whose parts have these types; they are pushed first.
fn image_of(repo: &Repo<'_>, kind: &str, config_type: &str, layer_types: &[&str]) -> Value {
    let config = json!({ "of": repo.name, "type": config_type }).to_string();
    repo.push_blob(config.as_bytes());
    let layers: Vec<Value> = layer_types
        .iter()
        .map(|layer_type| {
            let layer = noise(&format!("{}{layer_type}", repo.name), 300);
            repo.push_blob(&layer);
            descriptor(layer_type, &layer)
        })
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": descriptor(config_type, config.as_bytes()),
        "layers": layers,
    })
}

#[track_caller]
fn comes_back(repo: &Repo<'_>, tag: &str, document: &Value) -> Pushed {
    let pushed = repo.push(tag, document);
    let answer = repo.get(&format!("manifests/{tag}")).send().expect(200);
    assert_eq!(answer.body, pushed.bytes);
    assert_eq!(answer.the("content-type"), pushed.media_type);
    pushed
}

#[test]
fn images_and_lists_of_docker_are_kept() {
    let repo = plain().repo("docker-types");
    let document = image_of(&repo, DOCKER_MANIFEST, DOCKER_CONFIG, &[DOCKER_LAYER]);
    let image = comes_back(&repo, "v1", &document);
    let mut entry = image.descriptor();
    entry["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    let list = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [entry] });
    comes_back(&repo, "list", &list);
}

#[test]
fn an_index_may_list_images_of_docker_and_of_oci() {
    let repo = plain().repo("mixed-types");
    let docker = comes_back(
        &repo,
        "docker",
        &image_of(&repo, DOCKER_MANIFEST, DOCKER_CONFIG, &[]),
    );
    let oci = repo.push_image("oci").manifest;
    comes_back(&repo, "both", &index(&[&docker, &oci]));
}

/// Helm charts, WebAssembly, cosign signatures, Homebrew bottles, attestations, zstd layers: all
/// are images with types of their own.
#[test]
fn artifacts_of_every_kind_are_kept() {
    let repo = plain().repo("artifact-types");
    for (number, (config, layers)) in [
        (
            "application/vnd.cncf.helm.config.v1+json",
            &[
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "application/vnd.cncf.helm.chart.provenance.v1.prov",
            ][..],
        ),
        ("application/vnd.wasm.config.v0+json", &["application/wasm"]),
        (
            OCI_CONFIG,
            &["application/vnd.dev.cosign.simplesigning.v1+json"],
        ),
        (
            OCI_CONFIG,
            &[
                "application/vnd.oci.image.layer.v1.tar",
                "application/vnd.oci.image.layer.v1.tar+gzip",
                "application/vnd.oci.image.layer.v1.tar+zstd",
            ],
        ),
        (OCI_CONFIG, &["application/vnd.in-toto+json"]),
        (
            "application/vnd.unknown.config.v1+json",
            &["text/plain", "application/json; profile=\"x\"", "x/y+z"],
        ),
        (OCI_EMPTY, &[]),
        (
            OCI_CONFIG,
            &["application/vnd.oci.image.layer.v1.tar+encrypted"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let document = image_of(&repo, OCI_MANIFEST, config, layers);
        comes_back(&repo, &format!("v{number}"), &document);
    }
}

#[test]
fn artifacts_in_both_forms_of_the_image_specification_are_kept() {
    let repo = plain().repo("artifact-forms");
    repo.push_blob(EMPTY);
    repo.push_blob(b"an sbom");
    comes_back(
        &repo,
        "v1",
        &artifact("application/vnd.example.sbom", b"an sbom"),
    );
    let candidate = json!({
        "mediaType": OCI_ARTIFACT,
        "artifactType": "application/vnd.example.sbom",
        "blobs": [descriptor("application/json", b"an sbom")],
    });
    comes_back(&repo, "rc", &candidate);
}

/// Foreign layers are fetched by the client from where they are; the registry neither needs nor
/// fetches them.
#[test]
fn foreign_layers_need_not_be_there() {
    let repo = plain().repo("foreign");
    for (number, (kind, config_type, layer_type)) in [
        (
            OCI_MANIFEST,
            OCI_CONFIG,
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
        ),
        (
            OCI_MANIFEST,
            OCI_CONFIG,
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        ),
        (
            OCI_MANIFEST,
            OCI_CONFIG,
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        ),
        (
            DOCKER_MANIFEST,
            DOCKER_CONFIG,
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut document = image_of(&repo, kind, config_type, &[]);
        let mut layer = descriptor(layer_type, format!("foreign {number}").as_bytes());
        layer["urls"] = json!(["https://127.0.0.1:1/never-fetched"]);
        document["layers"] = json!([layer]);
        comes_back(&repo, &format!("v{number}"), &document);
        let digest = layer["digest"].as_str().unwrap();
        repo.get(&format!("blobs/{digest}"))
            .send()
            .refused(404, "BLOB_UNKNOWN");
    }
    let mut document = image_of(&repo, OCI_MANIFEST, OCI_CONFIG, &[]);
    let mut layer = descriptor(
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        b"x",
    );
    layer["urls"] = json!(["file:///etc/passwd"]);
    document["layers"] = json!([layer]);
    repo.put_manifest("file", &Pushed::new(&document))
        .refused(400, "MANIFEST_INVALID");
}

/// Docker's schema 1 has no digests of its own that could be trusted; nobody should push it.
#[test]
fn schema_1_is_refused() {
    let repo = plain().repo("schema1");
    let document = json!({ "schemaVersion": 1, "name": repo.name, "tag": "v1", "fsLayers": [] });
    for kind in [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/json",
    ] {
        let manifest = Pushed::exactly(kind, document.to_string().as_bytes());
        repo.put_manifest("v1", &manifest)
            .refused(400, "MANIFEST_INVALID");
    }
}

#[test]
fn a_type_that_is_no_manifests_is_refused() {
    let repo = plain().repo("no-manifest-type");
    let image = repo.push_image("v1");
    for kind in [
        "text/html",
        "application/vnd.oci.image.config.v1+json",
        "nonsense",
    ] {
        let manifest = Pushed::exactly(kind, &image.manifest.bytes);
        repo.put_manifest("v2", &manifest)
            .refused(400, "MANIFEST_INVALID");
    }
}

//! Pushing manifests (end-7a, end-7b).

use serde_json::{Value, json};

use crate::kit::content::{
    EMPTY, Hash, OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Pushed, artifact,
    descriptor, digest, image, index, noise, unknown_digest,
};
use crate::kit::http::in_query;
use crate::kit::server::plain;

/// "Upon a successful upload, the registry MUST return response code `201 Created`, and MUST have
/// the following header: `Location: <location>`. The `<location>` is a pullable manifest URL. The
/// Docker-Content-Digest header returns the digest of the uploaded blob, and MUST be equal to the
/// client provided digest." (Pushing Manifests, end-7a)
#[test]
fn a_manifest_is_pushed_to_a_tag_and_to_its_digest() {
    let repo = plain().repo("push");
    let image = repo.push_image("v1");
    for reference in ["v1", "v2", image.digest()] {
        let answer = repo.put_manifest(reference, &image.manifest).expect(201);
        assert_eq!(answer.the("docker-content-digest"), image.digest());
        let pulled = repo.get(answer.the("location")).send().expect(200);
        assert_eq!(pulled.body, image.manifest.bytes);
    }
}

/// "The registry MUST store the manifest in the exact byte representation provided by the client."
/// (Pushing Manifests)
#[test]
fn a_manifest_is_kept_byte_for_byte_with_fields_that_nobody_defined() {
    let repo = plain().repo("exact-bytes");
    repo.push_blob(EMPTY);
    let digest = digest(EMPTY);
    let texts = [
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"{OCI_EMPTY}","digest":"{digest}","size":2}},"layers":[]}}"#
        ),
        format!(
            "{{\n   \"schemaVersion\" : 2,\r\n\t\"mediaType\":\"{OCI_MANIFEST}\",\n \"config\":{{\"mediaType\":\"{OCI_EMPTY}\",\"digest\":\"{digest}\",\"size\":2}},\"layers\":[]}}\n\n"
        ),
        format!(
            r#"{{"x-own":{{"a":[1,2.50,1e3,null,true]}},"layers":[],"config":{{"size":2,"digest":"{digest}","mediaType":"{OCI_EMPTY}","x":"y"}},"mediaType":"{OCI_MANIFEST}","schemaVersion":2,"annotations":{{"ü":"\u00fc\/"}}}}"#
        ),
    ];
    for (number, text) in texts.iter().enumerate() {
        let manifest = Pushed::exactly(OCI_MANIFEST, text.as_bytes());
        let tag = format!("v{number}");
        repo.put_manifest(&tag, &manifest).expect(201);
        for reference in [tag.as_str(), &manifest.digest] {
            let answer = repo
                .get(&format!("manifests/{reference}"))
                .send()
                .expect(200);
            assert_eq!(answer.body, text.as_bytes());
        }
    }
}

/// "The uploaded manifest MUST reference any blobs that make up the object. However, the list of
/// blobs MAY be empty." (Pushing Manifests)
#[test]
fn images_without_layers_and_indexes_of_nothing_are_kept() {
    let repo = plain().repo("no-layers");
    repo.push_blob(EMPTY);
    let no_layers = image(EMPTY, &[]);
    let mut absent = no_layers.clone();
    absent.as_object_mut().unwrap().remove("layers");
    let mut null = no_layers.clone();
    null["layers"] = Value::Null;
    for (tag, document) in [
        ("empty", no_layers),
        ("absent", absent),
        ("null", null),
        ("index", index(&[])),
    ] {
        let pushed = repo.push(tag, &document);
        assert_eq!(
            repo.get(&format!("manifests/{tag}"))
                .send()
                .expect(200)
                .body,
            pushed.bytes
        );
    }
}

/// "A registry MAY reject a manifest uploaded to the manifest endpoint with descriptors in other
/// fields that reference a manifest or blob that does not exist in the registry. When a manifest is
/// rejected for this reason, it MUST result in one or more `MANIFEST_BLOB_UNKNOWN` errors." (Push)
#[test]
fn a_manifest_that_names_what_is_not_there_is_refused() {
    let repo = plain().repo("missing");
    let there = repo.push_image("v1");
    let lacking = noise("missing", 100);
    let no_layer = image(&there.config, &[&there.layer, &lacking]);
    let no_config = image(b"{\"missing\":1}", &[&there.layer]);
    let no_child = index(&[
        &there.manifest,
        &Pushed::new(&image(EMPTY, &[b"never pushed"])),
    ]);
    for (document, missing) in [
        (no_layer, digest(&lacking)),
        (no_config, digest(b"{\"missing\":1}")),
        (
            no_child.clone(),
            no_child["manifests"][1]["digest"]
                .as_str()
                .unwrap()
                .to_owned(),
        ),
    ] {
        let manifest = Pushed::new(&document);
        let answer = repo
            .put_manifest("v2", &manifest)
            .refused(400, "MANIFEST_BLOB_UNKNOWN");
        assert!(answer.text().contains(&missing), "{answer:?}");
        assert_eq!(answer.error().message, "blob unknown to registry");
        repo.get("manifests/v2").send().expect(404);
        repo.get(&format!("manifests/{}", manifest.digest))
            .send()
            .expect(404);
    }
}

/// What another repository has is not there in this one.
#[test]
fn a_manifest_may_not_name_blobs_of_another_repository() {
    let (repo, other) = (plain().repo("own-blobs"), plain().repo("own-blobs-other"));
    let elsewhere = other.push_image("v1");
    let same = Pushed::new(&image(&elsewhere.config, &[&elsewhere.layer]));
    repo.put_manifest("v1", &same)
        .refused(400, "MANIFEST_BLOB_UNKNOWN");
    repo.put_manifest("v1", &Pushed::new(&index(&[&elsewhere.manifest])))
        .refused(400, "MANIFEST_BLOB_UNKNOWN");
}

/// "A registry MUST initially accept an otherwise valid manifest with a `subject` field that
/// references a manifest that does not exist in the repository, allowing clients to push a manifest
/// and referrers to that manifest in either order." (Push)
#[test]
fn a_subject_need_not_be_there() {
    let repo = plain().repo("absent-subject");
    repo.push_blob(EMPTY);
    let mut document = image(EMPTY, &[]);
    let subject = unknown_digest();
    document["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": subject, "size": 7 });
    let answer = repo.put_manifest("v1", &Pushed::new(&document)).expect(201);
    assert_eq!(answer.the("oci-subject"), subject);
}

/// "When processing a request for an image manifest with the `subject` field, a registry
/// implementation that supports the referrers API MUST respond with the response header
/// `OCI-Subject: <subject digest>`" (Pushing Manifests with Subject)
#[test]
fn a_subject_is_acknowledged() {
    let repo = plain().repo("subject");
    let target = repo.push_image("v1");
    repo.push_blob(EMPTY);
    repo.push_blob(b"signature");
    let mut of_image = artifact("application/vnd.example.signature", b"signature");
    let mut of_index = index(&[]);
    for document in [&mut of_image, &mut of_index] {
        document["subject"] = target.manifest.descriptor();
        let manifest = Pushed::new(document);
        for reference in [manifest.digest.as_str(), "attached"] {
            let answer = repo.put_manifest(reference, &manifest).expect(201);
            assert_eq!(answer.the("oci-subject"), target.digest());
        }
    }
    assert_eq!(
        repo.put_manifest("v1", &target.manifest)
            .header("oci-subject"),
        None
    );
}

/// "When pushing a manifest by digest, the registry MAY support the pushing of tags specified by
/// addition of `tag` query parameters. If a registry supports this, it: SHOULD support pushing at
/// least 10 tags per request. […] MUST include an `OCI-Tag` response header, in accordance with RFC
/// 9110 (section 5) semantics, for each accepted tag." (Pushing Manifests, end-7b)
#[test]
fn a_push_by_digest_may_bring_tags() {
    let repo = plain().repo("tag-param");
    let image = repo.push_image("first");
    let tags: Vec<String> = (0..12).map(|number| format!("1.2.{number}")).collect();
    let query = tags
        .iter()
        .map(|tag| format!("tag={tag}"))
        .collect::<Vec<_>>()
        .join("&");
    let answer = repo
        .put_manifest(&format!("{}?{query}", image.digest()), &image.manifest)
        .expect(201);
    let accepted: Vec<&str> = answer
        .headers("oci-tag")
        .into_iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    assert_eq!(accepted, tags);
    for tag in &tags {
        let answer = repo.head(&format!("manifests/{tag}")).send().expect(200);
        assert_eq!(answer.the("docker-content-digest"), image.digest());
    }
}

/// A tag that is none refuses the push, whole; a repeated one counts once. (end-7b)
#[test]
fn tags_in_the_query_are_all_taken_or_none() {
    let repo = plain().repo("tag-param-all");
    let image = repo.push_image("first");
    let path = format!("{}?tag=a&tag=-b&tag=c", image.digest());
    repo.put_manifest(&path, &image.manifest)
        .refused(400, "TAG_INVALID");
    assert_eq!(repo.tags(), ["first"]);
    let path = format!("{}?tag=a&tag=a&tag={}", image.digest(), in_query("b"));
    repo.put_manifest(&path, &image.manifest).expect(201);
    assert_eq!(repo.tags(), ["a", "b", "first"]);
}

/// "MAY return a `414 Request-URI Too Long` status if too many tags are included in the request."
/// (Pushing Manifests)
#[test]
fn too_many_tags_at_once_are_refused() {
    let repo = plain().repo("tag-param-many");
    let image = repo.push_image("first");
    let query = |count: usize| {
        let tags: Vec<String> = (0..count).map(|number| format!("tag=t{number}")).collect();
        format!("{}?{}", image.digest(), tags.join("&"))
    };
    repo.put_manifest(&query(100), &image.manifest).expect(201);
    repo.put_manifest(&query(101), &image.manifest).expect(414);
}

/// A tag in the path is the only one there; `tag` parameters belong to a push by digest.
#[test]
fn tags_in_the_query_mean_nothing_beside_a_tag_in_the_path() {
    let repo = plain().repo("tag-param-beside");
    let image = repo.push_image("first");
    let answer = repo
        .put_manifest("second?tag=third", &image.manifest)
        .expect(201);
    assert!(answer.headers("oci-tag").is_empty());
    assert_eq!(repo.tags(), ["first", "second"]);
}

/// A tag is a pointer that can be moved: the older manifest stays, by its digest. ("Tag: a custom,
/// human-readable pointer to a manifest.", Definitions)
#[test]
fn a_tag_pushed_again_moves() {
    let repo = plain().repo("move-tag");
    let old = repo.push_image("latest");
    let new = repo.push_image("other");
    repo.put_manifest("latest", &new.manifest).expect(201);
    assert_eq!(
        repo.get("manifests/latest").send().expect(200).body,
        new.manifest.bytes
    );
    let answer = repo
        .get(&format!("manifests/{}", old.digest()))
        .send()
        .expect(200);
    assert_eq!(answer.body, old.manifest.bytes);
}

/// "provided digest did not match uploaded content" (Error Codes, code-4)
#[test]
fn a_manifest_that_does_not_match_its_digest_is_refused() {
    let repo = plain().repo("manifest-mismatch");
    let image = repo.push_image("v1");
    for wrong in [unknown_digest(), Hash::Sha512.of(b"something else")] {
        repo.put_manifest(&wrong, &image.manifest)
            .refused(400, "DIGEST_INVALID");
        repo.get(&format!("manifests/{wrong}")).send().expect(404);
    }
}

/// "A registry SHOULD enforce some limit on the maximum manifest size that it can accept. A
/// registry that enforces this limit SHOULD respond to a request to push a manifest over this limit
/// with a response code `413 Payload Too Large`. Client and registry implementations SHOULD expect
/// to be able to support manifest pushes of at least 4 megabytes." (Pushing Manifests)
#[test]
fn a_manifest_of_four_mebibytes_is_taken_and_a_larger_one_is_not() {
    let repo = plain().repo("large-manifest");
    repo.push_blob(EMPTY);
    let document = |length: usize| {
        let mut document = image(EMPTY, &[]);
        document["annotations"] = json!({ "pad": "" });
        let bare = document.to_string().len();
        document["annotations"]["pad"] = "x".repeat(length - bare).into();
        let manifest = Pushed::new(&document);
        assert_eq!(manifest.bytes.len(), length);
        manifest
    };
    let largest = document(4 << 20);
    repo.put_manifest("largest", &largest).expect(201);
    assert_eq!(
        repo.get("manifests/largest").send().expect(200).body,
        largest.bytes
    );
    let larger = document((4 << 20) + 1);
    repo.put_manifest("larger", &larger)
        .refused(413, "MANIFEST_INVALID");
    let pieces: Vec<&[u8]> = larger.bytes.chunks(100_000).collect();
    let streamed = repo
        .put("manifests/larger")
        .with("Content-Type", OCI_MANIFEST)
        .streamed(&pieces);
    streamed.send().expect(413);
    repo.get("manifests/larger").send().expect(404);
}

/// What two programs could read in two ways is refused (CVE-2021-41190), and so is what is no
/// manifest at all. ("manifest invalid", Error Codes, code-6)
#[test]
fn what_is_no_sound_manifest_is_refused() {
    let repo = plain().repo("unsound");
    let there = repo.push_image("v1");
    repo.push_blob(EMPTY);
    let sound = image(&there.config, &[&there.layer]);
    let with = |key: &str, value: Value| {
        let mut document = sound.clone();
        document[key] = value;
        document.to_string()
    };
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let cases = [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "not JSON".to_owned(),
        sound.to_string()[1..].to_owned(),
        format!("{sound}{sound}"),
        with("schemaVersion", json!(1)),
        with("schemaVersion", json!("2")),
        with("mediaType", json!(OCI_INDEX)),
        with("manifests", json!([])),
        with("config", Value::Null),
        with("layers", json!({})),
        with(
            "layers",
            json!([{ "mediaType": OCI_LAYER, "digest": "sha256:abc", "size": 1 }]),
        ),
        with(
            "layers",
            json!([{ "mediaType": OCI_LAYER, "digest": digest(EMPTY), "size": -1 }]),
        ),
        with(
            "layers",
            json!([{ "mediaType": OCI_LAYER, "digest": digest(EMPTY) }]),
        ),
        with("annotations", json!({ "a": 1 })),
        with(
            "subject",
            json!({ "mediaType": OCI_MANIFEST, "digest": "md5:0", "size": 1 }),
        ),
        with("fsLayers", json!([])),
        with("x", serde_json::from_str(&deep).unwrap()),
        sound.to_string().replacen("\"layers\"", "\"Layers\"", 1),
        sound.to_string().replacen('{', "{\"schemaVersion\":2,", 1),
    ];
    for text in cases {
        let manifest = Pushed::exactly(OCI_MANIFEST, text.as_bytes());
        let answer = repo
            .put_manifest("v2", &manifest)
            .refused(400, "MANIFEST_INVALID");
        assert!(!answer.error().message.is_empty(), "{text}");
    }
    repo.get("manifests/v2").send().expect(404);
}

/// A descriptor that lies about a length misleads every client that trusts it.
#[test]
fn a_descriptor_with_the_wrong_size_is_refused() {
    let repo = plain().repo("wrong-size");
    let there = repo.push_image("v1");
    let mut document = image(&there.config, &[&there.layer]);
    document["layers"][0]["size"] = json!(1);
    let answer = repo.put_manifest("v2", &Pushed::new(&document));
    assert_eq!(answer.expect(400).error().code, "SIZE_INVALID");
}

/// "If a manifest includes a `mediaType` field, clients MUST set the `Content-Type` header to the
/// value specified by the `mediaType` field." (Pushing Manifests)
#[test]
fn header_and_document_must_tell_the_same_type() {
    let repo = plain().repo("types-differ");
    let there = repo.push_image("v1");
    let send = |content_type: Option<&str>, body: &[u8]| {
        let put = repo.put("manifests/v2");
        let put = match content_type {
            Some(content_type) => put.with("Content-Type", content_type),
            None => put,
        };
        put.body(body).send()
    };
    let bytes = &there.manifest.bytes;
    for wrong in [
        OCI_INDEX,
        "text/plain",
        "application/vnd.docker.distribution.manifest.v2+json",
    ] {
        send(Some(wrong), bytes).refused(400, "MANIFEST_INVALID");
    }
    // "All manifests SHOULD include a `mediaType` field": not all do, and not all clients send a
    // type; then the other one tells.
    for silent in [
        None,
        Some("application/json"),
        Some("application/octet-stream"),
    ] {
        send(silent, bytes).expect(201);
        let answer = repo.get("manifests/v2").send().expect(200);
        assert_eq!(answer.the("content-type"), OCI_MANIFEST);
    }
    let mut document = image(&there.config, &[&there.layer]);
    document.as_object_mut().unwrap().remove("mediaType");
    send(Some(OCI_MANIFEST), document.to_string().as_bytes()).expect(201);
    let answer = repo.get("manifests/v2").send().expect(200);
    assert_eq!(answer.the("content-type"), OCI_MANIFEST);
}

/// Content in a descriptor's `data` must be the content that it names (OCI image-spec,
/// "Embedded Content").
#[test]
fn embedded_data_must_be_what_its_descriptor_names() {
    let repo = plain().repo("data");
    repo.push_blob(EMPTY);
    let mut document = image(EMPTY, &[]);
    document["config"] = descriptor(OCI_CONFIG, EMPTY);
    document["config"]["data"] = json!("e30=");
    repo.push("v1", &document);
    document["config"]["data"] = json!("e31=");
    repo.put_manifest("v2", &Pushed::new(&document))
        .refused(400, "MANIFEST_INVALID");
}

/// An index may list indexes (OCI image-spec, "Image Index"), and all of them come back.
#[test]
fn nested_indexes_are_kept() {
    let repo = plain().repo("nested");
    let (one, two) = (repo.push_image("one"), repo.push_image("two"));
    let inner = repo.push_untagged(&index(&[&one.manifest, &two.manifest]));
    let middle = repo.push_untagged(&index(&[&inner]));
    let outer = repo.push("outer", &index(&[&middle, &one.manifest]));
    for manifest in [&inner, &middle, &outer] {
        let answer = repo
            .get(&format!("manifests/{}", manifest.digest))
            .send()
            .expect(200);
        assert_eq!(answer.body, manifest.bytes);
    }
}

/// BuildKit exports its cache as an index whose entries are layers.
#[test]
fn an_index_of_layers_is_kept() {
    let repo = plain().repo("cache-index");
    let layer = noise("cache-index", 500);
    repo.push_blob(&layer);
    repo.push_blob(EMPTY);
    let document = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer),
            descriptor("application/vnd.buildkit.cacheconfig.v0", EMPTY),
        ],
    });
    repo.push("cache", &document);
    let missing = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", b"absent")],
    });
    repo.put_manifest("missing", &Pushed::new(&missing))
        .refused(400, "MANIFEST_BLOB_UNKNOWN");
}

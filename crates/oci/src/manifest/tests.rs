use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::digest::Algorithm;

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

fn digest(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

fn descriptor(media_type: &str, content: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest(content), "size": content.len()})
}

fn config() -> Value {
    descriptor("application/vnd.oci.image.config.v1+json", "config")
}

fn layer(content: &str) -> Value {
    descriptor("application/vnd.oci.image.layer.v1.tar+gzip", content)
}

fn image() -> Value {
    json!({"schemaVersion": 2, "mediaType": OCI, "config": config(), "layers": [layer("a")]})
}

fn index() -> Value {
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(OCI, "image")]})
}

/// The document with fields replaced, added, or removed where the value is `null`.
fn with(document: Value, fields: Value) -> Value {
    let Value::Object(mut document) = document else {
        panic!("an object")
    };
    let Value::Object(fields) = fields else {
        panic!("an object")
    };
    for (key, value) in fields {
        match value {
            Value::Null => document.remove(&key),
            _ => document.insert(key, value),
        };
    }
    Value::Object(document)
}

fn parse(document: &Value, content_type: Option<&str>) -> Result<Manifest, ManifestError> {
    Manifest::parse(document.to_string().as_bytes(), content_type)
}

fn refusal(document: &Value) -> ManifestError {
    parse(document, None).unwrap_err()
}

fn digests(descriptors: &[&Descriptor]) -> Vec<Digest> {
    descriptors
        .iter()
        .map(|descriptor| descriptor.digest.clone())
        .collect()
}

#[test]
fn an_image_needs_its_configuration_and_layers_each_once() {
    let document = with(
        image(),
        json!({"layers": [layer("a"), layer("b"), layer("a")]}),
    );
    let manifest = parse(&document, Some(OCI)).unwrap();
    assert_eq!(manifest.kind(), ManifestKind::Image);
    assert_eq!(manifest.layers().len(), 3);
    let required = digests(&manifest.required_blobs());
    assert_eq!(required, [digest("config"), digest("a"), digest("b")]);
    assert!(manifest.children().is_empty() && manifest.foreign_blobs().is_empty());
}

#[test]
fn an_index_needs_its_children() {
    let children = json!([
        descriptor(OCI, "a"),
        descriptor(OCI_INDEX, "b"),
        descriptor(OCI, "a")
    ]);
    let manifest = parse(&with(index(), json!({"manifests": children})), None).unwrap();
    assert_eq!(manifest.kind(), ManifestKind::Index);
    assert_eq!(digests(&manifest.children()), [digest("a"), digest("b")]);
    assert!(manifest.required_blobs().is_empty());
    assert_eq!(manifest.artifact_type(), None);
}

#[test]
fn an_index_of_layers_as_buildkit_exports_its_cache_needs_blobs() {
    let entries = json!([
        descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", "layer"),
        descriptor("application/vnd.buildkit.cacheconfig.v0", "config"),
    ]);
    let manifest = parse(&with(index(), json!({"manifests": entries})), None).unwrap();
    assert!(manifest.children().is_empty());
    assert_eq!(
        digests(&manifest.required_blobs()),
        [digest("layer"), digest("config")]
    );
}

#[test]
fn an_artifact_of_the_release_candidate_needs_its_blobs() {
    let document = json!({
        "mediaType": ARTIFACT, "artifactType": "a/b", "blobs": [layer("a")],
        "subject": descriptor(OCI, "subject"),
    });
    let manifest = parse(&document, Some(ARTIFACT)).unwrap();
    assert_eq!(manifest.kind(), ManifestKind::Artifact);
    assert_eq!(digests(&manifest.required_blobs()), [digest("a")]);
    assert_eq!(manifest.subject().unwrap().digest, digest("subject"));
    assert_eq!(
        parse(&with(document, json!({"mediaType": null})), None),
        Ok(manifest)
    );
}

#[test]
fn foreign_layers_need_not_be_here() {
    let mut foreign = descriptor(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "f",
    );
    let layers = |foreign: &Value| with(image(), json!({"layers": [foreign, layer("a")]}));
    let manifest = parse(&layers(&foreign), None).unwrap();
    assert_eq!(
        digests(&manifest.required_blobs()),
        [digest("config"), digest("a")]
    );
    assert_eq!(digests(&manifest.foreign_blobs()), [digest("f")]);

    foreign["urls"] = json!(["https://store.example.com/blobs/f?x=y@z"]);
    assert!(parse(&layers(&foreign), None).is_ok());
    for url in [
        "ftp://a/b",
        "file:///etc/passwd",
        "https://",
        "https://u:p@a/",
        "https://a/#b",
        "https://a/\r\nx",
        "javascript:alert(1)",
        "//a/b",
        "https://a b/",
        "https://a\\@b/",
    ] {
        foreign["urls"] = json!([url]);
        let place = "layers[0]".to_owned();
        assert_eq!(
            refusal(&layers(&foreign)),
            ManifestError::ForeignUrl { place },
            "{url}"
        );
    }
}

#[test]
fn a_layer_that_is_also_listed_as_foreign_is_required() {
    let foreign = descriptor(
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "a",
    );
    let manifest = parse(
        &with(image(), json!({"layers": [foreign, layer("a")]})),
        None,
    )
    .unwrap();
    assert_eq!(
        digests(&manifest.required_blobs()),
        [digest("config"), digest("a")]
    );
    assert!(manifest.foreign_blobs().is_empty());
}

#[test]
fn what_the_wild_writes_is_read() {
    let d = digest("config");
    let texts = [
        format!("{{\"schemaVersion\":2,\"config\":{{\"digest\":\"{d}\",\"size\":6}}}}"),
        format!(
            "{{\"schemaVersion\":2,\"config\":{{\"mediaType\":\"x\",\"digest\":\"{d}\",\"size\":6}},\
             \"layers\":null,\"manifests\":null,\"annotations\":null,\"subject\":null,\
             \"mediaType\":\"\",\"artifactType\":null,\"fsLayers\":null}}"
        ),
        format!(
            " {{\"org.example\":{{\"A\":[1,-1,1.5,true,null,\"\\u0041\"],\"a\":1}},\"schemaVersion\":2,\
             \"config\":{{\"digest\":\"{d}\",\"size\":6,\"more\":{{}}}},\"layers\":[]}}\n"
        ),
    ];
    for text in texts {
        let manifest = Manifest::parse(text.as_bytes(), Some(OCI)).unwrap();
        assert_eq!(
            digests(&manifest.required_blobs()),
            std::slice::from_ref(&d)
        );
    }
    let empty = "{\"schemaVersion\":2,\"manifests\":null}";
    assert!(
        Manifest::parse(empty.as_bytes(), Some(OCI_INDEX))
            .unwrap()
            .children()
            .is_empty()
    );
}

#[test]
fn the_type_is_that_of_the_header_else_of_the_field_else_of_the_fields() {
    let untyped = with(image(), json!({"mediaType": null}));
    let docker = with(
        untyped.clone(),
        json!({"config": descriptor("application/vnd.docker.container.image.v1+json", "c")}),
    );
    let untyped_index = with(index(), json!({"mediaType": null}));
    let cases = [
        (image(), None, OCI),
        (image(), Some(""), OCI),
        (image(), Some("application/json; charset=utf-8"), OCI),
        (image(), Some("application/octet-stream"), OCI),
        (
            image(),
            Some("APPLICATION/vnd.oci.image.manifest.v1+json; a=b"),
            OCI,
        ),
        (untyped.clone(), None, OCI),
        (untyped, Some(DOCKER), DOCKER),
        (docker.clone(), None, DOCKER),
        (docker, Some(OCI), OCI),
        (untyped_index, None, OCI_INDEX),
    ];
    for (document, content_type, expected) in cases {
        let manifest = parse(&document, content_type).unwrap();
        assert_eq!(
            manifest.media_type().as_str(),
            expected,
            "{content_type:?} {document}"
        );
    }
}

#[test]
fn types_that_contradict_each_other_are_refused() {
    let differ = parse(&image(), Some(OCI_INDEX)).unwrap_err();
    assert_eq!(
        differ.to_string(),
        format!("Content-Type is \"{OCI_INDEX}\", but mediaType is \"{OCI}\"")
    );
    assert!(matches!(
        parse(&image(), Some("text/html")).unwrap_err(),
        ManifestError::TypesDiffer { .. }
    ));
    let untyped = with(image(), json!({"mediaType": null}));
    assert!(matches!(
        parse(&untyped, Some("text/html")).unwrap_err(),
        ManifestError::UnsupportedType { .. }
    ));
    assert!(matches!(
        parse(&untyped, Some("a\u{1}b")).unwrap_err(),
        ManifestError::UnsupportedType { .. }
    ));
    assert_eq!(refusal(&json!({"schemaVersion": 2})), ManifestError::NoType);
    assert_eq!(
        refusal(&json!({"schemaVersion": 2, "mediaType": OCI})),
        ManifestError::NoConfig
    );
}

#[test]
fn a_document_that_could_be_two_kinds_is_refused() {
    use ManifestKind::{Artifact, Image, Index};
    let artifact = json!({"mediaType": ARTIFACT, "blobs": []});
    let cases = [
        (with(image(), json!({"manifests": []})), Image, "manifests"),
        (with(image(), json!({"blobs": []})), Image, "blobs"),
        (with(image(), json!({"fsLayers": []})), Image, "fsLayers"),
        (with(index(), json!({"layers": []})), Index, "layers"),
        (with(index(), json!({"config": config()})), Index, "config"),
        (
            with(artifact.clone(), json!({"layers": []})),
            Artifact,
            "layers",
        ),
        (
            with(artifact, json!({"manifests": []})),
            Artifact,
            "manifests",
        ),
    ];
    for (document, kind, field) in cases {
        assert_eq!(refusal(&document), ManifestError::Ambiguous { kind, field });
        let untyped = with(document, json!({"mediaType": null}));
        assert!(
            matches!(refusal(&untyped), ManifestError::Ambiguous { .. }),
            "{untyped}"
        );
    }
}

#[test]
fn keys_that_programs_read_differently_are_refused() {
    let d = digest("config");
    let head = format!("\"schemaVersion\":2,\"mediaType\":\"{OCI}\"");
    let config = format!("\"digest\":\"{d}\",\"size\":6");
    let duplicates = [
        format!("{{{head},\"config\":{{{config}}},\"layers\":[],\"layers\":[]}}"),
        format!("{{{head},\"config\":{{{config}}},\"l\\u0061yers\":[],\"layers\":[]}}"),
        format!("{{{head},\"config\":{{{config},\"size\":7}}}}"),
        format!("{{{head},\"config\":{{{config}}},\"x\":[{{\"y\":1,\"z\":2,\"y\":3}}]}}"),
        format!("{{{head},\"config\":{{{config}}},\"x\":1,\"x\":1}}"),
    ];
    for text in duplicates {
        let error = Manifest::parse(text.as_bytes(), None).unwrap_err();
        assert!(
            matches!(error, ManifestError::DuplicateKey { .. }),
            "{text}: {error}"
        );
    }
    let cases = [
        format!("{{{head},\"config\":{{{config}}},\"Layers\":[]}}"),
        format!("{{{head},\"config\":{{{config}}},\"layerſ\":[]}}"),
        format!("{{{head},\"config\":{{{config}}},\"MANIFESTS\":[]}}"),
        format!("{{{head},\"config\":{{{config},\"Digest\":\"{d}\"}}}}"),
        format!("{{{head},\"config\":{{{config}}},\"layers\":[{{{config},\"SIZE\":1}}]}}"),
    ];
    for text in cases {
        let error = Manifest::parse(text.as_bytes(), None).unwrap_err();
        assert!(
            matches!(error, ManifestError::KeyCase { .. }),
            "{text}: {error}"
        );
    }
    let harmless =
        format!("{{{head},\"config\":{{{config},\"annotations\":{{\"a\":\"\",\"A\":\"\"}}}}}}");
    assert!(Manifest::parse(harmless.as_bytes(), None).is_ok());
}

#[test]
fn schema_1_and_other_versions_are_refused() {
    let schema1 = json!({"schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": []});
    assert_eq!(refusal(&schema1), ManifestError::Schema1);
    let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    assert_eq!(parse(&schema1, Some(signed)), Err(ManifestError::Schema1));
    let untyped = with(image(), json!({"mediaType": null}));
    assert_eq!(parse(&untyped, Some(signed)), Err(ManifestError::Schema1));
    assert_eq!(
        refusal(&with(image(), json!({"schemaVersion": 3}))),
        ManifestError::SchemaVersion { found: Some(3) }
    );
    let missing = refusal(&with(image(), json!({"schemaVersion": null})));
    assert_eq!(missing.to_string(), "schemaVersion is 2, not absent");
}

#[test]
fn errors_name_the_field() {
    let place = |document: &Value| refusal(document).to_string();
    let bad_digest = json!({"mediaType": "x", "digest": "sha256:x", "size": 1});
    let message = place(&with(image(), json!({"layers": [layer("a"), bad_digest]})));
    assert!(
        message.starts_with("layers[1].digest: a sha256 digest has 64"),
        "{message}"
    );
    let mut negative = config();
    negative["size"] = json!(-1);
    let message = place(&with(image(), json!({"config": negative})));
    assert!(
        message.starts_with("config.size: a size is 0 or more"),
        "{message}"
    );
    let message = place(&with(image(), json!({"layers": "none"})));
    assert!(message.starts_with("layers: invalid type"), "{message}");
}

#[test]
fn embedded_data_must_be_the_content() {
    let mut embedded = descriptor("application/vnd.oci.empty.v1+json", "{}");
    embedded["data"] = json!("e30=");
    assert!(parse(&with(image(), json!({"config": embedded})), None).is_ok());
    embedded["data"] = json!("W10=");
    let place = "config".to_owned();
    assert_eq!(
        refusal(&with(image(), json!({"config": embedded}))),
        ManifestError::Data { place }
    );
    let place = "layers[0]".to_owned();
    assert_eq!(
        refusal(&with(image(), json!({"layers": [embedded]}))),
        ManifestError::Data { place }
    );
}

#[test]
fn limits_hold_to_the_last_one_allowed() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        let mut text = image().to_string();
        text.truncate(text.len() - 1);
        Manifest::parse(format!("{text},\"x\":{open}{close}}}").as_bytes(), None)
    };
    assert!(nested(Manifest::MAX_DEPTH).is_ok());
    assert_eq!(nested(Manifest::MAX_DEPTH + 1), Err(ManifestError::TooDeep));
    assert_eq!(nested(100_000), Err(ManifestError::TooDeep));

    let listed = |count: usize| {
        let entries = vec![descriptor(OCI, "a"); count];
        parse(&with(index(), json!({"manifests": entries})), None)
    };
    assert_eq!(
        listed(Manifest::MAX_DESCRIPTORS).unwrap().entries().len(),
        10_000
    );
    assert_eq!(
        listed(Manifest::MAX_DESCRIPTORS + 1),
        Err(ManifestError::TooManyDescriptors)
    );

    let sized = |size: usize| {
        let mut bytes = image().to_string().into_bytes();
        bytes.resize(size, b' ');
        Manifest::parse(&bytes, None)
    };
    assert!(sized(Manifest::MAX_BYTES).is_ok());
    let error = sized(Manifest::MAX_BYTES + 1).unwrap_err();
    assert_eq!(error.status(), http::StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    let mut twice = image().to_string();
    twice.push_str("{}");
    for text in [
        "",
        "[]",
        "null",
        "2",
        "\"a\"",
        "{",
        "{\"a\":1e999}",
        "\u{feff}{}",
        &twice,
    ] {
        let error = Manifest::parse(text.as_bytes(), Some(OCI)).unwrap_err();
        assert!(matches!(error, ManifestError::Json(_)), "{text:?}: {error}");
        assert!(error.to_info().message.starts_with("manifest invalid: "));
    }
    assert!(Manifest::parse(b"{\"a\":\"\xff\"}", Some(OCI)).is_err());
}

#[test]
fn a_referrer_carries_its_artifact_type_and_annotations() {
    let document = with(
        image(),
        json!({"subject": descriptor(OCI, "subject"), "annotations": {"k": "v"}}),
    );
    let referrer = |document: &Value| {
        let manifest = parse(document, None).unwrap();
        manifest.to_referrer(digest("me"), 7)
    };
    let of_config = referrer(&document);
    assert_eq!(of_config.artifact_type, Some(MediaType::OCI_CONFIG));
    assert_eq!(
        of_config.annotations.get("k").map(String::as_str),
        Some("v")
    );
    assert_eq!((of_config.size, of_config.digest), (7, digest("me")));
    let own = referrer(&with(document, json!({"artifactType": "application/x"})));
    assert_eq!(own.artifact_type.unwrap().as_str(), "application/x");
    let of_index = referrer(&with(index(), json!({"artifactType": ""})));
    assert_eq!(of_index.artifact_type, None);
}

/// JSON of any shape, with keys that mean something here and there.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "[a-z/+.:0-9]{0,8}".prop_map(Value::from),
        Just(config()),
        Just(Value::from(OCI)),
        Just(Value::from(2)),
    ];
    let keys =
        "schemaVersion|mediaType|config|layers|manifests|blobs|subject|annotations|size|data|a";
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_the_parser_panic(document in any_json(), typed: bool) {
        let content_type = typed.then_some(OCI);
        if let Ok(manifest) = parse(&document, content_type) {
            prop_assert!(ManifestKind::Image != manifest.kind() || manifest.config().is_some());
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
        prop_assert!(Manifest::parse(&bytes, None).is_err());
    }

    #[test]
    fn a_manifest_cut_short_is_refused(cut in 0_usize..300) {
        let text = image().to_string();
        let cut = cut % text.len();
        prop_assert!(Manifest::parse(text.as_bytes().get(..cut).unwrap(), Some(OCI)).is_err());
    }
}

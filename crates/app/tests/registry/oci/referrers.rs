//! Listing referrers (end-12a, end-12b).

use serde_json::{Value, json};

use crate::kit::content::{
    EMPTY, Hash, OCI_CONFIG, OCI_EMPTY, OCI_INDEX, Pushed, artifact, descriptor, image, index,
    unknown_digest,
};
use crate::kit::http::{Answer, in_query};
use crate::kit::repo::{Repo, digests};
use crate::kit::server::plain;

const SBOM: &str = "application/vnd.example.sbom.v1";
const SIGNATURE: &str = "application/vnd.example.signature.v1+json";

/// A repository with an image, and what artifacts need.
fn with_subject(about: &str) -> (Repo<'static>, Pushed) {
    let repo = plain().repo(about);
    let subject = repo.push_image("v1").manifest;
    repo.push_blob(EMPTY);
    repo.push_blob(b"attached");
    (repo, subject)
}

/// An artifact that refers to `subject`; `number` tells it from others.
fn attached(subject: &Pushed, artifact_type: &str, number: usize) -> Value {
    let mut document = artifact(artifact_type, b"attached");
    document["subject"] = subject.descriptor();
    document["annotations"] = json!({ "org.example.number": number.to_string() });
    document
}

fn fallback_tag(digest: &str) -> String {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    format!("{algorithm}-{}", &hex[..64])
}

fn link(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let (target, relation) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert!(
        relation.replace(' ', "").contains(";rel=\"next\""),
        "{link}"
    );
    Some(target.to_owned())
}

/// "Assuming a repository is found, this request MUST return a `200 OK` response code. If the
/// registry supports the referrers API, the registry MUST NOT return a `404 Not Found` to a
/// referrers API requests." and "If a query results in no matching referrers, an empty manifest
/// list MUST be returned." (Listing Referrers, end-12a)
#[test]
fn without_referrers_the_list_is_empty() {
    let (repo, subject) = with_subject("referrers-none");
    for digest in [
        subject.digest,
        unknown_digest(),
        Hash::Sha512.of(b"unknown"),
    ] {
        let answer = repo.get(&format!("referrers/{digest}")).send().expect(200);
        assert_eq!(answer.the("content-type"), OCI_INDEX);
        let empty = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
        assert_eq!(answer.json(), empty);
    }
}

/// "If the request is invalid, such as a `<digest>` with an invalid syntax, a `400 Bad Request`
/// MUST be returned." (Listing Referrers)
#[test]
fn a_subject_that_is_no_digest_is_a_bad_request() {
    let (repo, _) = with_subject("referrers-invalid");
    for wrong in [
        "sha256:abc",
        "v1",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "sha256",
    ] {
        repo.get(&format!("referrers/{wrong}")).send().expect(400);
    }
}

/// "Upon success, the response MUST be a JSON body with an image index containing a list of
/// descriptors. The `Content-Type` header MUST be set to `application/vnd.oci.image.index.v1+json`.
/// Each descriptor is of an image manifest or index in the same `<name>` namespace with a `subject`
/// field that specifies the value of `<digest>`." (Listing Referrers)
///
/// "The descriptors MUST include an `artifactType` field that is set to the value of the
/// `artifactType` in the image manifest or index, if present. If the `artifactType` is empty or
/// missing in the image manifest, the value of `artifactType` MUST be set to the config descriptor
/// `mediaType` value. If the `artifactType` is empty or missing in an index, the `artifactType` MUST
/// be omitted. The descriptors MUST include annotations from the image manifest or index." (same
/// place)
#[test]
fn referrers_are_described_as_the_specification_has_it() {
    let (repo, subject) = with_subject("referrers");
    let annotations = json!({ "org.example.key": "value", "ü": "ß" });
    let config = b"{\"a\":\"config\"}".as_slice();
    repo.push_blob(config);
    let mut plain_image = image(config, &[]);
    let mut empty_type = image(config, &[]);
    empty_type["artifactType"] = json!("");
    let mut typed_index = index(&[]);
    typed_index["artifactType"] = json!(SBOM);
    let mut cases = [
        (attached(&subject, SBOM, 1), Some(SBOM)),
        (plain_image.take(), Some(OCI_CONFIG)),
        (empty_type.take(), Some(OCI_CONFIG)),
        (typed_index.take(), Some(SBOM)),
        (index(&[]), None),
    ];
    let mut expected = Vec::new();
    for (number, (document, artifact_type)) in cases.iter_mut().enumerate() {
        document["subject"] = subject.descriptor();
        document["annotations"] = annotations.clone();
        document["annotations"]["number"] = json!(number.to_string());
        let pushed = repo.push_untagged(document);
        let mut entry = pushed.descriptor();
        entry["annotations"] = document["annotations"].clone();
        if let Some(artifact_type) = artifact_type {
            entry["artifactType"] = json!(artifact_type);
        }
        expected.push(entry);
    }
    let answer = repo
        .get(&format!("referrers/{}", subject.digest))
        .send()
        .expect(200);
    assert_eq!(answer.the("content-type"), OCI_INDEX);
    let body = answer.json();
    assert_eq!(
        (&body["schemaVersion"], &body["mediaType"]),
        (&json!(2), &json!(OCI_INDEX))
    );
    let sorted = |list: &[Value]| {
        let mut list = list.to_vec();
        list.sort_by_key(|entry| entry["digest"].to_string());
        list
    };
    assert_eq!(
        sorted(body["manifests"].as_array().unwrap()),
        sorted(&expected)
    );
}

/// "To fetch the list of referrers with a filter […]. If filtering is requested and applied, the
/// response MUST include a header `OCI-Filters-Applied: artifactType`" (Listing Referrers, end-12b)
#[test]
fn referrers_are_filtered_by_their_type() {
    let (repo, subject) = with_subject("referrers-filter");
    let sbom = repo.push_untagged(&attached(&subject, SBOM, 1));
    let signature = repo.push_untagged(&attached(&subject, SIGNATURE, 2));
    let mut configured = image(EMPTY, &[]);
    configured["config"] = descriptor(OCI_EMPTY, EMPTY);
    configured["subject"] = subject.descriptor();
    let configured = repo.push_untagged(&configured);
    for (artifact_type, expected) in [
        (SBOM, vec![sbom.digest.as_str()]),
        (SIGNATURE, vec![signature.digest.as_str()]),
        (OCI_EMPTY, vec![configured.digest.as_str()]),
        ("application/vnd.example.nothing", vec![]),
    ] {
        let query = format!(
            "referrers/{}?artifactType={}",
            subject.digest,
            in_query(artifact_type)
        );
        let answer = repo.get(&query).send().expect(200);
        assert_eq!(answer.the("oci-filters-applied"), "artifactType");
        assert_eq!(digests(&answer.json()), expected, "{artifact_type}");
    }
    let all = repo
        .get(&format!("referrers/{}", subject.digest))
        .send()
        .expect(200);
    assert_eq!(all.header("oci-filters-applied"), None);
    assert_eq!(digests(&all.json()).len(), 3);
}

/// A media type may have a `+`, which clients send as it is or encoded.
#[test]
fn a_filter_with_a_plus_may_come_encoded_or_not() {
    let (repo, subject) = with_subject("referrers-plus");
    let signature = repo.push_untagged(&attached(&subject, SIGNATURE, 1));
    for spelt in [
        SIGNATURE.to_owned(),
        SIGNATURE.replace('+', "%2B"),
        in_query(SIGNATURE),
    ] {
        let query = format!("referrers/{}?artifactType={spelt}", subject.digest);
        assert_eq!(
            digests(&repo.get(&query).send().expect(200).json()),
            [signature.digest.as_str()]
        );
    }
}

/// "After the referrers API is enabled, Registries MUST include all newly pushed image manifests
/// with a valid `subject` field in the referrers API response." (Enabling the Referrers API): also
/// those that were pushed before their subject, or with a tag.
#[test]
fn referrers_may_come_before_their_subject() {
    let repo = plain().repo("referrers-before");
    repo.push_blob(EMPTY);
    repo.push_blob(b"attached");
    let config = b"{\"late\":true}".as_slice();
    let subject = Pushed::new(&image(config, &[]));
    let early = repo.push("early", &attached(&subject, SBOM, 1));
    assert_eq!(repo.referrers(&subject.digest), [early.digest.as_str()]);
    repo.push_blob(config);
    repo.put_manifest("v1", &subject).expect(201);
    assert_eq!(repo.referrers(&subject.digest), [early.digest]);
}

#[test]
fn referrers_of_a_sha512_subject_are_listed() {
    let (repo, subject) = with_subject("referrers-512");
    let named = subject.digest_by(Hash::Sha512);
    repo.put_manifest(&named, &subject).expect(201);
    let mut document = attached(&subject, SBOM, 1);
    document["subject"]["digest"] = json!(named);
    let manifest = Pushed::new(&document);
    let answer = repo
        .put_manifest(&manifest.digest_by(Hash::Sha512), &manifest)
        .expect(201);
    assert_eq!(answer.the("oci-subject"), named);
    assert_eq!(repo.referrers(&named), [manifest.digest_by(Hash::Sha512)]);
    assert!(repo.referrers(&subject.digest).is_empty());
}

/// "A `Link` header MUST be included in the response when the descriptor list cannot be returned in
/// a single manifest. Each response is an image index with different descriptors in the `manifests`
/// field. The `Link` header MUST be set according to RFC 5988 with the Relation Type `rel="next"`."
/// (Listing Referrers)
#[test]
fn many_referrers_come_in_pages_each_once() {
    const COUNT: usize = 510;
    let (repo, subject) = with_subject("referrers-pages");
    let mut pushed = Vec::new();
    std::thread::scope(|scope| {
        let push = |from: usize| {
            let (repo, subject) = (&repo, &subject);
            move || -> Vec<String> {
                let numbers = (from..COUNT).step_by(4);
                numbers
                    .map(|n| repo.push_untagged(&attached(subject, SBOM, n)).digest)
                    .collect()
            }
        };
        let threads: Vec<_> = (0..4).map(|from| scope.spawn(push(from))).collect();
        pushed.extend(
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap()),
        );
    });
    // A client that keeps the fallback tag besides lists some of them a second time.
    let last = repo.push_untagged(&attached(&subject, SBOM, COUNT));
    pushed.push(last.digest.clone());
    pushed.sort();
    repo.push(&fallback_tag(&subject.digest), &index(&[&last]));
    for filter in ["", &format!("?artifactType={}", in_query(SBOM))] {
        let mut target = format!("referrers/{}{filter}", subject.digest);
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let answer = repo.get(&target).send().expect(200);
            assert_eq!(
                answer.header("oci-filters-applied").is_some(),
                !filter.is_empty()
            );
            seen.extend(digests(&answer.json()));
            pages += 1;
            match link(&answer) {
                Some(next) => target = next,
                None => break,
            }
        }
        assert!(pages > 1, "the list came at once");
        seen.sort();
        assert_eq!(
            seen.len(),
            pushed.len(),
            "some are listed twice or not at all"
        );
        assert_eq!(seen, pushed);
    }
}

/// "Registries MUST include preexisting image manifests that are listed in an image index tagged
/// with the referrers tag schema and have a valid `subject` field in the referrers API response."
/// (Enabling the Referrers API)
#[test]
fn what_a_fallback_tag_lists_is_listed_too() {
    let (repo, subject) = with_subject("referrers-fallback");
    let native = repo.push_untagged(&attached(&subject, SBOM, 1));
    // Clients that know no subject write the list alone.
    let by_tag = repo.push_untagged(&artifact(SIGNATURE, b"attached"));
    let mut entry = by_tag.descriptor();
    entry["artifactType"] = json!(SIGNATURE);
    entry["annotations"] = json!({ "kept": "as it is" });
    let mut both = native.descriptor();
    both["artifactType"] = json!(SBOM);
    let document =
        json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry, both] });
    let tag = fallback_tag(&subject.digest);
    repo.push(&tag, &document);
    let body = repo
        .get(&format!("referrers/{}", subject.digest))
        .send()
        .expect(200)
        .json();
    let mut found = digests(&body);
    found.sort();
    let mut expected = vec![native.digest.clone(), by_tag.digest.clone()];
    expected.sort();
    assert_eq!(found, expected);
    let query = format!(
        "referrers/{}?artifactType={}",
        subject.digest,
        in_query(SIGNATURE)
    );
    assert_eq!(
        digests(&repo.get(&query).send().expect(200).json()),
        [by_tag.digest]
    );
    // "This tag should return an image index" (Referrers Tag Schema): as it was pushed.
    assert_eq!(
        repo.get(&format!("manifests/{tag}"))
            .send()
            .expect(200)
            .json(),
        document
    );
}

/// A fallback tag that is no index of referrers does no harm.
#[test]
fn a_fallback_tag_on_something_else_changes_nothing() {
    let (repo, subject) = with_subject("referrers-odd-fallback");
    repo.put_manifest(&fallback_tag(&subject.digest), &subject)
        .expect(201);
    assert!(repo.referrers(&subject.digest).is_empty());
}

/// "Once deleted, a `GET` to `/v2/<name>/manifests/<digest>` […] will return a 404" (Deleting
/// Manifests): and it is no referrer any more; deleting the subject leaves its referrers.
#[test]
fn a_deleted_referrer_is_not_listed_and_referrers_outlive_their_subject() {
    let (repo, subject) = with_subject("referrers-deleted");
    let one = repo.push_untagged(&attached(&subject, SBOM, 1));
    let two = repo.push_untagged(&attached(&subject, SBOM, 2));
    assert_eq!(repo.referrers(&subject.digest).len(), 2);
    repo.delete(&format!("manifests/{}", one.digest))
        .send()
        .expect(202);
    assert_eq!(repo.referrers(&subject.digest), [two.digest.as_str()]);
    repo.delete(&format!("manifests/{}", subject.digest))
        .send()
        .expect(202);
    assert_eq!(repo.referrers(&subject.digest), [two.digest.as_str()]);
    repo.get(&format!("manifests/{}", two.digest))
        .send()
        .expect(200);
}

/// Referrers are those "in the same `<name>` namespace" (Listing Referrers).
#[test]
fn referrers_of_another_repository_are_not_listed() {
    let (repo, subject) = with_subject("referrers-here");
    let (other, _) = with_subject("referrers-there");
    other.push_untagged(&attached(&subject, SBOM, 1));
    assert!(repo.referrers(&subject.digest).is_empty());
    assert_eq!(other.referrers(&subject.digest).len(), 1);
}

/// A referrer of a referrer is listed with the one it names.
#[test]
fn referrers_may_have_referrers() {
    let (repo, subject) = with_subject("referrers-chain");
    let sbom = repo.push_untagged(&attached(&subject, SBOM, 1));
    let signature = repo.push_untagged(&attached(&sbom, SIGNATURE, 2));
    assert_eq!(repo.referrers(&subject.digest), [sbom.digest.as_str()]);
    assert_eq!(repo.referrers(&sbom.digest), [signature.digest]);
}

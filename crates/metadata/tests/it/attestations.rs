//! Questions about attestations: found by digest, page by page, in both directions.

use crate::accounts::user;
use crate::home::{at, change};
use crate::{Home, on_both};
use naru_metadata::attestations::{self, NewAttestation, Sought};
use naru_metadata::repositories::{self, NewRepository};
use naru_metadata::{Conn, Edge};
use naru_model::{
    AccountId, AttestationBundle, AttestationId, Initiator, RepositoryId, Visibility,
};
use naru_oci::{Algorithm, Digest};

on_both!(
    attestations_are_read_page_by_page_in_both_directions,
    a_page_ends_when_its_bundles_are_large,
    a_predicate_is_asked_for_by_type_or_by_family,
    an_attestation_stays_while_it_is_about_something,
);

fn digest(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

/// A bundle about things, saying something of the given type.
fn bundle(subjects: &[Digest], predicate_type: &str) -> AttestationBundle {
    let subjects: Vec<_> = subjects
        .iter()
        .map(|digest| serde_json::json!({ "digest": { "sha256": digest.hex() } }))
        .collect();
    let statement = serde_json::json!({ "subject": subjects, "predicateType": predicate_type });
    let payload = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        statement.to_string(),
    );
    let json = serde_json::json!({ "dsseEnvelope": {
        "payloadType": "application/vnd.in-toto+json", "payload": payload } });
    AttestationBundle::parse(&serde_json::value::to_raw_value(&json).unwrap()).unwrap()
}

struct Shelf {
    owner: AccountId,
    repository: RepositoryId,
}

impl Shelf {
    async fn new(tx: &mut Conn) -> Self {
        let owner = user(tx, "octocat").await;
        let new = NewRepository {
            owner,
            name: &"app".parse().unwrap(),
            description: None,
            forge_url: None,
            homepage: None,
            visibility: Visibility::Private,
            now: at(1),
        };
        let repository = repositories::create(tx, &new).await.unwrap().unwrap();
        Self { owner, repository }
    }

    async fn store(&self, tx: &mut Conn, bundle: &AttestationBundle) -> AttestationId {
        let new = NewAttestation {
            repository: self.repository,
            owner: self.owner,
            bundle,
            initiator: Initiator::User,
            now: at(2),
        };
        attestations::insert(tx, &new).await.unwrap()
    }

    fn about<'a>(&'a self, digests: &'a [Digest]) -> Sought<'a> {
        Sought {
            owner: self.owner,
            digests,
            repositories: std::slice::from_ref(&self.repository),
            predicate: None,
        }
    }
}

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
const PLENTY: u64 = 1 << 30;

async fn attestations_are_read_page_by_page_in_both_directions(home: Home) {
    let db = home.open().await;
    change(&db, async |tx| {
        let shelf = Shelf::new(tx).await;
        let app = [digest("app")];
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(shelf.store(tx, &bundle(&app, PROVENANCE)).await);
        }
        ids.reverse();
        let mut edge = Edge::Start;
        let mut seen = Vec::new();
        let mut turned = Vec::new();
        loop {
            let page = attestations::find(tx, shelf.about(&app), edge, 2, PLENTY).await?;
            seen.extend(page.items.iter().map(|found| found.attestation.id));
            turned.push(page.previous);
            match page.next {
                Some(next) => edge = Edge::After(next),
                None => break,
            }
        }
        assert_eq!(seen, ids);
        let before = Edge::Before(turned[2].unwrap());
        let page = attestations::find(tx, shelf.about(&app), before, 2, PLENTY).await?;
        let middle: Vec<_> = page
            .items
            .iter()
            .map(|found| found.attestation.id)
            .collect();
        assert_eq!(middle, ids[2..4]);
        Ok(())
    })
    .await
    .unwrap();
}

async fn a_page_ends_when_its_bundles_are_large(home: Home) {
    let db = home.open().await;
    change(&db, async |tx| {
        let shelf = Shelf::new(tx).await;
        let app = [digest("app")];
        let stored = bundle(&app, PROVENANCE);
        for _ in 0..4 {
            shelf.store(tx, &stored).await;
        }
        let two = u64::try_from(stored.json().len()).unwrap() * 2;
        let page = attestations::find(tx, shelf.about(&app), Edge::Start, 100, two).await?;
        assert_eq!(page.items.len(), 2);
        assert!(page.next.is_some());
        let one = attestations::find(tx, shelf.about(&app), Edge::Start, 100, 1).await?;
        assert_eq!(one.items.len(), 1);
        Ok(())
    })
    .await
    .unwrap();
}

async fn a_predicate_is_asked_for_by_type_or_by_family(home: Home) {
    let db = home.open().await;
    change(&db, async |tx| {
        let shelf = Shelf::new(tx).await;
        let app = [digest("app")];
        let built = shelf.store(tx, &bundle(&app, PROVENANCE)).await;
        let made_of = shelf
            .store(tx, &bundle(&app, "https://spdx.dev/Document/v2.3"))
            .await;
        for (predicate, expected) in [
            (None, vec![made_of, built]),
            (Some("provenance"), vec![built]),
            (Some("sbom"), vec![made_of]),
            (Some("https://spdx.dev/Document/v2.3"), vec![made_of]),
            (Some("release"), vec![]),
        ] {
            let sought = Sought {
                predicate,
                ..shelf.about(&app)
            };
            let page = attestations::find(tx, sought, Edge::Start, 10, PLENTY).await?;
            let found: Vec<_> = page
                .items
                .iter()
                .map(|found| found.attestation.id)
                .collect();
            assert_eq!(found, expected, "{predicate:?}");
        }
        let last = attestations::provenance(tx, shelf.owner, &app).await?;
        assert_eq!(last.len(), 1);
        assert_eq!(last[0].attestation.id, built);
        Ok(())
    })
    .await
    .unwrap();
}

async fn an_attestation_stays_while_it_is_about_something(home: Home) {
    let db = home.open().await;
    change(&db, async |tx| {
        let shelf = Shelf::new(tx).await;
        let (app, lib) = (digest("app"), digest("lib"));
        let both = [app.clone(), lib.clone()];
        let id = shelf.store(tx, &bundle(&both, PROVENANCE)).await;
        let page = attestations::find(tx, shelf.about(&both), Edge::Start, 10, PLENTY).await?;
        assert_eq!(page.items.len(), 2, "once for each of its subjects");
        let gone = attestations::remove_subjects(tx, &[id], std::slice::from_ref(&app)).await?;
        assert_eq!(gone, []);
        let gone = attestations::remove_subjects(tx, &[id], std::slice::from_ref(&lib)).await?;
        assert_eq!(gone, [id]);
        assert_eq!(attestations::bundle(tx, shelf.repository, id).await?, None);
        Ok(())
    })
    .await
    .unwrap();
}

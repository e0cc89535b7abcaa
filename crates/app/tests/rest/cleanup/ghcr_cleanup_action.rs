//! `dataaxiom/ghcr-cleanup-action`: it asks who owns the package, reads every manifest, leaves alone
//! what an index or a signature tag names, takes a tag away by pushing an empty manifest to it, and
//! may check at the end that no image has lost a part.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Job, Version};
use crate::kit::http::{Answer, Credential, Request};

/// Its inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// `delete-tags`, without patterns.
    pub(crate) delete_tags: Vec<String>,
    /// `delete-untagged`.
    pub(crate) untagged: bool,
    /// `keep-n-tagged`.
    pub(crate) keep_tagged: Option<usize>,
    /// `validate`.
    pub(crate) validate: bool,
}

/// Runs it; answers the digests that it deleted.
pub(crate) fn run(job: &Job<'_>, wish: &Wish) -> BTreeSet<String> {
    let mut tool = Tool::start(job);
    tool.reload();
    let mut doomed = BTreeSet::new();
    if !wish.delete_tags.is_empty() && tool.untag(&wish.delete_tags) {
        tool.reload();
    }
    let mut candidates = tool.candidates();
    for tag in &wish.delete_tags {
        let holds = |version: &&Version| version.tags == std::slice::from_ref(tag);
        let digest = tool
            .versions
            .iter()
            .find(holds)
            .map(|version| version.digest.clone());
        if let Some(digest) = digest.filter(|digest| candidates.remove(digest)) {
            doomed.insert(digest);
        }
    }
    if let Some(keep) = wish.keep_tagged {
        let mut tagged: Vec<_> = tool
            .of(&candidates)
            .filter(|one| !one.tags.is_empty())
            .collect();
        tagged.sort_by(|one, other| other.updated_at.cmp(&one.updated_at));
        doomed.extend(tagged.iter().skip(keep).map(|one| one.digest.clone()));
    }
    if wish.untagged {
        let untagged = tool.of(&candidates).filter(|one| one.tags.is_empty());
        doomed.extend(untagged.map(|one| one.digest.clone()));
    }
    for digest in doomed {
        tool.delete_image(&digest);
    }
    if wish.validate {
        tool.reload();
        tool.validate();
    }
    tool.deleted
}

const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

struct Tool<'j> {
    job: &'j Job<'j>,
    /// The beginning of the paths of the package, as its owner is asked for.
    owner: String,
    token: Credential,
    versions: Vec<Version>,
    manifests: BTreeMap<String, Value>,
    deleted: BTreeSet<String>,
}

impl<'j> Tool<'j> {
    fn start(job: &'j Job<'j>) -> Self {
        let account = job
            .octokit("GET", &format!("/users/{}", job.owner))
            .send()
            .expect(200);
        let me = job.octokit("GET", "/user").send().expect(200);
        let own = me.json()["login"]
            .as_str()
            .unwrap()
            .eq_ignore_ascii_case(&job.owner);
        let owner = match account.json()["type"].as_str() {
            Some("User") if own => "/user".to_owned(),
            Some("User") => format!("/users/{}", job.owner),
            Some("Organization") => format!("/orgs/{}", job.owner),
            other => panic!("the tool would stop at the type {other:?}"),
        };
        let first = job
            .server
            .get(&Self::path(job, "tags/list"))
            .send()
            .expect(401);
        Self {
            job,
            owner,
            token: registry_token(job, &first),
            versions: Vec::new(),
            manifests: BTreeMap::new(),
            deleted: BTreeSet::new(),
        }
    }

    fn path(job: &Job<'_>, rest: &str) -> String {
        format!("/v2/{}/{}/{rest}", job.owner, job.package)
    }

    fn request(&self, method: &str, rest: &str) -> Request {
        let request = self.job.server.request(method, &Self::path(self.job, rest));
        request.with("Accept", ACCEPT).signed(&self.token)
    }

    /// Lists every version and reads its manifest.
    fn reload(&mut self) {
        self.versions.clear();
        let last = self.page(1);
        for page in 2..=last {
            self.page(page);
        }
        for digest in self.digests() {
            let answer = self.request("GET", &format!("manifests/{digest}")).send();
            self.manifests.insert(digest, answer.expect(200).json());
        }
    }

    /// Reads one page; answers the number of the last one, which it finds in a link by its query.
    fn page(&mut self, page: usize) -> usize {
        let path = format!(
            "{}/packages/container/{}/versions?state=active&per_page=100&page={page}",
            self.owner,
            self.job.encoded()
        );
        let answer = self.job.octokit("GET", &path).send().expect(200);
        self.versions.extend(Version::list(&answer));
        let Some(last) = answer.page("last") else {
            return 1;
        };
        let query = last.split_once('?').unwrap().1;
        let number = query.split('&').find_map(|pair| pair.strip_prefix("page="));
        number.unwrap().parse().unwrap()
    }

    fn digests(&self) -> BTreeSet<String> {
        self.versions
            .iter()
            .map(|version| version.digest.clone())
            .collect()
    }

    fn of(&self, digests: &BTreeSet<String>) -> impl Iterator<Item = &Version> {
        self.versions
            .iter()
            .filter(|version| digests.contains(&version.digest))
    }

    fn version(&self, digest: &str) -> Option<Version> {
        self.versions
            .iter()
            .find(|version| version.digest == digest)
            .cloned()
    }

    /// The digests that a manifest's entries name.
    fn children(&self, digest: &str) -> Vec<String> {
        let entries = self.manifests[digest]["manifests"].as_array();
        let entries = entries.into_iter().flatten();
        entries
            .map(|entry| entry["digest"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The versions whose subject is `digest`.
    fn referrers(&self, digest: &str) -> Vec<String> {
        let refers =
            |version: &&Version| self.manifests[&version.digest]["subject"]["digest"] == digest;
        let referrers = self.versions.iter().filter(refers);
        referrers.map(|version| version.digest.clone()).collect()
    }

    /// The versions with a tag that is made of `digest`.
    fn tagged_after(&self, digest: &str) -> Vec<String> {
        let start = digest.replace(':', "-");
        let tagged = |version: &&Version| version.tags.iter().any(|tag| tag.starts_with(&start));
        let tagged = self.versions.iter().filter(tagged);
        tagged.map(|version| version.digest.clone()).collect()
    }

    /// Everything but what belongs to something else.
    fn candidates(&self) -> BTreeSet<String> {
        let mut candidates = self.digests();
        for digest in self.digests() {
            for other in self
                .children(&digest)
                .into_iter()
                .chain(self.referrers(&digest))
            {
                candidates.remove(&other);
            }
            for other in self.tagged_after(&digest) {
                candidates.remove(&other);
            }
        }
        candidates
    }

    /// Takes tags away from versions that have others: a manifest without content is pushed to each
    /// and deleted. Answers whether there was any.
    fn untag(&mut self, tags: &[String]) -> bool {
        let wanted = |tag: &&String| {
            let mut with_others = self
                .versions
                .iter()
                .filter(|version| version.tags.len() > 1);
            with_others.any(|version| version.tags.contains(tag))
        };
        let tags: Vec<String> = tags.iter().filter(wanted).cloned().collect();
        for tag in &tags {
            self.push_empty(tag);
        }
        if tags.is_empty() {
            return false;
        }
        self.versions.clear();
        self.page(1);
        for tag in &tags {
            let holds = |version: &&Version| version.tags.contains(tag);
            let version = self.versions.iter().find(holds).cloned().unwrap();
            assert_eq!(version.tags, std::slice::from_ref(tag));
            self.delete(&version);
        }
        true
    }

    /// The first attempt has no credential; the challenge says which token is needed.
    fn push_empty(&self, tag: &str) {
        let holds = |version: &&Version| version.tags.iter().any(|own| own == tag);
        let version = self.versions.iter().find(holds).unwrap();
        let mut manifest = self.manifests[&version.digest].clone();
        manifest["annotations"]["io.github.ghcr-cleanup-action.untag-source-tag"] = json!(tag);
        let field = if manifest["manifests"].is_null() {
            "layers"
        } else {
            "manifests"
        };
        manifest[field] = json!([]);
        let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
        let put = |credential: &Credential| {
            let path = Self::path(self.job, &format!("manifests/{tag}"));
            let request = self.job.server.request("PUT", &path).signed(credential);
            request
                .with("Content-Type", &media_type)
                .body(manifest.to_string())
                .send()
        };
        let challenge = put(&Credential::Absent).expect(401);
        put(&registry_token(self.job, &challenge)).expect(201);
    }

    /// Deletes an image, then its parts that nothing else uses, then what refers to it.
    fn delete_image(&mut self, digest: &str) {
        if !self.deleted.insert(digest.to_owned()) {
            return;
        }
        let Some(version) = self.version(digest) else {
            return;
        };
        self.delete(&version);
        for child in self.children(digest) {
            let used = |other: &&Version| {
                other.digest != digest
                    && !self.deleted.contains(&other.digest)
                    && self.children(&other.digest).contains(&child)
            };
            let shared = self.versions.iter().any(|other| used(&other));
            if let Some(version) = self.version(&child).filter(|_| !shared)
                && self.deleted.insert(child)
            {
                self.delete(&version);
            }
        }
        for other in [self.tagged_after(digest), self.referrers(digest)].concat() {
            self.delete_image(&other);
        }
    }

    /// A version that is not there any more counts as deleted.
    fn delete(&self, version: &Version) {
        let (owner, name, id) = (&self.owner, self.job.encoded(), version.id);
        let path = format!("{owner}/packages/container/{name}/versions/{id}");
        let answer = self.job.octokit("DELETE", &path).send();
        assert!(matches!(answer.status, 204 | 404), "{answer:?}");
    }

    /// No index has lost a child, no signature its image.
    fn validate(&self) {
        let digests = self.digests();
        for version in &self.versions {
            for child in self.children(&version.digest) {
                assert!(digests.contains(&child), "{version:?} has lost {child}");
            }
            for tag in version.tags.iter().filter(|tag| tag.starts_with("sha256-")) {
                let subject = tag.replacen('-', ":", 1);
                let subject = subject.get(..71).unwrap();
                assert!(digests.contains(subject), "{tag} has lost its image");
            }
            let subject = self.manifests[&version.digest]["subject"]["digest"].as_str();
            if let Some(subject) = subject {
                assert!(
                    digests.contains(subject),
                    "{version:?} has lost its subject"
                );
            }
        }
    }
}

/// What the tool makes of a challenge: it splits at every comma, also at those within quotes, and
/// takes quotes away only where they stand at both ends.
fn registry_token(job: &Job<'_>, answer: &Answer) -> Credential {
    let challenge = answer
        .the("www-authenticate")
        .strip_prefix("Bearer ")
        .unwrap()
        .to_owned();
    let attribute = |wanted: &str| {
        let found = challenge.split(',').find_map(|part| {
            let (name, value) = part.split_once('=')?;
            (name == wanted).then(|| value.to_owned())
        });
        let value = found.unwrap_or_else(|| panic!("no {wanted} in {challenge}"));
        let both = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        both.map_or(value.clone(), str::to_owned)
    };
    let target = format!(
        "{}?service={}&scope={}",
        attribute("realm"),
        attribute("service"),
        attribute("scope").replace('"', "%22")
    );
    let answer = job
        .server
        .get(&target)
        .signed(&Credential::basic("token", &job.token))
        .send()
        .expect(200);
    Credential::bearer(answer.json()["token"].as_str().unwrap())
}

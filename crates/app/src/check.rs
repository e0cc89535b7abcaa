//! `naru check`: does a registry do what its users need? Against any registry: reach, challenge,
//! log in, push, pull and compare, tags, packages, scopes and versions by REST, delete. Each step has
//! a tick, or the reason in plain words and the fix.
//!
//! - `image`: what is pushed; `client`, `challenge`: how a registry is spoken to; `rest`: the REST
//!   API beside it;
//! - `reason`: why something failed, and what to do about it.

mod challenge;
mod client;
mod image;
mod reason;
mod rest;

use anyhow::{Result, bail};
use naru_model::Random;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::output::{Output, Row};
use challenge::Challenge;
use client::{Attempt, Client, Got, Login};
use image::{Image, MANIFEST_TYPE};
pub(crate) use reason::Reason;
use rest::Rest;

/// What is to be checked, and as whom.
#[derive(Debug)]
pub struct Target {
    /// The registry.
    pub url: Url,
    /// The user.
    pub user: String,
    /// The password: on Naru and GitHub a token.
    pub password: SecretString,
    /// The repository name to push to; default `USER/naru-check`.
    pub image: Option<String>,
    /// Certificates (PEM) of authorities to trust beside the system's.
    pub authority: Option<Vec<u8>>,
}

/// How one step ended.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    step: &'static str,
    outcome: Outcome,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Failed,
    Skipped,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    const fn tick(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Failed => '✗',
            Self::Skipped => '-',
        }
    }
}

impl Row for StepReport {
    const COLUMNS: &'static [&'static str] = &["STEP", "OUTCOME", "DETAIL", "FIX"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.step.to_owned(),
            self.outcome.word().to_owned(),
            self.detail.clone(),
            self.fix.clone().unwrap_or_default(),
        ]
    }
}

/// How a step went well.
enum Good {
    Done(String),
    /// It says nothing about the registry that this was not possible.
    Skipped(String),
}

/// Checks a registry, printing each step as it ends.
///
/// # Errors
/// When a step failed, or the output cannot be written.
pub async fn run(target: Target, random: &dyn Random, output: Output) -> Result<()> {
    let name = match target.image {
        Some(image) => image,
        None => format!("{}/naru-check", target.user.to_ascii_lowercase()),
    };
    let login = Login {
        user: target.user,
        password: target.password,
    };
    let client = Client::new(target.url, login, target.authority.as_deref())?;
    let mut check = Check {
        client,
        name,
        image: Image::new(random)?,
        is_new: false,
        rest: None,
        output,
        reports: Vec::new(),
    };
    let complete = check.all().await?;
    if output.is_json() {
        output.json(&check.reports)?;
    }
    if complete {
        return Ok(());
    }
    let failed = |report: &&StepReport| report.outcome == Outcome::Failed;
    match check.reports.iter().find(failed) {
        Some(report) => bail!("{} does not work: {}", report.step, report.detail),
        None => Ok(()),
    }
}

struct Check {
    client: Client,
    name: String,
    image: Image,
    /// Whether the name was unknown before the push.
    is_new: bool,
    /// What the REST API said first, if there is one.
    rest: Option<Rest>,
    output: Output,
    reports: Vec<StepReport>,
}

impl Check {
    /// Walks through the steps; `false` if one failed. What was pushed is deleted even so.
    async fn all(&mut self) -> Result<bool> {
        let reached = self.reach().await;
        if !self.note("reach", reached)? {
            return Ok(false);
        }
        let challenged = self.challenged();
        if !self.note("challenge", challenged)? {
            return Ok(false);
        }
        let signed_in = self.log_in().await;
        if !self.note("log in", signed_in)? {
            return Ok(false);
        }
        let pushed = self.push().await;
        if !self.note("push", pushed)? {
            return Ok(false);
        }
        let pulled = self.pull().await;
        let mut all = self.note("pull", pulled)?;
        let tags = self.tags().await;
        all &= self.note("tags", tags)?;
        let listed = self.list_by_rest().await;
        all &= self.note("list by REST", listed)?;
        let scopes = self.scopes_by_rest();
        all &= self.note("scopes by REST", scopes)?;
        let versions = self.versions_by_rest().await;
        all &= self.note("versions by REST", versions)?;
        let deleted = self.delete().await;
        all &= self.note("delete", deleted)?;
        Ok(all)
    }

    /// Prints and remembers how a step ended.
    fn note(&mut self, step: &'static str, ended: Attempt<Good>) -> Result<bool> {
        let (outcome, detail, fix) = match ended {
            Ok(Good::Done(detail)) => (Outcome::Ok, detail, None),
            Ok(Good::Skipped(detail)) => (Outcome::Skipped, detail, None),
            Err(Reason { why, fix }) => (Outcome::Failed, why, Some(fix)),
        };
        let report = StepReport {
            step,
            outcome,
            detail,
            fix,
        };
        self.print(&report)?;
        self.reports.push(report);
        Ok(outcome != Outcome::Failed)
    }

    fn print(&self, report: &StepReport) -> Result<()> {
        if self.output.is_json() {
            return Ok(());
        }
        if !self.output.is_terminal() {
            return self.output.list(std::slice::from_ref(report));
        }
        let tick = report.outcome.tick();
        self.output
            .line(format_args!("{tick} {:<13}{}", report.step, report.detail))?;
        match &report.fix {
            Some(fix) => self.output.line(format_args!("  {:<13}→ {fix}", "")),
            None => Ok(()),
        }
    }

    async fn reach(&mut self) -> Attempt<Good> {
        let got = self.client.ping().await?;
        if matches!(got.status, StatusCode::OK | StatusCode::UNAUTHORIZED) {
            return Ok(Good::Done(format!("{} is a registry", self.client.base())));
        }
        let why = format!("{}: this is no registry", got.answer());
        Err(Reason::new(
            why,
            "check the URL; `/v2/` must lead to the registry, also through proxies",
        ))
    }

    fn challenged(&self) -> Attempt<Good> {
        Ok(match self.client.challenge() {
            Some(Challenge::Bearer { realm, .. }) => Good::Done(format!("tokens from {realm}")),
            Some(Challenge::Basic) => Good::Done("user name and password".to_owned()),
            None => Good::Skipped("it asks for no credentials".to_owned()),
        })
    }

    async fn log_in(&mut self) -> Attempt<Good> {
        if self.client.challenge().is_none() {
            return Ok(Good::Skipped("everybody may come in".to_owned()));
        }
        let got = self.client.sign_in().await?;
        if got.status != StatusCode::OK {
            return Err(Reason::no_login(&got.answer(), self.client.user()));
        }
        Ok(Good::Done(format!("as {}", self.client.user())))
    }

    fn scope(&self, actions: &str) -> String {
        format!("repository:{}:{actions}", self.name)
    }

    fn manifest_path(&self, reference: &str) -> String {
        format!("/v2/{}/manifests/{reference}", self.name)
    }

    async fn push(&mut self) -> Attempt<Good> {
        let scope = self.scope("pull,push");
        self.is_new = self.first_tags(&scope).await?.status == StatusCode::NOT_FOUND;
        let name = self.name.clone();
        for blob in self.image.blobs.clone() {
            let (digest, bytes) = (&blob.digest, blob.bytes);
            self.client.push_blob(&name, digest, bytes, &scope).await?;
        }
        let url = self.client.url(&self.manifest_path(&self.image.tag))?;
        let bytes = self.image.manifest.bytes.clone();
        let manifest =
            |request: RequestBuilder| request.header(CONTENT_TYPE, MANIFEST_TYPE).body(bytes);
        let put = self
            .client
            .signed(Method::PUT, url, &scope, manifest)
            .await?;
        put.expect(&[StatusCode::CREATED], self.client.user())?;
        Ok(Good::Done(format!("{}:{}", self.name, self.image.tag)))
    }

    async fn pull(&mut self) -> Attempt<Good> {
        let scope = self.scope("pull");
        let tag = self.manifest_path(&self.image.tag);
        let manifest = self.image.manifest.clone();
        let mut wanted = vec![(tag, manifest)];
        for blob in self.image.blobs.clone() {
            let path = format!("/v2/{}/blobs/{}", self.name, blob.digest);
            wanted.push((path, blob));
        }
        for (path, expected) in wanted {
            let url = self.client.url(&path)?;
            let got = self.client.get(url, &scope).await?;
            let got = got.expect(&[StatusCode::OK], self.client.user())?;
            if got.body != expected.bytes {
                let why = format!("GET {path} gave other bytes than were pushed");
                return Err(Reason::new(
                    why,
                    "check for a proxy that changes or compresses bodies",
                ));
            }
        }
        Ok(Good::Done("every byte is what was pushed".to_owned()))
    }

    /// The first page of tags, whatever the answer is.
    async fn first_tags(&mut self, scope: &str) -> Attempt<Got> {
        let url = self.client.url(&format!("/v2/{}/tags/list", self.name))?;
        self.client.get(url, scope).await
    }

    async fn tags(&mut self) -> Attempt<Good> {
        #[derive(Deserialize)]
        struct Body {
            tags: Option<Vec<String>>,
        }
        const PAGES: usize = 100;
        let scope = self.scope("pull");
        let mut next = Some(self.client.url(&format!("/v2/{}/tags/list", self.name))?);
        for _ in 0..PAGES {
            let Some(url) = next else { break };
            let got = self.client.get(url.clone(), &scope).await?;
            let got = got.expect(&[StatusCode::OK], self.client.user())?;
            let body = serde_json::from_slice::<Body>(&got.body).ok();
            let tags = body.and_then(|body| body.tags).unwrap_or_default();
            if tags.contains(&self.image.tag) {
                return Ok(Good::Done(format!("{} is listed", self.image.tag)));
            }
            next = got.next(&url);
        }
        let why = format!("the list of tags lacks {}", self.image.tag);
        Err(Reason::new(
            why,
            "a cache in front of the registry may serve an old list",
        ))
    }

    async fn delete(&mut self) -> Attempt<Good> {
        let scope = self.scope("pull,push,delete");
        let path = self.manifest_path(self.image.manifest.digest.as_str());
        let url = self.client.url(&path)?;
        let plain = |request: RequestBuilder| request;
        let got = self
            .client
            .signed(Method::DELETE, url.clone(), &scope, plain)
            .await?;
        let left = format!("{}:{} is left there", self.name, self.image.tag);
        match got.status {
            StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => {}
            StatusCode::METHOD_NOT_ALLOWED => return self.delete_by_rest(&left).await,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let fix = format!(
                    "use a token with the scope delete:packages of somebody who has the admin \
                     role; {left}"
                );
                return Err(Reason::new(got.answer().to_string(), fix));
            }
            _ => return Err(Reason::refused(&got.answer(), self.client.user())),
        }
        let gone = self.client.get(url, &scope).await?;
        gone.expect(&[StatusCode::NOT_FOUND], self.client.user())?;
        // The specification deletes manifests, blobs and tags, and no repository.
        let stays = self.is_new && self.first_tags(&scope).await?.status == StatusCode::OK;
        Ok(Good::Done(if stays {
            format!(
                "gone again; `/v2/` deletes no packages, so {0} stays, empty: on Naru `naru \
                 package delete {0}` removes it",
                self.name
            )
        } else {
            "gone again".to_owned()
        }))
    }
}

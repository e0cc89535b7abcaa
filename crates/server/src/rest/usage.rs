//! What accounts hold and how much they may hold (`EXTENSIONS`, `S/usage`, `E/quotas/{login}`).

use naru_model::{AccountName, Quota, Scope};
use naru_registry::usage::AccountUsage;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Call, Owner};
use super::finish::Outcome;
use super::input::{Json, Query};
use super::operation::Operations;
use super::paging::{Paging, Rest};
use super::views::time;

/// The operations of usage and quotas.
pub(super) fn routes(operations: &mut Operations) {
    for (path, id, scopes) in [
        (
            "/orgs/{org}/settings/packages/usage",
            "packages/get-usage-for-organization",
            &[Scope::AdminOrg],
        ),
        (
            "/user/settings/packages/usage",
            "packages/get-usage-for-authenticated-user",
            &[Scope::User],
        ),
    ] {
        operations
            .get(path, get_usage)
            .own(id)
            .summary("Get what the packages of an account hold")
            .needs(scopes, "read the usage of an account")
            .answers::<UsageView>(200, "What is held, and how much may be")
            .refuses(&[401, 403, 404]);
    }
    operations
        .get("/enterprise/settings/packages/quotas", list)
        .own("packages/list-quotas")
        .summary("List quotas")
        .needs(&[Scope::SiteAdmin], "read quotas")
        .query::<Paging>()
        .lists::<QuotaView>("Accounts with a quota")
        .refuses(&[400, 401, 403]);
    operations
        .get("/enterprise/settings/packages/quotas/{login}", get_quota)
        .own("packages/get-quota")
        .summary("Get the quota of an account")
        .needs(&[Scope::SiteAdmin], "read quotas")
        .answers::<UsageView>(200, "What is held, and how much may be")
        .refuses(&[401, 403, 404]);
    operations
        .put("/enterprise/settings/packages/quotas/{login}", put_quota)
        .own("packages/set-quota")
        .summary("Set the quota of an account")
        .description(
            "A push that would pass it is refused with `DENIED` when its upload begins, and again \
             at its manifest. A limit that is left out, or null, is none.",
        )
        .needs(&[Scope::SiteAdmin], "set quotas")
        .body::<PutQuota>()
        .answers::<UsageView>(200, "What is held, and how much may be")
        .refuses(&[400, 401, 403, 404, 422]);
}

/// What the packages of an account hold, in bytes; what other accounts hold of it plays no part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageUsage)]
struct UsageView {
    /// The account.
    login: String,
    /// Needed by what is served, each blob once, with the manifests, and the attestations.
    live_bytes: u64,
    /// Uploaded, and in no manifest (yet).
    pending_bytes: u64,
    /// Needed by nothing but what can be restored, deleted repositories too: freed when that is
    /// purged.
    bin_bytes: u64,
    /// How many blobs there are.
    blobs: u64,
    /// How many versions are served.
    versions: u64,
    /// When it was measured.
    measured_at: String,
    /// How much may be held; null is no limit.
    quota: LimitsView,
}

/// How much may be held, in bytes; null is no limit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageQuotaLimits)]
struct LimitsView {
    /// Of `live_bytes` and `pending_bytes` together.
    live_limit: Option<u64>,
    /// Of `bin_bytes`.
    bin_limit: Option<u64>,
}

impl From<Quota> for LimitsView {
    fn from(quota: Quota) -> Self {
        Self {
            live_limit: quota.live,
            bin_limit: quota.bin,
        }
    }
}

impl UsageView {
    fn new(login: &AccountName, usage: &AccountUsage, quota: Quota) -> Self {
        Self {
            login: login.to_string(),
            live_bytes: usage.live,
            pending_bytes: usage.pending,
            bin_bytes: usage.bin,
            blobs: usage.blobs,
            versions: usage.versions,
            measured_at: time(usage.measured_at),
            quota: quota.into(),
        }
    }
}

/// The quota of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageQuota)]
struct QuotaView {
    /// The account.
    login: String,
    /// Its number: the cursor of this list.
    id: i64,
    #[serde(flatten)]
    limits: LimitsView,
}

/// How much an account may hold.
#[derive(Debug, Deserialize, ToSchema)]
struct PutQuota {
    /// Of what is served and uploaded, in bytes.
    #[serde(default)]
    live_limit: Option<u64>,
    /// Of what can be restored, in bytes.
    #[serde(default)]
    bin_limit: Option<u64>,
}

async fn get_usage(call: Call) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let (usage, quota) = call
        .registry()
        .account_usage(call.caller(), owner.login())
        .await?;
    call.ok(&UsageView::new(owner.login(), &usage, quota))
}

async fn list(call: Call, Query(paging): Query<Paging>) -> Outcome {
    let page = paging.wanted()?;
    let cursor = page.cursor();
    let found = call.registry().list_quotas(call.caller(), cursor).await?;
    let rest = Rest {
        next: found.next.and_then(|next| next.after).into(),
        total: None,
    };
    let views = found.items.iter().map(|(account, quota)| QuotaView {
        login: account.login().to_string(),
        id: account.id().get(),
        limits: (*quota).into(),
    });
    let views: Vec<_> = views.collect();
    Ok(call.ok(&views)?.linked(page.link(&call, rest)))
}

async fn get_quota(call: Call) -> Outcome {
    let login: AccountName = call.part("login")?;
    let (quota, usage) = call.registry().quota_of(call.caller(), &login).await?;
    call.ok(&UsageView::new(&login, &usage, quota))
}

async fn put_quota(call: Call, Json(body): Json<PutQuota>) -> Outcome {
    let login: AccountName = call.part("login")?;
    let quota = Quota {
        live: body.live_limit,
        bin: body.bin_limit,
    };
    let (quota, usage) = call
        .registry()
        .set_quota(call.caller(), &login, quota)
        .await?;
    call.ok(&UsageView::new(&login, &usage, quota))
}

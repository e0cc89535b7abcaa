//! Billing usage: what an account stores, for nothing (contract J1, J2). Naru keeps no history of
//! it, so a report has today's figures or none.

use naru_model::Account;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::call::{Call, Owner};
use super::error::Failure;
use super::finish::Outcome;
use super::input::Query;
use super::operation::Operations;
use super::views::time;

const PRODUCT: &str = "packages";
const SKU: &str = "packages_storage";
const UNIT: &str = "bytes";

/// The operations of billing.
pub(super) fn routes(operations: &mut Operations) {
    for (path, id, of) in [
        (
            "/organizations/{org}/settings/billing/usage",
            "billing/get-github-billing-usage-report-org",
            "Get billing usage report for an organization",
        ),
        (
            "/users/{username}/settings/billing/usage",
            "billing/get-github-billing-usage-report-user",
            "Get billing usage report for a user",
        ),
    ] {
        operations
            .get(path, report)
            .id(id)
            .summary(of)
            .description(
                "The bytes that are stored now, for nothing. There is no history: a report about \
                 another day is empty.",
            )
            .query::<Period>()
            .answers::<UsageReport>(200, "What is stored")
            .refuses(&[400, 401, 403, 404]);
    }
    for (path, id, of) in [
        (
            "/organizations/{org}/settings/billing/usage/summary",
            "billing/get-github-billing-usage-summary-report-org",
            "Get billing usage summary for an organization",
        ),
        (
            "/users/{username}/settings/billing/usage/summary",
            "billing/get-github-billing-usage-summary-report-user",
            "Get billing usage summary for a user",
        ),
    ] {
        operations
            .get(path, summary)
            .id(id)
            .summary(of)
            .query::<Period>()
            .query::<Filter>()
            .answers::<UsageSummary>(200, "What is stored")
            .refuses(&[400, 401, 403, 404]);
    }
}

/// Which time is asked about: today's, if it is not said.
#[derive(Debug, Deserialize, IntoParams)]
struct Period {
    /// A year of four digits.
    #[param(value_type = Option<u32>)]
    year: Option<String>,
    /// 1 to 12.
    #[param(value_type = Option<u32>)]
    month: Option<String>,
    /// 1 to 31.
    #[param(value_type = Option<u32>)]
    day: Option<String>,
}

/// What a summary is about.
#[derive(Debug, Deserialize, IntoParams)]
struct Filter {
    /// Storage belongs to the account as a whole: with a repository there is nothing.
    repository: Option<String>,
    /// `packages`.
    product: Option<String>,
    /// `packages_storage`.
    sku: Option<String>,
}

/// What was used, line by line.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UsageReport {
    usage_items: Vec<UsageItem>,
}

/// A line of a report.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UsageItem {
    date: String,
    product: &'static str,
    sku: &'static str,
    /// How many bytes.
    quantity: u64,
    unit_type: &'static str,
    price_per_unit: f64,
    gross_amount: f64,
    discount_amount: f64,
    net_amount: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_name: Option<String>,
}

/// What was used, added up.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UsageSummary {
    time_period: TimePeriod,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    usage_items: Vec<SummaryItem>,
}

/// The time that a summary is about.
#[derive(Serialize, ToSchema)]
struct TimePeriod {
    year: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    month: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<u32>,
}

/// A line of a summary.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SummaryItem {
    product: &'static str,
    sku: &'static str,
    unit_type: &'static str,
    price_per_unit: f64,
    /// How many bytes.
    gross_quantity: u64,
    gross_amount: f64,
    discount_quantity: u64,
    discount_amount: f64,
    net_quantity: u64,
    net_amount: f64,
}

async fn report(call: Call, Query(period): Query<Period>) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let today = Today::of(&call);
    let has_today = period.wanted(&today, None)?.has_today(&today);
    let bytes = stored(&call, &owner).await?;
    let item = UsageItem {
        date: today.date,
        product: PRODUCT,
        sku: SKU,
        quantity: bytes,
        unit_type: UNIT,
        price_per_unit: 0.0,
        gross_amount: 0.0,
        discount_amount: 0.0,
        net_amount: 0.0,
        organization_name: organization(&owner),
    };
    let usage_items = has_today.then_some(item).into_iter().collect();
    call.ok(&UsageReport { usage_items })
}

async fn summary(
    call: Call,
    Query(period): Query<Period>,
    Query(filter): Query<Filter>,
) -> Outcome {
    let Owner(owner) = call.owner().await?;
    let today = Today::of(&call);
    let wanted = period.wanted(&today, Some(today.month))?;
    let is_about_storage = wanted.has_today(&today) && filter.lets_storage_through();
    let bytes = stored(&call, &owner).await?;
    let item = SummaryItem {
        product: PRODUCT,
        sku: SKU,
        unit_type: UNIT,
        price_per_unit: 0.0,
        gross_quantity: bytes,
        gross_amount: 0.0,
        discount_quantity: 0,
        discount_amount: 0.0,
        net_quantity: bytes,
        net_amount: 0.0,
    };
    let organization = organization(&owner);
    call.ok(&UsageSummary {
        time_period: wanted,
        user: organization.is_none().then(|| owner.login().to_string()),
        organization,
        repository: filter.repository,
        product: filter.product,
        sku: filter.sku,
        usage_items: is_about_storage.then_some(item).into_iter().collect(),
    })
}

/// Everything that the account holds: what is served, what is in no manifest yet, the bin.
async fn stored(call: &Call, owner: &Account) -> Result<u64, Failure> {
    let (usage, _) = call
        .registry()
        .account_usage(call.caller(), owner.login())
        .await?;
    Ok(usage
        .live
        .saturating_add(usage.pending)
        .saturating_add(usage.bin))
}

fn organization(owner: &Account) -> Option<String> {
    match owner {
        Account::Organization(organization) => Some(organization.login.to_string()),
        Account::User(_) => None,
    }
}

/// Today, in UTC.
struct Today {
    date: String,
    year: u32,
    month: u32,
    day: u32,
}

impl Today {
    fn of(call: &Call) -> Self {
        let now = time(call.registry().now());
        let date = now.split('T').next().unwrap_or_default().to_owned();
        let mut parts = date.split('-').map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        Self {
            year: next(),
            month: next(),
            day: next(),
            date,
        }
    }
}

impl Period {
    /// The time that is meant, where a month that is not said is `month`.
    fn wanted(&self, today: &Today, month: Option<u32>) -> Result<TimePeriod, Failure> {
        let said = self.year.is_some();
        let day = number("day", self.day.as_deref(), 1, 31)?;
        let given = number("month", self.month.as_deref(), 1, 12)?;
        let default = if said { None } else { month };
        Ok(TimePeriod {
            year: number("year", self.year.as_deref(), 1970, 9999)?.unwrap_or(today.year),
            month: given.or(default).or(day.map(|_| today.month)),
            day,
        })
    }
}

impl TimePeriod {
    fn has_today(&self, today: &Today) -> bool {
        self.year == today.year
            && self.month.is_none_or(|month| month == today.month)
            && self.day.is_none_or(|day| day == today.day)
    }
}

impl Filter {
    fn lets_storage_through(&self) -> bool {
        let is = |asked: &Option<String>, word: &str| {
            let asked = asked.as_deref().filter(|asked| !asked.is_empty());
            asked.is_none_or(|asked| asked.eq_ignore_ascii_case(word))
        };
        self.repository.as_deref().is_none_or(str::is_empty)
            && is(&self.product, PRODUCT)
            && is(&self.sku, SKU)
    }
}

fn number(name: &str, text: Option<&str>, least: u32, most: u32) -> Result<Option<u32>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = text.parse::<u32>().ok();
    let fitting = number.filter(|number| (least..=most).contains(number));
    fitting
        .map(Some)
        .ok_or_else(|| Failure::bad_request(format!("{name} is a number from {least} to {most}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> Today {
        Today {
            date: "2027-03-09".to_owned(),
            year: 2027,
            month: 3,
            day: 9,
        }
    }

    fn has_today(year: Option<&str>, month: Option<&str>, day: Option<&str>) -> Option<bool> {
        let period = Period {
            year: year.map(str::to_owned),
            month: month.map(str::to_owned),
            day: day.map(str::to_owned),
        };
        let wanted = period.wanted(&today(), None).ok()?;
        Some(wanted.has_today(&today()))
    }

    #[test]
    fn only_a_time_that_has_today_has_figures() {
        assert_eq!(has_today(None, None, None), Some(true));
        assert_eq!(has_today(Some("2027"), None, None), Some(true));
        assert_eq!(has_today(Some("2026"), None, None), Some(false));
        assert_eq!(has_today(None, Some("3"), None), Some(true));
        assert_eq!(has_today(None, Some("4"), None), Some(false));
        assert_eq!(has_today(None, None, Some("8")), Some(false));
        assert_eq!(has_today(None, Some("13"), None), None);
        assert_eq!(has_today(Some("x"), None, None), None);
    }
}

//! Pages of lists: `page` and `per_page` as the vendor has them, `after` beyond ten thousand
//! things, and the `Link` header that leads on (contract D2, D5).

use std::fmt::Display;
use std::str::FromStr;

use naru_registry::{Cursor, Page};
use serde::Deserialize;
use utoipa::IntoParams;

use super::call::{Call, decoded};
use super::error::Failure;

/// How many things can be reached with `page` (contract D2).
const FURTHEST: u64 = 10_000;

/// Which page of a list is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
pub(crate) struct Paging {
    /// The number of results per page (max 100). Default 30.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    per_page: Option<String>,
    /// The page number of the results to fetch, from 1.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1)]
    page: Option<String>,
    /// Where a page begins, as the `Link` header of the one before says: for lists of more than
    /// ten thousand things, which `page` cannot reach.
    #[serde(default)]
    #[param(value_type = Option<i64>)]
    after: Option<String>,
}

/// Which page of a list is asked for that is not ordered by numbers.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
pub(crate) struct PagingByPlace {
    /// The number of results per page (max 100). Default 30.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    per_page: Option<String>,
    /// The page number of the results to fetch, from 1.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1)]
    page: Option<String>,
    /// Where a page begins, as the `Link` header of the one before says: for lists of more than
    /// ten thousand things, which `page` cannot reach.
    #[serde(default)]
    after: Option<String>,
}

/// A page as a use case is asked for it. `A` says where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted<A = i64> {
    /// How many things at most, 1 to 100.
    pub(crate) limit: usize,
    /// How many to leave out first.
    pub(crate) skip: usize,
    /// The last thing of the page before, where that was said.
    pub(crate) after: Option<A>,
    page: u64,
}

impl Paging {
    /// Understands it. Sizes out of bounds are brought within them.
    ///
    /// # Errors
    /// 400 for what is no number, and for a page beyond ten thousand things.
    pub(crate) fn wanted(&self) -> Result<Wanted, Failure> {
        let after = number("after", self.after.as_deref())?;
        let after = after.map(|after| i64::try_from(after).unwrap_or(i64::MAX));
        Wanted::new(self.per_page.as_deref(), self.page.as_deref(), after)
    }
}

impl PagingByPlace {
    /// Understands it. Sizes out of bounds are brought within them.
    ///
    /// # Errors
    /// 400 for what is no number or no place, and for a page beyond ten thousand things.
    pub(crate) fn wanted<A: FromStr>(&self) -> Result<Wanted<A>, Failure> {
        let after = self.after.as_deref().filter(|text| !text.is_empty());
        let unread = |_| Failure::bad_request("after must be as the Link header says.");
        let after = after.map(|text| text.parse().map_err(unread)).transpose()?;
        Wanted::new(self.per_page.as_deref(), self.page.as_deref(), after)
    }
}

impl<A> Wanted<A> {
    fn new(per_page: Option<&str>, page: Option<&str>, after: Option<A>) -> Result<Self, Failure> {
        let per_page = number("per_page", per_page)?.unwrap_or(30);
        let page = number("page", page)?.unwrap_or(1).max(1);
        let per_page = per_page.clamp(1, 100);
        let beyond = page.saturating_mul(per_page) > FURTHEST;
        if after.is_none() && beyond {
            return Err(Failure::bad_request(
                "Pagination with page is limited to the first 10000 results; follow the Link \
                 header, which goes on with after.",
            ));
        }
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let skip = if after.is_some() {
            0
        } else {
            (page - 1) * per_page
        };
        Ok(Self {
            limit: size(per_page),
            skip: size(skip),
            after,
            page,
        })
    }
}

fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.starts_with('-') && text.get(1..).is_some_and(is_digits) {
        return Ok(Some(0));
    }
    if !is_digits(text) {
        let text = format!("{name} must be a whole number, not `{text}`.");
        return Err(Failure::bad_request(text));
    }
    Ok(Some(text.parse().unwrap_or(u64::MAX)))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Wanted {
    /// As a use case is asked for it, in a list that is counted and not numbered.
    pub(crate) const fn counted(&self) -> Cursor {
        Cursor {
            after: None,
            skip: self.skip,
            limit: self.limit,
        }
    }

    /// Where the page begins, after what was shown before it.
    pub(crate) const fn cursor(&self) -> Cursor {
        Cursor {
            after: self.after,
            skip: self.skip,
            limit: self.limit,
        }
    }

    /// The `Link` header of a page of such a list; the last page that can be reached leads nowhere.
    pub(crate) fn counted_link<T>(&self, call: &Call, found: &Page<T>) -> Option<String> {
        let per_page = u64::try_from(self.limit).unwrap_or(u64::MAX);
        let is_reachable = (self.page + 1).saturating_mul(per_page) <= FURTHEST;
        let numbered = Self {
            after: None,
            ..*self
        };
        let rest = Rest {
            next: (found.next.is_some() && is_reachable).then_some(0),
            total: None,
        };
        numbered.link(call, rest)
    }
}

/// What is known of the rest of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest<A = i64> {
    /// The last thing on this page, if another page follows.
    pub(crate) next: Option<A>,
    /// How many things the whole list has, where that was cheap to learn.
    pub(crate) total: Option<u64>,
}

impl<A: Display> Wanted<A> {
    /// The `Link` header of this page; `None` when one page suffices.
    pub(crate) fn link(&self, call: &Call, rest: Rest<A>) -> Option<String> {
        let others = others(call.raw_query(), ["page", "after"]);
        let target = |page: Option<u64>, after: Option<A>| {
            let mut query = others.clone();
            query.extend(page.map(|page| format!("page={page}")));
            query.extend(after.map(|after| format!("after={after}")));
            call.address(&query.join("&"))
        };
        let links: Vec<String> = self
            .steps(rest)
            .into_iter()
            .map(|Step { rel, page, after }| format!("<{}>; rel=\"{rel}\"", target(page, after)))
            .collect();
        (!links.is_empty()).then(|| links.join(", "))
    }

    fn steps(&self, rest: Rest<A>) -> Vec<Step<A>> {
        let per_page = u64::try_from(self.limit).unwrap_or(u64::MAX);
        let last = rest.total.map(|total| total.div_ceil(per_page).max(1));
        let reachable = |page: u64| page.saturating_mul(per_page) <= FURTHEST;
        let mut steps = Vec::new();
        let by_number = self.after.is_none();
        if by_number && self.page > 1 {
            let before = last.map_or(self.page - 1, |last| last.min(self.page - 1));
            steps.push(Step::page("prev", before));
        }
        let more = rest.next.is_some();
        match rest.next {
            Some(_) if by_number && reachable(self.page + 1) => {
                steps.push(Step::page("next", self.page + 1));
            }
            Some(after) => steps.push(Step {
                rel: "next",
                page: None,
                after: Some(after),
            }),
            None => {}
        }
        if let Some(last) = last.filter(|last| more && reachable(*last) && by_number) {
            steps.push(Step::page("last", last));
        }
        if by_number && self.page > 1 {
            steps.push(Step::page("first", 1));
        }
        steps
    }
}

struct Step<A> {
    rel: &'static str,
    page: Option<u64>,
    after: Option<A>,
}

impl<A> Step<A> {
    const fn page(rel: &'static str, page: u64) -> Self {
        Self {
            rel,
            page: Some(page),
            after: None,
        }
    }
}

/// The parameters of a query that do not say which page, as they came; those that do are `turning`.
pub(super) fn others(query: &str, turning: [&str; 2]) -> Vec<String> {
    let pairs = query.split('&').filter(|pair| {
        let name = decoded(pair.split('=').next().unwrap_or_default());
        !pair.is_empty() && !turning.contains(&name.as_str())
    });
    pairs.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(page: &str, per_page: &str) -> Paging {
        Paging {
            page: Some(page.to_owned()),
            per_page: Some(per_page.to_owned()),
            after: None,
        }
    }

    fn rels(wanted: Wanted, rest: Rest) -> Vec<(&'static str, Option<u64>, Option<i64>)> {
        let steps = wanted.steps(rest);
        steps.iter().map(|s| (s.rel, s.page, s.after)).collect()
    }

    #[test]
    fn sizes_out_of_bounds_are_brought_within_them() {
        let wanted = paging("0", "1000").wanted().unwrap();
        assert_eq!((wanted.limit, wanted.skip), (100, 0));
        let wanted = paging("3", "-5").wanted().unwrap();
        assert_eq!((wanted.limit, wanted.skip), (1, 2));
        assert!(paging("x", "30").wanted().is_err());
    }

    #[test]
    fn ten_thousand_things_can_be_reached_by_page_and_no_more() {
        assert!(paging("100", "100").wanted().is_ok());
        assert!(paging("101", "100").wanted().is_err());
        assert!(paging("18446744073709551616", "100").wanted().is_err());
    }

    #[test]
    fn the_links_lead_on_and_back() {
        let first = paging("1", "10").wanted().unwrap();
        let more = Rest {
            next: Some(7),
            total: Some(42),
        };
        assert_eq!(
            rels(first, more),
            [("next", Some(2), None), ("last", Some(5), None)]
        );
        let last = paging("5", "10").wanted().unwrap();
        let end = Rest {
            next: None,
            total: Some(42),
        };
        assert_eq!(
            rels(last, end),
            [("prev", Some(4), None), ("first", Some(1), None)]
        );
        assert_eq!(rels(first, Rest::default()), []);
    }

    #[test]
    fn the_last_page_that_can_be_reached_leads_on_by_number() {
        let wanted = paging("100", "100").wanted().unwrap();
        let more = Rest {
            next: Some(7),
            total: None,
        };
        assert!(rels(wanted, more).contains(&("next", None, Some(7))));
    }

    #[test]
    fn other_parameters_are_kept_as_they_came() {
        assert_eq!(
            others(
                "package_type=container&page=2&per_page=5&q=a%20b&after=9&before=1",
                ["page", "after"]
            ),
            [
                "package_type=container",
                "per_page=5",
                "q=a%20b",
                "before=1"
            ]
        );
    }
}

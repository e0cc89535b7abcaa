//! Pages of lists: `page` and `per_page` as the vendor has them, `after` beyond ten thousand
//! things, and the `Link` header that leads on (contract D2, D5).
//!
//! Where a list can begin after a thing, the `Link` header says so beside the number of the next
//! page: `page=3&after=PLACE~3`. Whoever follows it passes over nothing and misses nothing that moves
//! up meanwhile; whoever makes addresses of their own and changes the number is given that page.

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
    /// Where a page begins, as the `Link` header of the one before says: also in lists of more than
    /// ten thousand things, which `page` cannot reach.
    #[serde(default)]
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
    /// Where a page begins, as the `Link` header of the one before says: also in lists of more than
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
    /// The number of the page, unless only `after` was said.
    page: Option<u64>,
}

impl Paging {
    /// Understands it. Sizes out of bounds are brought within them.
    ///
    /// # Errors
    /// 400 for what is no number, and for a page beyond ten thousand things.
    pub(crate) fn wanted(&self) -> Result<Wanted, Failure> {
        let place = |text: &str| {
            let after = number("after", Some(text))?;
            Ok(after.map(|after| i64::try_from(after).unwrap_or(i64::MAX)))
        };
        let given = [&self.per_page, &self.page, &self.after];
        Wanted::new(given.map(Option::as_deref), place)
    }
}

impl PagingByPlace {
    /// Understands it. Sizes out of bounds are brought within them.
    ///
    /// # Errors
    /// 400 for what is no number or no place, and for a page beyond ten thousand things.
    pub(crate) fn wanted<A: FromStr>(&self) -> Result<Wanted<A>, Failure> {
        let unread = |_| Failure::bad_request("after must be as the Link header says.");
        let given = [&self.per_page, &self.page, &self.after];
        Wanted::new(given.map(Option::as_deref), |text| {
            text.parse().map(Some).map_err(unread)
        })
    }
}

impl<A> Wanted<A> {
    /// From `per_page`, `page` and `after`, whose places `place` understands.
    fn new(
        given: [Option<&str>; 3],
        place: impl FnOnce(&str) -> Result<Option<A>, Failure>,
    ) -> Result<Self, Failure> {
        let [per_page, page, after] = given;
        let limit = number("per_page", per_page)?.unwrap_or(30).clamp(1, 100);
        let page = number("page", page)?.map(|page| page.max(1));
        let (after, of_page) = match after.filter(|text| !text.is_empty()) {
            Some(text) => match text.split_once('~') {
                Some((text, of_page)) => (place(text)?, number("after", Some(of_page))?),
                None => (place(text)?, None),
            },
            None => (None, None),
        };
        // The place of another page than the one that is asked for says nothing.
        let after = after.filter(|_| page.is_none() || of_page.is_none() || page == of_page);
        let Some(after) = after else {
            return Self::by_number(limit, page.unwrap_or(1));
        };
        // A number that no Link header gave is none.
        let is_reachable = |page: &u64| (1..=FURTHEST / limit).contains(page);
        Ok(Self {
            limit: size(limit),
            skip: 0,
            after: Some(after),
            page: of_page.filter(is_reachable),
        })
    }

    fn by_number(limit: u64, page: u64) -> Result<Self, Failure> {
        if page.saturating_mul(limit) > FURTHEST {
            return Err(Failure::bad_request(
                "Pagination with page is limited to the first 10000 results; follow the Link \
                 header, which goes on with after.",
            ));
        }
        Ok(Self {
            limit: size(limit),
            skip: size((page - 1) * limit),
            after: None,
            page: Some(page),
        })
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
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
        let numbered = Self {
            after: None,
            page: self.page.or(Some(1)),
            ..*self
        };
        let more = found.next.is_some() && numbered.next_number().is_some();
        let rest = Rest {
            next: if more { Next::Numbered } else { Next::None },
            total: None,
        };
        numbered.link(call, rest)
    }
}

/// What is known of the rest of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest<A = i64> {
    /// What follows this page.
    pub(crate) next: Next<A>,
    /// How many things the whole list has, where that was cheap to learn.
    pub(crate) total: Option<u64>,
}

/// What follows a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Next<A = i64> {
    /// Nothing.
    #[default]
    None,
    /// Another page, which is known by its number.
    Numbered,
    /// What comes after this thing, the last one on the page.
    After(A),
}

impl<A> From<Option<A>> for Next<A> {
    fn from(last: Option<A>) -> Self {
        last.map_or(Self::None, Self::After)
    }
}

impl<A> Wanted<A> {
    /// The number of the page behind this one, if there is one that can be reached by it.
    fn next_number(&self) -> Option<u64> {
        let next = self.page?.checked_add(1)?;
        self.is_reachable(next).then_some(next)
    }

    /// How many things there are on the pages before this one, if its number is known.
    pub(crate) fn before(&self) -> Option<usize> {
        let pages = size(self.page?.saturating_sub(1));
        Some(pages.saturating_mul(self.limit))
    }

    fn is_reachable(&self, page: u64) -> bool {
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        page.saturating_mul(limit) <= FURTHEST
    }
}

impl<A: Display> Wanted<A> {
    /// The `Link` header of this page; `None` when one page suffices.
    pub(crate) fn link(&self, call: &Call, rest: Rest<A>) -> Option<String> {
        let others = others(call.raw_query(), ["page", "after"]);
        let target = |page: Option<u64>, after: Option<A>| {
            let mut query = others.clone();
            query.extend(page.map(|page| format!("page={page}")));
            query.extend(after.map(|after| match page {
                Some(page) => format!("after={after}~{page}"),
                None => format!("after={after}"),
            }));
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
        let before = self.page.and_then(|page| page.checked_sub(1));
        let before = before.filter(|before| *before > 0);
        let mut steps = Vec::new();
        if let Some(before) = before {
            let before = last.map_or(before, |last| last.min(before));
            steps.push(Step::page("prev", before));
        }
        let more = !matches!(rest.next, Next::None);
        let (page, after) = match rest.next {
            Next::None => (None, None),
            Next::Numbered => (self.next_number(), None),
            Next::After(after) => (self.next_number(), Some(after)),
        };
        if page.is_some() || after.is_some() {
            steps.push(Step {
                rel: "next",
                page,
                after,
            });
        }
        let last = last.filter(|last| more && self.page.is_some() && self.is_reachable(*last));
        steps.extend(last.map(|last| Step::page("last", last)));
        if before.is_some() {
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
            next: Next::After(7),
            total: Some(42),
        };
        assert_eq!(
            rels(first, more),
            [("next", Some(2), Some(7)), ("last", Some(5), None)]
        );
        let numbered = Rest {
            next: Next::Numbered,
            total: None,
        };
        assert_eq!(rels(first, numbered), [("next", Some(2), None)]);
        let last = paging("5", "10").wanted().unwrap();
        let end = Rest {
            next: Next::None,
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
            next: Next::After(7),
            total: None,
        };
        assert!(rels(wanted, more).contains(&("next", None, Some(7))));
        let numbered = Rest {
            next: Next::Numbered,
            total: None,
        };
        assert!(!rels(wanted, numbered).iter().any(|step| step.0 == "next"));
    }

    #[test]
    fn a_place_is_where_the_page_begins_that_it_was_given_for() {
        let asked = |page: Option<&str>, after: &str| {
            let paging = Paging {
                page: page.map(str::to_owned),
                per_page: Some("10".to_owned()),
                after: Some(after.to_owned()),
            };
            let wanted = paging.wanted().unwrap();
            (wanted.after, wanted.skip, wanted.page)
        };
        assert_eq!(asked(Some("3"), "7~3"), (Some(7), 0, Some(3)));
        assert_eq!(asked(None, "7~3"), (Some(7), 0, Some(3)));
        assert_eq!(asked(Some("5"), "7~3"), (None, 40, Some(5)));
        assert_eq!(asked(None, "7"), (Some(7), 0, None));
        assert_eq!(asked(Some("3"), "7"), (Some(7), 0, None));
        assert_eq!(asked(Some("2"), ""), (None, 10, Some(2)));
        for number in ["0", "1001", "18446744073709551615"] {
            assert_eq!(asked(None, &format!("7~{number}")), (Some(7), 0, None));
        }
        let odd = Paging {
            after: Some("7~x".to_owned()),
            ..Paging::default()
        };
        assert!(odd.wanted().is_err());
    }

    #[test]
    fn what_is_reached_by_a_place_knows_its_number() {
        let third = Paging {
            after: Some("7~3".to_owned()),
            page: Some("3".to_owned()),
            per_page: Some("10".to_owned()),
        };
        let third = third.wanted().unwrap();
        let more = Rest {
            next: Next::After(9),
            total: Some(42),
        };
        assert_eq!(
            rels(third, more),
            [
                ("prev", Some(2), None),
                ("next", Some(4), Some(9)),
                ("last", Some(5), None),
                ("first", Some(1), None)
            ]
        );
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

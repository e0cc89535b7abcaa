//! Tags, page by page (OCI distribution-spec, end-8a and end-8b).

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{Against, Goal, Operation, Sample, Stand, Unit, Visit, repeated};
use crate::client::{Answer, Request, Want, ask};
use crate::payload::Payload;
use crate::stock::{Stock, tag_name, tags_repository};
use crate::upload::path;

/// The places of the repositories in `Sizes::tags`.
const FEW: usize = 0;
const AS_THE_PEER: usize = 1;
const MANY: usize = 2;

/// What the listings have in common.
const LISTING: Operation = Operation {
    name: "",
    unit: Unit::Milliseconds,
    stand: Stand::Standing,
    against: Against::Peer,
    needs: &[Stock::Tags(AS_THE_PEER)],
    goal: Goal::None,
    memory_goal: None,
    measure: |visit| first_page(visit, AS_THE_PEER),
};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "tags n=100 of 10,000",
        goal: Goal::times(35.0, 0.0),
        ..LISTING
    },
    Operation {
        name: "tags n=1000, all pages of 10,000",
        goal: Goal::times(8.0, 0.0),
        measure: |visit| walk(visit, AS_THE_PEER),
        ..LISTING
    },
    Operation {
        name: "tags n=100: Naru of 100,000 | Naru of 1,000",
        against: Against::Itself(|visit| first_page(visit, FEW)),
        needs: &[Stock::Tags(FEW), Stock::Tags(MANY)],
        // Flat: not slower than by half.
        goal: Goal::times_or_least((0.67, 0.0), (0.67, 0.0)),
        measure: |visit| first_page(visit, MANY),
        ..LISTING
    },
    Operation {
        name: "tags n=1000, all pages of 100,000",
        against: Against::Nothing,
        needs: &[Stock::Tags(MANY)],
        goal: Goal::Within(60.0),
        measure: |visit| walk(visit, MANY),
        ..LISTING
    },
];

#[derive(Deserialize)]
struct Page {
    tags: Vec<String>,
}

/// A page, asked for as often as the time allows.
fn first_page(visit: &Visit<'_>, index: usize) -> Result<Sample> {
    let listing = Listing::of(visit, index)?;
    let first = format!("/v2/{}/tags/list?n=100", tags_repository(listing.count));
    let (page, _) = listing.page(visit, &first, 0, 100)?;
    repeated(visit, 1, vec![page])
}

/// All pages, as often as the time allows.
fn walk(visit: &Visit<'_>, index: usize) -> Result<Sample> {
    let listing = Listing::of(visit, index)?;
    let mut next = Some(format!(
        "/v2/{}/tags/list?n=1000",
        tags_repository(listing.count)
    ));
    let (mut pages, mut listed) = (Vec::new(), 0);
    // distribution v3 has a Link behind the last page too, where that is full.
    while let (Some(target), true) = (next, listed < listing.count) {
        let (page, following) = listing.page(visit, &target, listed, 1000)?;
        pages.push(page);
        listed += 1000;
        next = following;
    }
    ensure!(listed >= listing.count, "the pages end before the tags");
    let number = pages.len() as f64;
    Ok(repeated(visit, 1, pages)?.per(number))
}

/// The tags of a repository.
struct Listing {
    count: u64,
    headers: String,
}

impl Listing {
    fn of(visit: &Visit<'_>, index: usize) -> Result<Self> {
        let count = visit.shelf.tag_count(index)?;
        let scope = format!("repository:{}:pull", tags_repository(count));
        Ok(Self {
            count,
            headers: visit.server.authorization(&[&scope])?,
        })
    }

    /// Asks once for a page and looks into it; the request for it, which then wants the same bytes
    /// again, and where the next page is.
    fn page(
        &self,
        visit: &Visit<'_>,
        target: &str,
        first: u64,
        n: u64,
    ) -> Result<(Request, Option<String>)> {
        let request = Request::new("GET", target, &self.headers, Want::status(200).keep());
        let answer = ask(visit.server.address, request)?;
        let page: Page = serde_json::from_slice(&answer.body).context("a page of tags")?;
        let last = self.count.min(first + n);
        let expected: Vec<String> = (first..last).map(tag_name).collect();
        ensure!(
            page.tags == expected,
            "{target} does not list the tags from {first} to {last}"
        );
        let next = next_page(&answer)?;
        let want = Want::status(200).body(&Payload::from(answer.body));
        Ok((Request::new("GET", target, &self.headers, want), next))
    }
}

/// The target of `Link: <…>; rel="next"` (RFC 8288).
fn next_page(answer: &Answer) -> Result<Option<String>> {
    let Some(link) = answer.header("link") else {
        return Ok(None);
    };
    let target = link.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    let (target, _) = target.context("a Link without a target")?;
    Ok(Some(path(target).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_stands_in_the_link() {
        let mut answer = Answer::default();
        assert_eq!(next_page(&answer).unwrap(), None);
        answer
            .begin(b"HTTP/1.1 200 OK\r\nLink: </v2/a/tags/list?n=2&last=b>; rel=\"next\"\r\n\r\n");
        assert_eq!(
            next_page(&answer).unwrap().as_deref(),
            Some("/v2/a/tags/list?n=2&last=b")
        );
    }
}

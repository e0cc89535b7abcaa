//! Pages of lists that are turned in both directions: `before` and `after` as the `Link` header of
//! another page gave them (official description, "pagination-before", "pagination-after").

use naru_registry::{BothWays, Edge};
use serde::Deserialize;
use utoipa::IntoParams;

use super::call::Call;
use super::error::Failure;
use super::paging::others;

/// Which page of a list is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
pub(crate) struct Turning {
    /// The number of results per page (max 100). Default 30.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    per_page: Option<String>,
    /// The page that ends before this cursor, as the `Link` header gave it.
    #[serde(default)]
    before: Option<String>,
    /// The page that begins behind this cursor, as the `Link` header gave it.
    #[serde(default)]
    after: Option<String>,
}

impl Turning {
    /// Where the page begins, and how many things it has at most.
    ///
    /// # Errors
    /// 400 for a cursor that no `Link` header gave, and for both at once.
    pub(crate) fn wanted(&self) -> Result<(Edge, usize), Failure> {
        let per_page = match self.per_page.as_deref().filter(|text| !text.is_empty()) {
            None => 30,
            Some(text) => text.parse::<i64>().map_err(|_| {
                Failure::bad_request("per_page must be a whole number from 1 to 100.")
            })?,
        };
        let limit = usize::try_from(per_page.clamp(1, 100)).unwrap_or(30);
        let edge = match (&self.before, &self.after) {
            (None, None) => Edge::Start,
            (Some(before), None) => Edge::Before(cursor(before)?),
            (None, Some(after)) => Edge::After(cursor(after)?),
            (Some(_), Some(_)) => {
                return Err(Failure::bad_request(
                    "before and after cannot be asked for together.",
                ));
            }
        };
        Ok((edge, limit))
    }
}

fn cursor(text: &str) -> Result<i64, Failure> {
    let number = text.parse::<i64>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Failure::bad_request("This is no cursor that a Link header gave."))
}

/// The `Link` header of a page; `None` when one page suffices.
pub(crate) fn link<T>(call: &Call, page: &BothWays<T>) -> Option<String> {
    let others = others(call.raw_query(), ["before", "after"]);
    let target = |name: &str, number: i64| {
        let mut query = others.clone();
        query.push(format!("{name}={number}"));
        call.address(&query.join("&"))
    };
    let next = page
        .next
        .map(|number| format!("<{}>; rel=\"next\"", target("after", number)));
    let previous = page
        .previous
        .map(|number| format!("<{}>; rel=\"prev\"", target("before", number)));
    let links: Vec<_> = next.into_iter().chain(previous).collect();
    (!links.is_empty()).then(|| links.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turning(before: Option<&str>, after: Option<&str>) -> Turning {
        Turning {
            per_page: Some("500".to_owned()),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }
    }

    #[test]
    fn a_cursor_is_a_number_in_one_direction() {
        let edge = |before, after| turning(before, after).wanted().map(|wanted| wanted.0);
        assert_eq!(edge(None, None).unwrap(), Edge::Start);
        assert_eq!(edge(Some("7"), None).unwrap(), Edge::Before(7));
        assert_eq!(edge(None, Some("7")).unwrap(), Edge::After(7));
        assert!(edge(Some("7"), Some("9")).is_err());
        for odd in ["", "x", "-1", "0", "1\r\nx: y", "9223372036854775808"] {
            assert!(edge(Some(odd), None).is_err(), "{odd:?}");
        }
        assert_eq!(turning(None, None).wanted().unwrap().1, 100);
    }
}

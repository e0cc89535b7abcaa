//! Cutting lists: a page begins after the last row of the one before, so that nothing is skipped
//! or told twice when rows come and go in between.

/// Where a page begins and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the last row of the page before; `None` for the first page.
    pub after: Option<i64>,
    /// How many rows to leave out first: for pages that are asked for by number.
    pub skip: usize,
    /// How many rows at most.
    pub limit: usize,
}

impl Cursor {
    /// The first page.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self {
            after: None,
            skip: 0,
            limit,
        }
    }

    /// The page after this number.
    #[must_use]
    pub const fn after(number: i64, limit: usize) -> Self {
        Self {
            after: Some(number),
            skip: 0,
            limit,
        }
    }

    /// For a list that begins with the highest number: what all rows of the page are below.
    pub(crate) fn below(self) -> i64 {
        self.after.unwrap_or(i64::MAX)
    }

    /// How many rows are left out first.
    pub(crate) fn skipped(self) -> i64 {
        i64::try_from(self.skip).unwrap_or(i64::MAX)
    }

    /// One row more than the page has, to learn whether there is another page.
    pub(crate) fn rows(self) -> i64 {
        i64::try_from(self.limit)
            .unwrap_or(i64::MAX)
            .saturating_add(1)
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts rows that were asked for with [`Cursor::rows`].
    pub(crate) fn cut(mut items: Vec<T>, cursor: Cursor, number: impl Fn(&T) -> i64) -> Self {
        let more = items.len() > cursor.limit;
        items.truncate(cursor.limit);
        let last = items.last().filter(|_| more);
        let next = last.map(|last| Cursor::after(number(last), cursor.limit));
        Self { items, next }
    }

    /// Cuts rows of a list that is counted and not numbered: the next page leaves out those that
    /// came before.
    pub(crate) fn cut_counted(mut items: Vec<T>, cursor: Cursor) -> Self {
        let more = items.len() > cursor.limit;
        items.truncate(cursor.limit);
        let next = Cursor {
            after: None,
            skip: cursor.skip.saturating_add(cursor.limit),
            limit: cursor.limit,
        };
        Self {
            items,
            next: more.then_some(next),
        }
    }

    /// The same page of what is made from each row.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(make).collect(),
            next: self.next,
        }
    }
}

/// Where a page of a list that is read in both directions begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// At the beginning of the list.
    #[default]
    Start,
    /// Behind the row with this number.
    After(i64),
    /// It ends before the row with this number.
    Before(i64),
}

/// A part of a list that is read in both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BothWays<T> {
    /// The rows, in the order of the list.
    pub items: Vec<T>,
    /// The page before this one, if there is one, ends before this number.
    pub previous: Option<i64>,
    /// The page after this one, if there is one, begins behind this number.
    pub next: Option<i64>,
}

impl<T> BothWays<T> {
    /// Cuts rows that were read away from `edge`, one more than `limit` if there are so many.
    ///
    /// That the row at the edge itself is in the list is taken for granted, so that no second
    /// question is needed.
    #[must_use]
    pub fn cut(mut items: Vec<T>, edge: Edge, limit: usize, number: impl Fn(&T) -> i64) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let (before, after) = match edge {
            Edge::Start => (false, more),
            Edge::After(_) => (true, more),
            Edge::Before(_) => {
                items.reverse();
                (more, true)
            }
        };
        let previous = items.first().filter(|_| before).map(&number);
        let next = items.last().filter(|_| after).map(&number);
        Self {
            items,
            previous,
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_between_two_others_knows_both() {
        let cut = |rows: Vec<i64>, edge| BothWays::cut(rows, edge, 2, |number| *number);
        let first = cut(vec![9, 7, 4], Edge::Start);
        assert_eq!((first.previous, first.next), (None, Some(7)));
        let second = cut(vec![4, 2, 1], Edge::After(7));
        assert_eq!((second.previous, second.next), (Some(4), Some(2)));
        let last = cut(vec![1], Edge::After(2));
        assert_eq!((last.previous, last.next), (Some(1), None));
    }

    #[test]
    fn a_page_that_was_read_backwards_is_in_the_order_of_the_list() {
        let page = BothWays::cut(vec![2, 4, 7], Edge::Before(1), 2, |number| *number);
        assert_eq!(page.items, [4, 2]);
        assert_eq!((page.previous, page.next), (Some(4), Some(2)));
        let first = BothWays::cut(vec![9], Edge::Before(7), 2, |number| *number);
        assert_eq!((first.previous, first.next), (None, Some(9)));
    }

    #[test]
    fn a_page_knows_where_the_next_one_begins() {
        let page = Page::cut(vec![9, 7, 4], Cursor::first(2), |number| *number);
        assert_eq!(page.items, [9, 7]);
        assert_eq!(page.next, Some(Cursor::after(7, 2)));
    }

    #[test]
    fn a_page_that_is_counted_says_how_many_came_before_the_next_one() {
        let cursor = Cursor {
            after: None,
            skip: 4,
            limit: 2,
        };
        let page = Page::cut_counted(vec!['e', 'f', 'g'], cursor);
        assert_eq!(page.items, ['e', 'f']);
        assert_eq!(page.next.map(|next| next.skip), Some(6));
        assert_eq!(Page::cut_counted(vec!['e'], cursor).next, None);
    }

    #[test]
    fn the_last_page_has_none_after_it() {
        let page = Page::cut(vec![9, 7], Cursor::first(2), |number| *number);
        assert_eq!((page.items.len(), page.next), (2, None));
    }
}

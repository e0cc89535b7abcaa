//! Search for packages (contract G9; `EXTENSIONS`, `/search/packages`), in the shape of the vendor's
//! searches. Whoever has not signed in finds what is public.

use naru_model::Scope;
use naru_registry::search::{MOST, SearchQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::call::Call;
use super::error::Failure;
use super::finish::Outcome;
use super::input::Query;
use super::operation::Operations;
use super::paging::{Next, Paging, Rest};
use super::views::PackageView;

/// The operation.
pub(super) fn routes(operations: &mut Operations) {
    operations
        .get("/search/packages", search)
        .own("search/packages")
        .summary("Search packages")
        .description(
            "Finds the packages that the caller may read and that have all words and qualifiers \
             of `q`, best matches first. A word is the beginning of a word of the name, the \
             description, a tag, a label or the linked repository. Qualifiers: `user:`, `org:`, \
             `owner:`, `repo:OWNER/NAME`, `type:`, `is:` or `visibility:`, `tag:`, \
             `label:KEY=VALUE` and `digest:` with at least seven hex digits; a `*` at the end of \
             a tag or label stands for any rest. At most 1000 packages are found, as in the \
             vendor's searches.",
        )
        .needs(&[Scope::ReadPackages], "search packages")
        .query::<SearchPackages>()
        .query::<Paging>()
        .answers::<SearchView>(200, "What was found")
        .refuses(&[400, 401, 403, 422]);
}

/// What is searched for.
#[derive(Debug, Deserialize, IntoParams)]
struct SearchPackages {
    /// Words and qualifiers, separated by spaces; double quotes keep words together.
    #[param(required = true)]
    q: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageSearchResults)]
struct SearchView {
    /// How many packages match that the caller may read.
    total_count: usize,
    /// Whether there may be more, because too many match.
    incomplete_results: bool,
    /// The packages of this page, best matches first.
    items: Vec<PackageView>,
}

async fn search(
    call: Call,
    Query(search): Query<SearchPackages>,
    Query(paging): Query<Paging>,
) -> Outcome {
    let query = SearchQuery::read(search.q.as_deref().unwrap_or_default());
    let query = query.map_err(|error| Failure::invalid("Search", "q", error))?;
    let page = paging.wanted()?;
    if page.skip >= MOST {
        return Err(Failure::invalid(
            "Search",
            "page",
            "Only the first 1000 search results are available",
        ));
    }
    let found = call
        .registry()
        .search_packages(call.caller(), &query, page.skip, page.limit)
        .await?;
    let (packages, owners): (Vec<_>, Vec<_>) = found.items.iter().cloned().unzip();
    let linked = call
        .registry()
        .linked_repositories(call.caller(), &packages, &owners)
        .await?;
    let urls = call.urls();
    let items = found
        .items
        .iter()
        .map(|(listed, owner)| PackageView::new(listed, owner, &linked, &urls));
    let view = SearchView {
        total_count: found.total,
        incomplete_results: found.incomplete,
        items: items.collect(),
    };
    let shown = page.skip.saturating_add(page.limit);
    let rest = Rest {
        next: if shown < found.total {
            Next::Numbered
        } else {
            Next::None
        },
        total: u64::try_from(found.total).ok(),
    };
    Ok(call.ok(&view)?.linked(page.link(&call, rest)))
}

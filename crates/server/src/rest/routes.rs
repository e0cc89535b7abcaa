//! Every operation of the REST API, in reading order: each noun declares its own.

use super::operation::{Operations, Table};
use super::{
    artifacts, attestations, billing, collaborators, explain, graphql, invitations, members, meta,
    orgs, package_access, packages, repo_lists, repos, search, settings, statistics, tag_rules,
    tags, team_repos, teams, tokens, usage, users, versions,
};

/// The whole table.
pub(crate) fn table() -> Table {
    let mut operations = Operations::default();
    meta::routes(&mut operations);
    packages::routes(&mut operations);
    versions::routes(&mut operations);
    package_access::routes(&mut operations);
    explain::routes(&mut operations);
    tags::routes(&mut operations);
    tag_rules::routes(&mut operations);
    statistics::routes(&mut operations);
    settings::routes(&mut operations);
    usage::routes(&mut operations);
    search::routes(&mut operations);
    attestations::routes(&mut operations);
    artifacts::routes(&mut operations);
    users::routes(&mut operations);
    orgs::routes(&mut operations);
    members::routes(&mut operations);
    invitations::routes(&mut operations);
    teams::routes(&mut operations);
    team_repos::routes(&mut operations);
    repos::routes(&mut operations);
    repo_lists::routes(&mut operations);
    collaborators::routes(&mut operations);
    billing::routes(&mut operations);
    tokens::routes(&mut operations);
    graphql::routes(&mut operations);
    operations.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own_a_summary_and_an_answer() {
        let mut names = BTreeSet::new();
        for operation in table().operations {
            let at = format!("{} {}", operation.method, operation.path);
            assert!(operation.id.contains('/'), "{at} has no name");
            assert!(
                names.insert(operation.id),
                "{at}: {} is taken",
                operation.id
            );
            assert!(operation.documented.summary.is_some(), "{at}");
            let answers = &operation.documented.responses.responses;
            assert!(
                answers.keys().any(|status| status.starts_with(['2', '3'])),
                "{at} says of no good answer"
            );
        }
    }
}

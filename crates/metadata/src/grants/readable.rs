//! What `decide_package` says of reading, in SQL: conditions for statements about many packages.

/// The repository `r` that the package `p` follows: the linked one, on the legacy registry the one
/// in its name. `REPO/IMAGE` has one slash; trimming everything else from the right leaves `REPO/`.
macro_rules! join_followed_repository {
    () => {
        "LEFT JOIN repositories r ON r.deleted_at IS NULL AND r.id = CASE
                WHEN p.package_type = 'container' THEN p.repository_id
                ELSE (SELECT y.id FROM repositories y
                      WHERE y.owner_id = p.owner_id AND y.deleted_at IS NULL AND y.name_key =
                          rtrim(rtrim(p.name, replace(p.name, '/', '')), '/'))
                END
        "
    };
}

/// Something of the repository `y` whose name is the beginning of that of the package `p`, which
/// only a package of the legacy registry follows; see [`join_followed_repository`].
macro_rules! legacy_repository {
    ($column:literal) => {
        concat!(
            "(SELECT y.",
            $column,
            " FROM repositories y
                WHERE y.owner_id = p.owner_id AND y.deleted_at IS NULL AND y.name_key =
                    rtrim(rtrim(p.name, replace(p.name, '/', '')), '/'))"
        )
    };
}

/// The number of the repository that the package `p` follows, deleted or not: for lists, which pass
/// over many packages, cheaper than [`join_followed_repository`].
macro_rules! followed_repository {
    () => {
        concat!(
            "CASE p.package_type WHEN 'container' THEN p.repository_id ELSE ",
            legacy_repository!("id"),
            " END"
        )
    };
}

/// Who may read the package `p` without a role; on the legacy registry as its repository says.
macro_rules! effective_visibility {
    () => {
        concat!(
            "CASE p.package_type WHEN 'container' THEN p.visibility ELSE COALESCE(",
            legacy_repository!("visibility"),
            ", 'private') END"
        )
    };
}

/// Whether the registry of the package `p` is open at all: each is asked about once for all packages.
macro_rules! registry_is_open {
    () => {
        "NOT CASE p.package_type
                WHEN 'container' THEN EXISTS (SELECT 1 FROM instance i
                    WHERE i.key = 'registry.container' AND i.value = 'disabled')
                ELSE EXISTS (SELECT 1 FROM instance i
                    WHERE i.key = 'registry.docker' AND i.value = 'disabled')
                END"
    };
}

/// Whether the registry of the package `p` is neither closed nor read-only.
macro_rules! registry_takes_changes {
    () => {
        "p.package_type NOT IN (SELECT substr(i.key, 10) FROM instance i
                WHERE i.key IN ('registry.container', 'registry.docker')
                    AND i.value <> 'enabled')"
    };
}

/// Whether nobody in particular may read the package `p`: what `decide_package` says of reading.
/// `$1`, the caller, is null. This and its like stand behind the owner `o`.
macro_rules! readable_by_anybody {
    () => {
        concat!(
            "CAST($1 AS BIGINT) IS NULL
            AND p.package_type = 'container' AND p.visibility = 'public' AND ",
            registry_is_open!()
        )
    };
}

/// What a grant in one of these tables gives a user, in person or by a team: a list that is made
/// once, however many packages or repositories are looked at.
macro_rules! granted_to_user {
    ($user:literal, $column:literal, $users:literal, $teams:literal) => {
        concat!(
            "(SELECT g.",
            $column,
            " FROM ",
            $users,
            " g WHERE g.user_id = ",
            $user,
            " UNION ALL SELECT g.",
            $column,
            " FROM (SELECT tm.team_id FROM team_members tm WHERE tm.user_id = ",
            $user,
            " UNION SELECT ta.ancestor_id FROM team_members tm
                        JOIN team_ancestors ta ON ta.team_id = tm.team_id
                    WHERE tm.user_id = ",
            $user,
            ") mine JOIN ",
            $teams,
            " g ON g.team_id = mine.team_id)"
        )
    };
}

/// Whether the user `$1` may read the package `p`, whose owner is named as `$owner`: by its column, or
/// by the parameter that it is, which is asked about once for all packages. What most packages are
/// decided by comes first.
macro_rules! readable_by_user {
    ($owner:literal) => {
        concat!(
            registry_is_open!(),
            "
            AND EXISTS (SELECT 1 FROM accounts u WHERE u.id = $1 AND u.kind = 'user'
                AND u.deleted_at IS NULL AND u.suspended_at IS NULL)
            AND (",
            $owner,
            " = $1
                OR EXISTS (SELECT 1 FROM organization_members m
                    WHERE m.organization_id = ",
            $owner,
            " AND m.user_id = $1 AND m.role = 'owner')
                OR ",
            effective_visibility!(),
            " <> 'private'
                OR (p.package_type = 'container'
                    AND (o.kind = 'user' OR EXISTS (SELECT 1 FROM organization_members m
                        WHERE m.organization_id = ",
            $owner,
            " AND m.user_id = $1))
                    AND p.id IN ",
            granted_to_user!("$1", "package_id", "package_users", "package_teams"),
            ")
                OR ((p.inherit_access = 1 OR p.package_type = 'docker')
                    AND ",
            followed_repository!(),
            " IN ",
            granted_to_user!(
                "$1",
                "repository_id",
                "repository_users",
                "repository_teams"
            ),
            " AND (p.package_type = 'docker' OR (SELECT r.deleted_at IS NULL
                        FROM repositories r WHERE r.id = p.repository_id))))"
        )
    };
}

/// Whether a workflow of the repository `$1` may read the package `p`.
macro_rules! readable_by_workflow {
    () => {
        concat!(
            registry_is_open!(),
            "
            AND EXISTS (SELECT 1 FROM repositories w JOIN accounts wo ON wo.id = w.owner_id
                WHERE w.id = $1 AND w.deleted_at IS NULL AND wo.deleted_at IS NULL
                    AND wo.suspended_at IS NULL)
            AND (",
            effective_visibility!(),
            " <> 'private'
                OR (p.package_type = 'docker' AND ",
            legacy_repository!("id"),
            " = $1)
                OR (p.package_type = 'container'
                    AND p.owner_id = (SELECT w.owner_id FROM repositories w WHERE w.id = $1)
                    AND EXISTS (SELECT 1 FROM package_repositories g
                        WHERE g.package_id = p.id AND g.repository_id = $1)))"
        )
    };
}

/// The machine itself may read everything; `$1` is null.
macro_rules! readable_by_system {
    () => {
        "CAST($1 AS BIGINT) IS NULL"
    };
}

pub(crate) use {
    effective_visibility, followed_repository, granted_to_user, join_followed_repository,
    legacy_repository, readable_by_anybody, readable_by_system, readable_by_user,
    readable_by_workflow, registry_is_open, registry_takes_changes,
};

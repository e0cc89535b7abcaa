//! What `decide_package` says of reading, in SQL: conditions for statements about many packages.
//!
//! They are about a package `p`, and the caller is `$1`. Each is written for the
//! two types of packages, `container` and `docker`, because a statement that names the type asks of
//! each package only what can matter for it; `any` is for packages of both.

/// What is true of the package `p`, by its type.
macro_rules! by_type {
    ($container:expr, $docker:expr) => {
        concat!(
            "CASE p.package_type WHEN 'container' THEN ",
            $container,
            " ELSE ",
            $docker,
            " END"
        )
    };
}

/// The repository `r` that the package `p` follows: the linked one, on the legacy registry the one
/// in its name. `REPO/IMAGE` has one slash; trimming everything else from the right leaves `REPO/`.
macro_rules! join_followed_repository {
    () => {
        concat!(
            "LEFT JOIN repositories r ON r.deleted_at IS NULL AND r.id = ",
            $crate::grants::by_type!("p.repository_id", $crate::grants::legacy_repository!("id")),
            "
        "
        )
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

/// Who may read the package `p` without a role; on the legacy registry as its repository says.
macro_rules! effective_visibility {
    (container) => {
        "p.visibility"
    };
    (docker) => {
        concat!(
            "COALESCE(",
            $crate::grants::legacy_repository!("visibility"),
            ", 'private')"
        )
    };
    (any) => {
        $crate::grants::by_type!(
            $crate::grants::effective_visibility!(container),
            $crate::grants::effective_visibility!(docker)
        )
    };
}

/// Whether the registry of the package `p` is open at all: asked about once for all packages.
macro_rules! registry_is_open {
    (container) => {
        "NOT EXISTS (SELECT 1 FROM instance i
                WHERE i.key = 'registry.container' AND i.value = 'disabled')"
    };
    (docker) => {
        "NOT EXISTS (SELECT 1 FROM instance i
                WHERE i.key = 'registry.docker' AND i.value = 'disabled')"
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

/// Whether nobody in particular is let into this registry. `$1`, the caller, is null. This and its
/// like are about no package: a list asks once and looks at none where the answer is no.
macro_rules! admits_anybody {
    (container) => {
        concat!(
            "CAST($1 AS BIGINT) IS NULL AND ",
            $crate::grants::registry_is_open!(container)
        )
    };
    (docker) => {
        "CAST($1 AS BIGINT) IS NOT NULL AND 1 = 0"
    };
}

/// Whether nobody in particular may read the package `p`.
macro_rules! readable_by_anybody {
    (container) => {
        "p.visibility = 'public'"
    };
    (docker) => {
        "1 = 0"
    };
    (any) => {
        $crate::grants::of_any_type!(admits_anybody, readable_by_anybody)
    };
}

/// Whether the user `$1` is let into this registry.
macro_rules! admits_user {
    ($type:ident) => {
        concat!(
            $crate::grants::registry_is_open!($type),
            "
            AND EXISTS (SELECT 1 FROM accounts u WHERE u.id = $1 AND u.kind = 'user'
                AND u.deleted_at IS NULL AND u.suspended_at IS NULL)"
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

/// The repositories in which the user `$1` has a role.
macro_rules! repositories_of_user {
    () => {
        $crate::grants::granted_to_user!(
            "$1",
            "repository_id",
            "repository_users",
            "repository_teams"
        )
    };
}

/// Whether the user `$1` may read the package `p`, whose owner is named as `$owner`: by its column, or
/// by the parameter that it is, which is asked about once for all packages. What decides most
/// packages comes first, also within a condition: whoever is granted little fails at the list.
macro_rules! readable_by_user {
    (container, $owner:literal) => {
        concat!(
            $crate::grants::readable_without_role!(container, $owner),
            " OR (p.inherit_access = 1 AND p.repository_id IN ",
            $crate::grants::repositories_of_user!(),
            " AND (SELECT r.deleted_at IS NULL FROM repositories r WHERE r.id = p.repository_id))
                OR (p.id IN ",
            $crate::grants::granted_to_user!("$1", "package_id", "package_users", "package_teams"),
            " AND (EXISTS (SELECT 1 FROM accounts o WHERE o.id = ",
            $owner,
            " AND o.kind = 'user')
                    OR EXISTS (SELECT 1 FROM organization_members m
                        WHERE m.organization_id = ",
            $owner,
            " AND m.user_id = $1))))"
        )
    };
    (docker, $owner:literal) => {
        concat!(
            $crate::grants::readable_without_role!(docker, $owner),
            " OR ",
            $crate::grants::legacy_repository!("id"),
            " IN ",
            $crate::grants::repositories_of_user!(),
            ")"
        )
    };
    (any, $owner:literal) => {
        $crate::grants::of_any_type!(admits_user, readable_by_user, $owner)
    };
}

/// The beginning of [`readable_by_user`]: what needs no explicit role. The bracket stays open.
macro_rules! readable_without_role {
    ($type:ident, $owner:literal) => {
        concat!(
            "(",
            $crate::grants::effective_visibility!($type),
            " <> 'private'
                OR ",
            $owner,
            " = $1
                OR EXISTS (SELECT 1 FROM organization_members m
                    WHERE m.organization_id = ",
            $owner,
            " AND m.user_id = $1 AND m.role = 'owner')"
        )
    };
}

/// Whether workflows of the repository `$1` are let into this registry.
macro_rules! admits_workflow {
    ($type:ident) => {
        concat!(
            $crate::grants::registry_is_open!($type),
            "
            AND EXISTS (SELECT 1 FROM repositories w JOIN accounts wo ON wo.id = w.owner_id
                WHERE w.id = $1 AND w.deleted_at IS NULL AND wo.deleted_at IS NULL
                    AND wo.suspended_at IS NULL)"
        )
    };
}

/// Whether a workflow of the repository `$1` may read the package `p`.
macro_rules! readable_by_workflow {
    (container) => {
        "(p.visibility <> 'private'
                OR (p.owner_id = (SELECT w.owner_id FROM repositories w WHERE w.id = $1)
                    AND EXISTS (SELECT 1 FROM package_repositories g
                        WHERE g.package_id = p.id AND g.repository_id = $1)))"
    };
    (docker) => {
        concat!(
            "(",
            $crate::grants::effective_visibility!(docker),
            " <> 'private' OR ",
            $crate::grants::legacy_repository!("id"),
            " = $1)"
        )
    };
    (any) => {
        $crate::grants::of_any_type!(admits_workflow, readable_by_workflow)
    };
}

/// The machine itself is let in everywhere; `$1` is null.
macro_rules! admits_system {
    ($type:ident) => {
        "CAST($1 AS BIGINT) IS NULL"
    };
}

/// The machine itself may read everything.
macro_rules! readable_by_system {
    (any) => {
        $crate::grants::admits_system!(any)
    };
    ($type:ident) => {
        "1 = 1"
    };
}

/// Whether the caller is let in and may read the package `p`, of whichever type it is.
macro_rules! of_any_type {
    ($admits:ident, $readable:ident $(, $owner:literal)?) => {
        $crate::grants::by_type!(
            concat!(
                $crate::grants::$admits!(container),
                " AND ",
                $crate::grants::$readable!(container $(, $owner)?)
            ),
            concat!(
                $crate::grants::$admits!(docker),
                " AND ",
                $crate::grants::$readable!(docker $(, $owner)?)
            )
        )
    };
}

pub(crate) use {
    admits_anybody, admits_system, admits_user, admits_workflow, by_type, effective_visibility,
    granted_to_user, join_followed_repository, legacy_repository, of_any_type, readable_by_anybody,
    readable_by_system, readable_by_user, readable_by_workflow, readable_without_role,
    registry_is_open, registry_takes_changes, repositories_of_user,
};

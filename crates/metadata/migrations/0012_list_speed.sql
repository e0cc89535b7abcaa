-- Lists that need no look at the rows they pass over, and chores that look at nothing else.

-- An owner's published packages, with what most of them are decided by.
CREATE INDEX packages_listed
    ON packages (owner_id, id, package_type, visibility, repository_id, inherit_access, name)
    WHERE deleted_at IS NULL AND published_at IS NOT NULL;
-- Packages whose first manifest never came.
CREATE INDEX packages_hidden ON packages (id) WHERE published_at IS NULL;
CREATE INDEX accounts_listed ON accounts (kind, login_key) WHERE deleted_at IS NULL;
CREATE INDEX accounts_administrators ON accounts (id) WHERE site_admin = 1;
-- What is in the bin, and what has left it for good.
CREATE INDEX repositories_in_bin ON repositories (deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX accounts_in_bin ON accounts (deleted_at, id) WHERE deleted_at IS NOT NULL;

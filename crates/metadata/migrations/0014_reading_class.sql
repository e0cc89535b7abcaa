-- By what most decisions about reading a package are made, in one number, so that a list compares no
-- texts for what it passes over: 0 public, 1 internal, 2 private, 3 as the repository in its name is
-- (the older Docker registry).
ALTER TABLE packages ADD COLUMN reading_class BIGINT GENERATED ALWAYS AS (CAST(
    CASE WHEN package_type <> 'container' THEN 3 WHEN visibility = 'public' THEN 0
        WHEN visibility = 'internal' THEN 1 ELSE 2 END AS BIGINT)) {{GENERATED}};
DROP INDEX packages_listed;
-- An owner's published packages, with what most of them are decided by.
CREATE INDEX packages_listed
    ON packages (owner_id, id, reading_class, inherit_access, repository_id, package_type,
        visibility, name)
    WHERE deleted_at IS NULL AND published_at IS NOT NULL;

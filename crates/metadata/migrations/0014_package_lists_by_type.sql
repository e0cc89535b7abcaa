-- Lists of packages are of one type each: what a list passes over is asked nothing about its type.

DROP INDEX packages_listed;
CREATE INDEX packages_listed
    ON packages (owner_id, package_type, id, visibility, repository_id, inherit_access, name)
    WHERE deleted_at IS NULL AND published_at IS NOT NULL;

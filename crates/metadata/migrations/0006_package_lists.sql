-- The bin of an owner, the last package first, without sorting all of it.
CREATE INDEX packages_owner_deleted ON packages (owner_id, deleted_at, id)
    WHERE deleted_at IS NOT NULL;

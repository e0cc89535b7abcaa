-- Deletes know the graph: a version that somebody deleted stays served by digest while a listed
-- index, or its listed subject, still reaches it.

-- Since when it is out of the lists while deleted_at is null; kept when it goes into the bin, and
-- null there if it went straight from the lists.
ALTER TABLE versions ADD COLUMN withdrawn_at BIGINT;
CREATE INDEX versions_listed ON versions (package_id, created_at, id)
    WHERE deleted_at IS NULL AND withdrawn_at IS NULL;
CREATE INDEX versions_removed ON versions (package_id, created_at, id)
    WHERE deleted_at IS NOT NULL OR withdrawn_at IS NOT NULL;

-- Whether an organization refuses to delete a version that something needs, instead of
-- withdrawing it.
ALTER TABLE accounts ADD COLUMN refuse_needed_deletes BIGINT NOT NULL DEFAULT 0
    CHECK (refuse_needed_deletes IN (0, 1));

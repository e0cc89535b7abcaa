-- The list of tags that begins with what moved last needs no look at the tags it passes over: all
-- it shows of a tag stands in the index.
DROP INDEX tags_updated;
CREATE INDEX tags_newest ON tags (package_id, updated_at DESC, name, version_id, created_at);

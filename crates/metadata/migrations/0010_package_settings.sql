-- A public package of which a version was downloaded more often than this cannot be deleted, nor can
-- such a version; null is what the instance says, 0 lets everything be deleted.
ALTER TABLE accounts ADD COLUMN undeletable_downloads BIGINT CHECK (undeletable_downloads >= 0);

-- Usage and quotas.

-- Whose a link is, so that what an owner holds is counted by an index and each blob once, however
-- many others hold it too. 0 is what an older program writes beside this one; it is filled in before
-- anything is counted.
ALTER TABLE links ADD COLUMN owner_id BIGINT NOT NULL DEFAULT 0;
UPDATE links SET owner_id = (SELECT p.owner_id FROM packages p WHERE p.id = links.package_id);
CREATE INDEX links_owner ON links (owner_id, digest, package_id);

-- Lengths of manifests, without the manifests.
CREATE INDEX versions_sizes ON versions (package_id, id, deleted_at, size);

-- What an owner held when it was measured last, and what came since, for owners with a quota.
CREATE TABLE account_usage (
    owner_id    BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE RESTRICT,
    live        BIGINT NOT NULL,                   -- needed by what is served, each blob once
    pending     BIGINT NOT NULL,                   -- uploaded, and in no manifest (yet)
    bin         BIGINT NOT NULL,                   -- needed by nothing but what can be restored
    blobs       BIGINT NOT NULL,
    versions    BIGINT NOT NULL,
    charged     BIGINT NOT NULL DEFAULT 0,         -- came by pushes, ever; what a measuring may have missed
    measured_at BIGINT NOT NULL,
    measured_in BIGINT NOT NULL                    -- microseconds that measuring took
) {{STRICT}};

-- How much an owner may hold, in bytes; null is no limit.
CREATE TABLE quotas (
    owner_id   BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE RESTRICT,
    live_limit BIGINT CHECK (live_limit >= 0),
    bin_limit  BIGINT CHECK (bin_limit >= 0),
    updated_at BIGINT NOT NULL
) {{STRICT}};

-- Lists of an owner's packages, newest first, and walks over all of them.
CREATE INDEX packages_owner ON packages (owner_id, id);

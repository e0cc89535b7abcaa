-- The foundation: accounts, packages, content, uploads, credentials, what happened.
--
-- One text for both databases. Before it runs, `db/dialect.rs` replaces:
--   {{ID}}     the numbered primary key      {{TEXT}}   text compared bytewise
--   {{BYTES}}  a byte string                 {{STRICT}} SQLite's check of column types
--   BIGINT     INTEGER in SQLite, whose numbers all have 64 bits
-- Time is a BIGINT of microseconds since the Unix epoch. Words are text with a CHECK.
-- Every foreign key is ON DELETE RESTRICT: even a wrong collector cannot remove what is referenced.

-- Accounts: users and organizations share one namespace.
CREATE TABLE accounts (
    id            {{ID}},
    kind          {{TEXT}} NOT NULL CHECK (kind IN ('user', 'organization')),
    login         {{TEXT}} NOT NULL,               -- as it was registered
    login_key     {{TEXT}} NOT NULL,               -- in lower case
    name          {{TEXT}},
    site_admin    BIGINT NOT NULL DEFAULT 0 CHECK (site_admin IN (0, 1)),
    password_hash {{TEXT}},                        -- Argon2id, PHC string; users only
    -- What an organization lets its members do with packages.
    members_create_public       BIGINT NOT NULL DEFAULT 1 CHECK (members_create_public IN (0, 1)),
    members_create_internal     BIGINT NOT NULL DEFAULT 1 CHECK (members_create_internal IN (0, 1)),
    members_create_private      BIGINT NOT NULL DEFAULT 1 CHECK (members_create_private IN (0, 1)),
    members_create_repositories BIGINT NOT NULL DEFAULT 1 CHECK (members_create_repositories IN (0, 1)),
    packages_inherit_access     BIGINT NOT NULL DEFAULT 1 CHECK (packages_inherit_access IN (0, 1)),
    public_is_final             BIGINT NOT NULL DEFAULT 0 CHECK (public_is_final IN (0, 1)),
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    suspended_at  BIGINT,
    deleted_at    BIGINT
) {{STRICT}};
CREATE UNIQUE INDEX accounts_login ON accounts (login_key);

-- Full names of packages that others have pulled and whose owner then gave up the account name:
-- nobody else may publish under them, or pulls of the old name would get a stranger's image.
CREATE TABLE retired_names (
    owner_key    {{TEXT}} NOT NULL,                -- the account name that was given up
    package_type {{TEXT}} NOT NULL,
    name         {{TEXT}} NOT NULL,
    kept_for     BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    PRIMARY KEY (owner_key, package_type, name)
) {{STRICT}};

CREATE TABLE organization_members (
    organization_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    user_id         BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    role            {{TEXT}} NOT NULL CHECK (role IN ('member', 'owner')),
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) {{STRICT}};
CREATE INDEX organization_members_user ON organization_members (user_id);

CREATE TABLE teams (
    id              {{ID}},
    organization_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    slug            {{TEXT}} NOT NULL,
    name            {{TEXT}} NOT NULL,
    description     {{TEXT}},
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
) {{STRICT}};
CREATE UNIQUE INDEX teams_slug ON teams (organization_id, slug);

CREATE TABLE team_members (
    team_id    BIGINT NOT NULL REFERENCES teams (id) ON DELETE RESTRICT,
    user_id    BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    role       {{TEXT}} NOT NULL CHECK (role IN ('member', 'maintainer')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (team_id, user_id)
) {{STRICT}};
CREATE INDEX team_members_user ON team_members (user_id);

-- Source repositories: records that packages are linked to. Naru hosts no git.
CREATE TABLE repositories (
    id          {{ID}},
    owner_id    BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    name        {{TEXT}} NOT NULL,
    name_key    {{TEXT}} NOT NULL,
    description {{TEXT}},
    forge_url   {{TEXT}},
    visibility  {{TEXT}} NOT NULL CHECK (visibility IN ('public', 'internal', 'private')),
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    deleted_at  BIGINT
) {{STRICT}};
CREATE UNIQUE INDEX repositories_name ON repositories (owner_id, name_key) WHERE deleted_at IS NULL;
CREATE INDEX repositories_forge ON repositories (forge_url) WHERE forge_url IS NOT NULL;

CREATE TABLE repository_users (
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    user_id       BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    role          {{TEXT}} NOT NULL CHECK (role IN ('read', 'triage', 'write', 'maintain', 'admin')),
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (repository_id, user_id)
) {{STRICT}};
CREATE INDEX repository_users_user ON repository_users (user_id);

CREATE TABLE repository_teams (
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    team_id       BIGINT NOT NULL REFERENCES teams (id) ON DELETE RESTRICT,
    role          {{TEXT}} NOT NULL CHECK (role IN ('read', 'triage', 'write', 'maintain', 'admin')),
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (repository_id, team_id)
) {{STRICT}};
CREATE INDEX repository_teams_team ON repository_teams (team_id);

-- Packages. The first upload makes a hidden row (published_at is null) that expires with the
-- upload; the first manifest publishes it.
CREATE TABLE packages (
    id             {{ID}},
    owner_id       BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    package_type   {{TEXT}} NOT NULL CHECK (package_type IN ('container', 'docker')),
    name           {{TEXT}} NOT NULL,
    visibility     {{TEXT}} NOT NULL CHECK (visibility IN ('public', 'internal', 'private')),
    description    {{TEXT}},
    repository_id  BIGINT REFERENCES repositories (id) ON DELETE RESTRICT,
    inherit_access BIGINT NOT NULL DEFAULT 0 CHECK (inherit_access IN (0, 1)),
    link_note      {{TEXT}},                       -- why a source label was ignored
    created_by     BIGINT REFERENCES accounts (id) ON DELETE RESTRICT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    published_at   BIGINT,
    pulled_at      BIGINT,                         -- ever pulled: the name is then retired with it
    deleted_at     BIGINT,
    deleted_by     BIGINT REFERENCES accounts (id) ON DELETE RESTRICT
) {{STRICT}};
CREATE UNIQUE INDEX packages_name ON packages (owner_id, package_type, name) WHERE deleted_at IS NULL;
CREATE INDEX packages_deleted_name ON packages (owner_id, package_type, name, deleted_at)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX packages_repository ON packages (repository_id) WHERE repository_id IS NOT NULL;
CREATE INDEX packages_deleted ON packages (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE package_users (
    package_id BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    user_id    BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    role       {{TEXT}} NOT NULL CHECK (role IN ('read', 'write', 'admin')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (package_id, user_id)
) {{STRICT}};
CREATE INDEX package_users_user ON package_users (user_id);

CREATE TABLE package_teams (
    package_id BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    team_id    BIGINT NOT NULL REFERENCES teams (id) ON DELETE RESTRICT,
    role       {{TEXT}} NOT NULL CHECK (role IN ('read', 'write', 'admin')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (package_id, team_id)
) {{STRICT}};
CREATE INDEX package_teams_team ON package_teams (team_id);

-- "Actions access": what workflows of a repository may do with a package.
CREATE TABLE package_repositories (
    package_id    BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    role          {{TEXT}} NOT NULL CHECK (role IN ('read', 'write', 'admin')),
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (package_id, repository_id)
) {{STRICT}};
CREATE INDEX package_repositories_repository ON package_repositories (repository_id);

-- Bytes. A row names bytes that are durable; a storage key is never used twice.
CREATE TABLE blobs (
    digest      {{TEXT}} NOT NULL PRIMARY KEY,
    size        BIGINT NOT NULL CHECK (size >= 0),
    storage_key {{TEXT}} NOT NULL UNIQUE,
    created_at  BIGINT NOT NULL,
    damaged_at  BIGINT                             -- found wrong by a check; pushers are told it is absent
) {{STRICT}};

-- A link: the fact that a package may use a blob. A version that needs the blob holds the link by
-- foreign key; such a link is parked (lease_until is the end of time), so that the collector looks
-- only at links that may go, however many there are.
CREATE TABLE links (
    package_id     BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    digest         {{TEXT}} NOT NULL REFERENCES blobs (digest) ON DELETE RESTRICT,
    lease_until    BIGINT NOT NULL,                -- the collector keeps its hands off until then
    readable_until BIGINT NOT NULL,                -- readable without a live manifest until then
    PRIMARY KEY (package_id, digest)
) {{STRICT}};
CREATE INDEX links_digest ON links (digest);
CREATE INDEX links_lease ON links (lease_until);

-- A package version is one manifest of a package; its bytes stand in the row, last.
CREATE TABLE versions (
    id            {{ID}},
    package_id    BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    digest        {{TEXT}} NOT NULL,
    media_type    {{TEXT}} NOT NULL,
    artifact_type {{TEXT}},
    subject       {{TEXT}},                        -- the digest this manifest refers to
    annotations   {{TEXT}},                        -- JSON object, for the referrers list
    size          BIGINT NOT NULL,
    created_by    BIGINT REFERENCES accounts (id) ON DELETE RESTRICT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT,
    deleted_by    BIGINT REFERENCES accounts (id) ON DELETE RESTRICT,
    content       {{BYTES}} NOT NULL,
    UNIQUE (package_id, digest)
) {{STRICT}};
CREATE INDEX versions_created ON versions (package_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX versions_subject ON versions (package_id, subject) WHERE subject IS NOT NULL;
CREATE INDEX versions_deleted ON versions (deleted_at) WHERE deleted_at IS NOT NULL;

-- What a manifest needs and has: blobs of an image, children of an index.
CREATE TABLE version_blobs (
    version_id BIGINT NOT NULL REFERENCES versions (id) ON DELETE RESTRICT,
    package_id BIGINT NOT NULL,
    digest     {{TEXT}} NOT NULL,
    PRIMARY KEY (version_id, digest),
    FOREIGN KEY (package_id, digest) REFERENCES links (package_id, digest) ON DELETE RESTRICT
) {{STRICT}};
CREATE INDEX version_blobs_link ON version_blobs (package_id, digest);

CREATE TABLE version_children (
    version_id BIGINT NOT NULL REFERENCES versions (id) ON DELETE RESTRICT,
    package_id BIGINT NOT NULL,
    digest     {{TEXT}} NOT NULL,
    PRIMARY KEY (version_id, digest),
    FOREIGN KEY (package_id, digest) REFERENCES versions (package_id, digest) ON DELETE RESTRICT
) {{STRICT}};
CREATE INDEX version_children_child ON version_children (package_id, digest);

-- What a manifest names and may lack: sparse blobs and children. A later upload, mount or push
-- turns a gap into an ordinary reference in the same transaction.
CREATE TABLE version_gaps (
    version_id BIGINT NOT NULL REFERENCES versions (id) ON DELETE RESTRICT,
    package_id BIGINT NOT NULL,
    digest     {{TEXT}} NOT NULL,
    kind       {{TEXT}} NOT NULL CHECK (kind IN ('blob', 'manifest')),
    PRIMARY KEY (version_id, digest, kind)
) {{STRICT}};
CREATE INDEX version_gaps_digest ON version_gaps (package_id, digest);

CREATE TABLE tags (
    package_id BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    name       {{TEXT}} NOT NULL,
    version_id BIGINT NOT NULL REFERENCES versions (id) ON DELETE RESTRICT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (package_id, name)
) {{STRICT}};
CREATE INDEX tags_version ON tags (version_id);
CREATE INDEX tags_updated ON tags (package_id, updated_at);

-- Where a tag pointed, since when, and who moved it. version_id is null where the tag was removed.
CREATE TABLE tag_history (
    id         {{ID}},
    package_id BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    name       {{TEXT}} NOT NULL,
    version_id BIGINT REFERENCES versions (id) ON DELETE RESTRICT,
    at         BIGINT NOT NULL,
    by_account BIGINT REFERENCES accounts (id) ON DELETE RESTRICT,
    by_token   BIGINT,
    reason     {{TEXT}} NOT NULL CHECK (reason IN ('push', 'move', 'delete', 'version_deleted', 'restore'))
) {{STRICT}};
CREATE INDEX tag_history_tag ON tag_history (package_id, name, id);
CREATE INDEX tag_history_version ON tag_history (version_id);

-- Open blob uploads. The epoch fences: a resuming client raises it, and the write of a
-- half-dead connection is refused.
CREATE TABLE uploads (
    id          {{TEXT}} NOT NULL PRIMARY KEY,
    package_id  BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    principal   {{TEXT}} NOT NULL,                 -- whose it is: `user:7`, `repository:9`
    token_id    BIGINT,                            -- its revocation ends the upload, its expiry does not
    storage_key {{TEXT}} NOT NULL UNIQUE,
    epoch       BIGINT NOT NULL,
    byte_offset BIGINT NOT NULL,
    state       {{BYTES}},                         -- hash state and parts, as the blob store saved them
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
) {{STRICT}};
CREATE INDEX uploads_package ON uploads (package_id);
CREATE INDEX uploads_expiry ON uploads (expires_at);

-- Keys whose objects go at `delete_after`.
CREATE TABLE trash (
    storage_key  {{TEXT}} NOT NULL PRIMARY KEY,
    digest       {{TEXT}},
    reason       {{TEXT}} NOT NULL CHECK (reason IN ('condemned', 'duplicate', 'replaced', 'upload', 'orphan')),
    delete_after BIGINT NOT NULL,
    attempts     BIGINT NOT NULL DEFAULT 0
) {{STRICT}};
CREATE INDEX trash_due ON trash (delete_after);

-- Credentials: only hashes are kept.
CREATE TABLE tokens (
    id            {{ID}},
    kind          {{TEXT}} NOT NULL CHECK (kind IN ('personal', 'workflow')),
    user_id       BIGINT REFERENCES accounts (id) ON DELETE RESTRICT,
    repository_id BIGINT REFERENCES repositories (id) ON DELETE RESTRICT,
    hash          {{BYTES}} NOT NULL UNIQUE,
    scopes        {{TEXT}} NOT NULL,
    note          {{TEXT}} NOT NULL DEFAULT '',
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    last_used_at  BIGINT,
    revoked_at    BIGINT
) {{STRICT}};
CREATE INDEX tokens_user ON tokens (user_id);

-- Keys that sign registry tokens, sealed with the master key.
CREATE TABLE signing_keys (
    kid        {{TEXT}} NOT NULL PRIMARY KEY,
    sealed     {{BYTES}} NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
) {{STRICT}};

-- What happened, written in the transaction that made it happen; delivery and reading come after.
CREATE TABLE events (
    id         {{ID}},
    at         BIGINT NOT NULL,
    kind       {{TEXT}} NOT NULL,
    actor      {{TEXT}} NOT NULL,                  -- `user:7`, `repository:9`, `system`, `anonymous`
    token_id   BIGINT,
    account_id BIGINT,
    package_id BIGINT,
    version_id BIGINT,
    request_id {{TEXT}},
    detail     {{TEXT}} NOT NULL DEFAULT '{}'
) {{STRICT}};
CREATE INDEX events_account ON events (account_id, id);
CREATE INDEX events_package ON events (package_id, id);

-- Recurring work: one row a job, claimed by a lease, so that it happens once however many
-- processes run.
CREATE TABLE jobs (
    name        {{TEXT}} NOT NULL PRIMARY KEY,
    next_at     BIGINT NOT NULL,
    lease_until BIGINT NOT NULL DEFAULT 0,
    lease_by    {{TEXT}},
    last_at     BIGINT,
    last_result {{TEXT}}
) {{STRICT}};

-- Facts about the instance as a whole: when it was set up, how far time had come.
CREATE TABLE instance (
    key   {{TEXT}} NOT NULL PRIMARY KEY,
    value {{TEXT}} NOT NULL
) {{STRICT}};

-- Rises with each change that another process must hear of (memberships, tokens, packages, tags).
-- On SQLite `PRAGMA data_version` says the same; the row serves replicas on PostgreSQL.
CREATE TABLE changes (
    topic   {{TEXT}} NOT NULL PRIMARY KEY,
    counter BIGINT NOT NULL
) {{STRICT}};
INSERT INTO changes (topic, counter) VALUES ('access', 0);

-- Profiles: what people say of themselves, their organizations and their repositories; who shows a
-- membership; teams inside teams; names that repositories had before.

-- What the owner of an account says about it. No row says nothing.
CREATE TABLE profiles (
    account_id       BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE RESTRICT,
    company          {{TEXT}},
    blog             {{TEXT}},
    location         {{TEXT}},
    email            {{TEXT}},                     -- shown to everybody who may see the profile
    twitter_username {{TEXT}},
    bio              {{TEXT}},                     -- users
    hireable         BIGINT CHECK (hireable IN (0, 1)),
    description      {{TEXT}},                     -- organizations
    billing_email    {{TEXT}}                      -- organizations; shown to owners only
) {{STRICT}};

-- Members who show their membership to everybody.
ALTER TABLE organization_members ADD COLUMN is_public BIGINT NOT NULL DEFAULT 0
    CHECK (is_public IN (0, 1));
CREATE INDEX organization_members_public ON organization_members (organization_id, user_id)
    WHERE is_public = 1;

-- A secret team is seen by its members and the owners only, a closed one by every member of the
-- organization.
ALTER TABLE teams ADD COLUMN privacy {{TEXT}} NOT NULL DEFAULT 'closed'
    CHECK (privacy IN ('closed', 'secret'));
ALTER TABLE teams ADD COLUMN notifications BIGINT NOT NULL DEFAULT 1
    CHECK (notifications IN (0, 1));
ALTER TABLE teams ADD COLUMN parent_id BIGINT REFERENCES teams (id) ON DELETE RESTRICT;
CREATE INDEX teams_parent ON teams (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX teams_age ON teams (organization_id, id);

-- Every team above a team: whoever is in the lower one has what was granted to the upper one.
CREATE TABLE team_ancestors (
    team_id     BIGINT NOT NULL REFERENCES teams (id) ON DELETE RESTRICT,
    ancestor_id BIGINT NOT NULL REFERENCES teams (id) ON DELETE RESTRICT,
    PRIMARY KEY (team_id, ancestor_id)
) {{STRICT}};
CREATE INDEX team_ancestors_ancestor ON team_ancestors (ancestor_id);

ALTER TABLE repositories ADD COLUMN homepage {{TEXT}};
ALTER TABLE repositories ADD COLUMN topics {{TEXT}} NOT NULL DEFAULT '';   -- with spaces between
CREATE INDEX repositories_created ON repositories (owner_id, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX repositories_updated ON repositories (owner_id, updated_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX repositories_deleted ON repositories (owner_id, name_key, deleted_at)
    WHERE deleted_at IS NOT NULL;

CREATE TABLE repository_readmes (
    repository_id BIGINT NOT NULL PRIMARY KEY REFERENCES repositories (id) ON DELETE RESTRICT,
    content       {{TEXT}} NOT NULL,
    updated_at    BIGINT NOT NULL
) {{STRICT}};

-- Where a name leads that a repository had before.
CREATE TABLE repository_redirects (
    owner_id      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    name_key      {{TEXT}} NOT NULL,
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    PRIMARY KEY (owner_id, name_key)
) {{STRICT}};
CREATE INDEX repository_redirects_repository ON repository_redirects (repository_id);

-- Tag rules: who may create, move and delete which tags.

-- A rule of one package, or of all packages of an owner (package_id is null). The roles say who may
-- without being named; null is nobody.
CREATE TABLE tag_rules (
    id          {{ID}},
    owner_id    BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    package_id  BIGINT REFERENCES packages (id) ON DELETE RESTRICT,
    pattern     {{TEXT}} NOT NULL,                 -- a glob over the whole tag
    exception   {{TEXT}},                          -- a glob of tags that are not meant
    description {{TEXT}},
    immutable   BIGINT NOT NULL CHECK (immutable IN (0, 1)),
    create_role {{TEXT}} CHECK (create_role IN ('write', 'admin')),
    move_role   {{TEXT}} CHECK (move_role IN ('write', 'admin')),
    delete_role {{TEXT}} CHECK (delete_role IN ('write', 'admin')),
    created_by  BIGINT REFERENCES accounts (id) ON DELETE RESTRICT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
) {{STRICT}};
CREATE INDEX tag_rules_package ON tag_rules (package_id, id) WHERE package_id IS NOT NULL;
CREATE INDEX tag_rules_owner ON tag_rules (owner_id, id) WHERE package_id IS NULL;

-- Those whom a rule names, whatever their role.
CREATE TABLE tag_rule_users (
    rule_id BIGINT NOT NULL REFERENCES tag_rules (id) ON DELETE RESTRICT,
    action  {{TEXT}} NOT NULL CHECK (action IN ('create', 'move', 'delete')),
    user_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    PRIMARY KEY (rule_id, action, user_id)
) {{STRICT}};
CREATE INDEX tag_rule_users_user ON tag_rule_users (user_id);

CREATE TABLE tag_rule_teams (
    rule_id BIGINT NOT NULL REFERENCES tag_rules (id) ON DELETE RESTRICT,
    action  {{TEXT}} NOT NULL CHECK (action IN ('create', 'move', 'delete')),
    team_id BIGINT NOT NULL REFERENCES teams (id) ON DELETE RESTRICT,
    PRIMARY KEY (rule_id, action, team_id)
) {{STRICT}};
CREATE INDEX tag_rule_teams_team ON tag_rule_teams (team_id);

CREATE TABLE tag_rule_repositories (
    rule_id       BIGINT NOT NULL REFERENCES tag_rules (id) ON DELETE RESTRICT,
    action        {{TEXT}} NOT NULL CHECK (action IN ('create', 'move', 'delete')),
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    PRIMARY KEY (rule_id, action, repository_id)
) {{STRICT}};
CREATE INDEX tag_rule_repositories_repository ON tag_rule_repositories (repository_id);

-- Whether the registry's own tag rule binds the package: on the legacy registry published versions
-- are immutable.
ALTER TABLE packages ADD COLUMN default_tag_rule BIGINT NOT NULL DEFAULT 1
    CHECK (default_tag_rule IN (0, 1));

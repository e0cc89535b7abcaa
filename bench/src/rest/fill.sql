-- What the REST API is asked about: one text for both databases. {packages} is how many packages
-- there are, {versions} how many versions the largest of them has beside its ten.
--
-- Half of the packages belong to the organization `octo`, half to the user `bench`, who owns it. The
-- user `member` is one of its 10,000 members, in 21 of its teams, and reads one in 25 of its
-- private packages by their roles, half of these by a role in the linked repository.

INSERT INTO accounts (kind, login, login_key, created_at, updated_at)
VALUES ('organization', 'octo', 'octo', 0, 0);
INSERT INTO accounts (kind, login, login_key, created_at, updated_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
SELECT 'user', 'user-' || CAST(i AS TEXT), 'user-' || CAST(i AS TEXT), i, i FROM n;
INSERT INTO organization_members (organization_id, user_id, role, created_at, is_public)
SELECT o.id, u.id, CASE u.login_key WHEN 'bench' THEN 'owner' ELSE 'member' END, 0, u.id % 2
FROM accounts u CROSS JOIN accounts o WHERE o.login_key = 'octo' AND u.kind = 'user';

INSERT INTO teams (organization_id, slug, name, created_at, updated_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
SELECT o.id, 'team-' || CAST(i AS TEXT), 'Team ' || CAST(i AS TEXT), i, i
FROM n CROSS JOIN accounts o WHERE o.login_key = 'octo';
INSERT INTO team_members (team_id, user_id, role, created_at)
SELECT t.id, u.id, 'member', 0 FROM teams t JOIN accounts u
    ON u.login_key = 'member' AND t.id % 50 = 0 OR u.kind = 'user' AND u.id % 1000 = t.id % 1000
WHERE u.login_key <> 'bench';

INSERT INTO repositories (owner_id, name, name_key, visibility, created_at, updated_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
SELECT o.id, 'source-' || CAST(i AS TEXT), 'source-' || CAST(i AS TEXT),
    CASE i % 3 WHEN 0 THEN 'public' WHEN 1 THEN 'internal' ELSE 'private' END, i, i
FROM n CROSS JOIN accounts o WHERE o.login_key = 'octo';
INSERT INTO repository_teams (repository_id, team_id, role, created_at)
SELECT r.id, t.id, 'write', 0 FROM repositories r JOIN teams t ON t.id % 1000 = r.id % 1000;

INSERT INTO packages (owner_id, package_type, name, visibility, repository_id, inherit_access,
    created_at, updated_at, published_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {packages})
SELECT o.id, 'container', 'group-' || CAST(i % 100 AS TEXT) || '/app-' || CAST(i AS TEXT),
    CASE i / 2 % 4 WHEN 0 THEN 'public' WHEN 1 THEN 'internal' ELSE 'private' END,
    r.id, CASE WHEN r.id IS NULL THEN 0 ELSE 1 END, i, i, i
FROM n JOIN accounts o ON o.login_key = CASE i % 2 WHEN 0 THEN 'octo' ELSE 'bench' END
    LEFT JOIN repositories r ON i % 4 = 0 AND r.owner_id = o.id
        AND r.name_key = 'source-' || CAST(i / 4 % 10000 + 1 AS TEXT) AND r.deleted_at IS NULL;
INSERT INTO package_teams (package_id, team_id, role, created_at)
SELECT p.id, t.id, 'read', 0 FROM packages p JOIN accounts o ON o.id = p.owner_id
    JOIN teams t ON t.organization_id = o.id AND t.slug = 'team-' || CAST(p.id / 2 % 1000 + 1 AS TEXT)
WHERE o.login_key = 'octo' AND p.visibility = 'private';

INSERT INTO versions (package_id, digest, media_type, size, created_at, updated_at, content)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
SELECT p.id, 'sha256:' || substr('{zeros}', 1, 64 - length(CAST(p.id * 10 + n.i AS TEXT)))
        || CAST(p.id * 10 + n.i AS TEXT),
    'application/vnd.oci.image.manifest.v1+json', 1500, n.i, n.i, CAST('{content}' AS {BYTES})
FROM packages p CROSS JOIN n;
INSERT INTO versions (package_id, digest, media_type, size, created_at, updated_at, content)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {versions})
SELECT p.id, 'sha256:' || substr('f{zeros}', 1, 64 - length(CAST(n.i AS TEXT)))
        || CAST(n.i AS TEXT),
    'application/vnd.oci.image.manifest.v1+json', 1500, n.i + 10, n.i, CAST('{content}' AS {BYTES})
FROM packages p CROSS JOIN n WHERE p.name = 'group-2/app-2';
INSERT INTO tags (package_id, name, version_id, created_at, updated_at)
SELECT v.package_id, 'v' || CAST(v.created_at AS TEXT), v.id, v.created_at, v.created_at
FROM versions v WHERE v.created_at >= 7;

INSERT INTO search_terms (reach, term, package_id)
SELECT CASE p.visibility WHEN 'public' THEN 0 WHEN 'internal' THEN -1 ELSE p.owner_id END,
    t.term, p.id
FROM (SELECT 'n:' || p.name AS term, p.id AS package_id FROM packages p
    UNION SELECT 'w:' || p.name, p.id FROM packages p
    UNION SELECT 'w:app', p.id FROM packages p
    UNION SELECT 'w:group', p.id FROM packages p
    UNION SELECT 'w:' || CAST(p.created_at AS TEXT), p.id FROM packages p
    UNION SELECT 'w:app-' || CAST(p.created_at AS TEXT), p.id FROM packages p
    UNION SELECT 'w:group-' || CAST(p.created_at % 100 AS TEXT), p.id FROM packages p
    UNION SELECT 'o:' || CAST(p.owner_id AS TEXT), p.id FROM packages p
    UNION SELECT 'k:container', p.id FROM packages p
    UNION SELECT 't:' || t.name, t.package_id FROM tags t WHERE t.created_at < 1000
    UNION SELECT 'w:' || t.name, t.package_id FROM tags t WHERE t.created_at < 1000
    UNION SELECT 'd:' || substr(v.digest, 8), v.package_id FROM versions v
        WHERE v.created_at < 1000) t
    JOIN packages p ON p.id = t.package_id;
DELETE FROM search_queue;

-- Lists of packages are of one type each: an index for each, with what most of its packages are
-- decided by, is half as long and asks nothing about the type of what is passed over.
DROP INDEX packages_listed;
CREATE INDEX packages_listed_container
    ON packages (owner_id, id, visibility, repository_id, inherit_access)
    WHERE package_type = 'container' AND deleted_at IS NULL AND published_at IS NOT NULL;
CREATE INDEX packages_listed_docker ON packages (owner_id, id, name)
    WHERE package_type = 'docker' AND deleted_at IS NULL AND published_at IS NOT NULL;

-- What somebody was granted, alone or in a team, without a look at the grants themselves.
DROP INDEX package_users_user;
CREATE INDEX package_users_user ON package_users (user_id, package_id);
DROP INDEX package_teams_team;
CREATE INDEX package_teams_team ON package_teams (team_id, package_id);
DROP INDEX repository_users_user;
CREATE INDEX repository_users_user ON repository_users (user_id, repository_id);
DROP INDEX repository_teams_team;
CREATE INDEX repository_teams_team ON repository_teams (team_id, repository_id);
DROP INDEX team_members_user;
CREATE INDEX team_members_user ON team_members (user_id, team_id);

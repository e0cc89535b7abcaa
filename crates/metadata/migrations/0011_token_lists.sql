-- Tokens are listed page by page, newest first: those of a user, and those of a repository's
-- workflows.
CREATE INDEX tokens_user_id ON tokens (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX tokens_repository ON tokens (repository_id, id) WHERE repository_id IS NOT NULL;

-- Downloads: a total for each version and package that lasts as long as they do, and a row a day
-- that is kept for thirteen months. Days are counted in UTC since 1970-01-01.
--
-- Rows are added to, never set, so that several processes can write what each of them counted.

CREATE TABLE version_statistics (
    version_id    BIGINT NOT NULL PRIMARY KEY REFERENCES versions (id) ON DELETE RESTRICT,
    package_id    BIGINT NOT NULL,
    downloads     BIGINT NOT NULL,
    downloaded_at BIGINT NOT NULL                  -- the last time
) {{STRICT}};
-- For "more than so many downloads on any version".
CREATE INDEX version_statistics_package ON version_statistics (package_id, downloads);

CREATE TABLE version_downloads (
    version_id BIGINT NOT NULL REFERENCES versions (id) ON DELETE RESTRICT,
    day        BIGINT NOT NULL,
    downloads  BIGINT NOT NULL,
    PRIMARY KEY (version_id, day)
) {{STRICT}};
CREATE INDEX version_downloads_day ON version_downloads (day);

CREATE TABLE package_statistics (
    package_id    BIGINT NOT NULL PRIMARY KEY REFERENCES packages (id) ON DELETE RESTRICT,
    downloads     BIGINT NOT NULL,                 -- also of versions that have gone since
    pulls         BIGINT NOT NULL,                 -- an index and the child read through it are one
    downloaded_at BIGINT NOT NULL
) {{STRICT}};

CREATE TABLE package_downloads (
    package_id BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    day        BIGINT NOT NULL,
    downloads  BIGINT NOT NULL,
    pulls      BIGINT NOT NULL,
    PRIMARY KEY (package_id, day)
) {{STRICT}};
CREATE INDEX package_downloads_day ON package_downloads (day);

-- Search: what packages are found by, and which of them are to be looked at anew.

-- A term is a letter for what it is, a colon and a text in lower case; see `search.rs`. The reach
-- says to whom a package may be shown by what it is: 0 to everybody, -1 to whoever has signed in,
-- else to the owner with this number. It narrows what is looked at; who may read is decided anew.
CREATE TABLE search_terms (
    reach      BIGINT NOT NULL,
    term       {{TEXT}} NOT NULL,
    package_id BIGINT NOT NULL REFERENCES packages (id) ON DELETE RESTRICT,
    PRIMARY KEY (reach, term, package_id)
) {{STRICT}};
CREATE INDEX search_terms_package ON search_terms (package_id, term);

-- Packages of which something happened, until their terms are written anew.
CREATE TABLE search_queue (
    package_id BIGINT NOT NULL PRIMARY KEY
) {{STRICT}};
INSERT INTO search_queue (package_id) SELECT p.id FROM packages p WHERE p.published_at IS NOT NULL;

-- What is said about artifacts: attestations, deployment and storage records. All of it belongs to
-- a source repository: who may read that, may read it.

-- A Sigstore bundle as it came, last in the row. What is searched for stands beside it.
CREATE TABLE attestations (
    id             {{ID}},
    repository_id  BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    owner_id       BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    predicate_type {{TEXT}} NOT NULL,
    predicate_kind {{TEXT}} CHECK (predicate_kind IN ('provenance', 'sbom', 'release')),
    initiator      {{TEXT}} NOT NULL CHECK (initiator IN ('user', 'workflow')),
    created_at     BIGINT NOT NULL,
    size           BIGINT NOT NULL,
    bundle         {{TEXT}} NOT NULL
) {{STRICT}};
CREATE INDEX attestations_repository ON attestations (repository_id, id);
CREATE INDEX attestations_owner ON attestations (owner_id, repository_id);

-- What an attestation is about. The owner and the repository stand here too, so that one index
-- answers who says what about a digest, however many others say something about it.
CREATE TABLE attestation_subjects (
    attestation_id BIGINT NOT NULL REFERENCES attestations (id) ON DELETE RESTRICT,
    digest         {{TEXT}} NOT NULL,
    owner_id       BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    repository_id  BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    PRIMARY KEY (attestation_id, digest)
) {{STRICT}};
CREATE INDEX attestation_subjects_digest
    ON attestation_subjects (owner_id, digest, repository_id, attestation_id);

-- Where an artifact is deployed. What is not said is empty, so that a deployment has one name.
CREATE TABLE deployment_records (
    id                   {{ID}},
    organization_id      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    repository_id        BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    logical_environment  {{TEXT}} NOT NULL,
    physical_environment {{TEXT}} NOT NULL,
    cluster              {{TEXT}} NOT NULL,
    deployment_name      {{TEXT}} NOT NULL,
    name                 {{TEXT}} NOT NULL,
    digest               {{TEXT}} NOT NULL,
    version              {{TEXT}},
    status               {{TEXT}} NOT NULL CHECK (status IN ('deployed', 'decommissioned')),
    tags                 {{TEXT}} NOT NULL,          -- JSON object of texts
    runtime_risks        {{TEXT}} NOT NULL,          -- JSON list of words
    attestation_id       BIGINT REFERENCES attestations (id) ON DELETE RESTRICT,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
) {{STRICT}};
CREATE UNIQUE INDEX deployment_records_name ON deployment_records
    (organization_id, cluster, logical_environment, physical_environment, deployment_name);
CREATE INDEX deployment_records_digest ON deployment_records (organization_id, digest, id);
CREATE INDEX deployment_records_repository ON deployment_records (repository_id);
CREATE INDEX deployment_records_attestation ON deployment_records (attestation_id)
    WHERE attestation_id IS NOT NULL;

-- Where an artifact lies.
CREATE TABLE storage_records (
    id              {{ID}},
    organization_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    repository_id   BIGINT NOT NULL REFERENCES repositories (id) ON DELETE RESTRICT,
    digest          {{TEXT}} NOT NULL,
    registry_url    {{TEXT}} NOT NULL,
    repository      {{TEXT}} NOT NULL,
    path            {{TEXT}} NOT NULL,
    artifact_url    {{TEXT}} NOT NULL,
    name            {{TEXT}} NOT NULL,
    version         {{TEXT}},
    status          {{TEXT}} NOT NULL CHECK (status IN ('active', 'eol', 'deleted')),
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
) {{STRICT}};
CREATE UNIQUE INDEX storage_records_place ON storage_records
    (organization_id, digest, registry_url, repository, path);
CREATE INDEX storage_records_digest ON storage_records (organization_id, digest, id);
CREATE INDEX storage_records_repository ON storage_records (repository_id);

-- Jobs that set the records of a cluster; they end in the request that makes them, and are kept
-- for a while for whoever asks what became of them.
CREATE TABLE cluster_jobs (
    id              {{ID}},
    organization_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
    cluster         {{TEXT}} NOT NULL,
    principal       {{TEXT}} NOT NULL,               -- whose it is: `user:7`, `repository:9`
    total           BIGINT NOT NULL,
    started_at      BIGINT NOT NULL
) {{STRICT}};
CREATE INDEX cluster_jobs_age ON cluster_jobs (organization_id, started_at);

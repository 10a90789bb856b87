-- {bytes}, {json} and {serial} are filled in by the dialect.

-- Groups publish too: what is published belongs to a distributor of a repository or to one of a group. Tables that refer to others
-- cannot lose a condition everywhere, so they are made anew.
CREATE TABLE publications_19 (
  id {bytes} NOT NULL PRIMARY KEY,
  repo_id TEXT,
  group_id TEXT,
  distributor_id TEXT NOT NULL,
  index_blob {bytes} NOT NULL,
  repo_version BIGINT NOT NULL,
  created BIGINT NOT NULL,
  paths BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  made_from {json},
  CHECK ((repo_id IS NULL) <> (group_id IS NULL)),
  FOREIGN KEY (repo_id, distributor_id) REFERENCES distributors (repo_id, id) ON DELETE CASCADE,
  FOREIGN KEY (group_id, distributor_id) REFERENCES repo_group_distributors (group_id, id) ON DELETE CASCADE
);
INSERT INTO publications_19 (id, repo_id, distributor_id, index_blob, repo_version, created, paths, bytes, made_from)
  SELECT id, repo_id, distributor_id, index_blob, repo_version, created, paths, bytes, made_from FROM publications;

CREATE TABLE publication_blobs_19 (
  publication_id {bytes} NOT NULL REFERENCES publications_19 (id) ON DELETE CASCADE,
  blob {bytes} NOT NULL,
  PRIMARY KEY (publication_id, blob)
);
INSERT INTO publication_blobs_19 (publication_id, blob) SELECT publication_id, blob FROM publication_blobs;

CREATE TABLE mounts_19 (
  prefix TEXT NOT NULL PRIMARY KEY,
  repo_id TEXT,
  group_id TEXT,
  distributor_id TEXT NOT NULL,
  publication_id {bytes} NOT NULL REFERENCES publications_19 (id) ON DELETE CASCADE,
  http BOOLEAN NOT NULL,
  https BOOLEAN NOT NULL,
  updated BIGINT NOT NULL,
  retired BIGINT,
  CHECK ((repo_id IS NULL) <> (group_id IS NULL)),
  FOREIGN KEY (repo_id, distributor_id) REFERENCES distributors (repo_id, id) ON DELETE CASCADE,
  FOREIGN KEY (group_id, distributor_id) REFERENCES repo_group_distributors (group_id, id) ON DELETE CASCADE
);
INSERT INTO mounts_19 (prefix, repo_id, distributor_id, publication_id, http, https, updated, retired)
  SELECT prefix, repo_id, distributor_id, publication_id, http, https, updated, retired FROM mounts;

DROP TABLE mounts;
DROP TABLE publication_blobs;
DROP TABLE publications;
ALTER TABLE publications_19 RENAME TO publications;
ALTER TABLE publication_blobs_19 RENAME TO publication_blobs;
ALTER TABLE mounts_19 RENAME TO mounts;

CREATE INDEX publications_by_distributor ON publications (repo_id, distributor_id, created);
CREATE INDEX publications_by_group ON publications (group_id, distributor_id);
CREATE INDEX publication_blobs_by_blob ON publication_blobs (blob);
CREATE INDEX mounts_by_distributor ON mounts (repo_id, distributor_id);
CREATE INDEX mounts_by_group ON mounts (group_id, distributor_id);
CREATE INDEX mounts_by_publication ON mounts (publication_id);

-- {bytes}, {json} and {serial} are filled in by the dialect.
-- Both tables come by the ten thousand and have no foreign keys: what deletes units, importers and repositories deletes
-- here too.

-- Where files can be had that are not here, or are here and broken. The importer of `repo_id` has the credentials.
-- Path '' is the file of the unit itself; others name the files of units that have several.
CREATE TABLE sources (
  unit_id {bytes} NOT NULL,
  path TEXT NOT NULL,
  repo_id TEXT NOT NULL,
  urls {json} NOT NULL,
  size BIGINT,
  digests {json} NOT NULL,
  revision BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (unit_id, path, repo_id)
) {clustered};
CREATE INDEX sources_by_repo ON sources (repo_id);

-- What alternate content sources have, by unit key.
CREATE TABLE alternates (
  type_id TEXT NOT NULL,
  key_digest {bytes} NOT NULL,
  source_id TEXT NOT NULL,
  url TEXT NOT NULL,
  expires BIGINT NOT NULL,
  PRIMARY KEY (type_id, key_digest, source_id, url)
) {clustered};
CREATE INDEX alternates_by_source ON alternates (source_id, expires);

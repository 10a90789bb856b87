-- {bytes}, {json} and {serial} are filled in by the dialect.

-- What a publication served and the one after it does not. It can still be had at its own path for a grace period, which
-- is a setting and so is not in here.
CREATE TABLE retired_paths (
  repo_id TEXT NOT NULL,
  distributor_id TEXT NOT NULL,
  path TEXT NOT NULL,
  -- The file; of one that was not here, what its digest will be, where that is known.
  blob {bytes},
  -- The unit whose file was not here.
  unit_id {bytes},
  size BIGINT NOT NULL,
  mtime BIGINT NOT NULL,
  content_type TEXT,
  retired BIGINT NOT NULL,
  PRIMARY KEY (repo_id, distributor_id, path),
  FOREIGN KEY (repo_id, distributor_id) REFERENCES distributors (repo_id, id) ON DELETE CASCADE
) {clustered};
CREATE INDEX retired_paths_by_blob ON retired_paths (blob) WHERE blob IS NOT NULL;
CREATE INDEX retired_paths_by_unit ON retired_paths (unit_id) WHERE unit_id IS NOT NULL;
CREATE INDEX retired_paths_by_time ON retired_paths (retired);

-- When a path was last retired below the mount: without one nothing need be looked up.
ALTER TABLE mounts ADD COLUMN retired BIGINT;

-- Files whose units somebody deleted by name: no grace serves them, not even that of a later publish.
CREATE TABLE withdrawn_blobs (
  blob {bytes} NOT NULL PRIMARY KEY
) {clustered};

-- {bytes}, {json} and {serial} are filled in by the dialect.
-- Ids and digests are raw bytes, times are microseconds since 1970, `oid` is 24 hexadecimal digits.
-- Rows that come by the ten thousand (repo_units, unit_parts, staged_units) have no foreign keys: the statements that
-- delete their parents delete them too.

CREATE TABLE repos (
  seq {serial},
  id TEXT NOT NULL UNIQUE,
  oid TEXT NOT NULL,
  display_name TEXT,
  description TEXT,
  notes {json} NOT NULL,
  scratchpad {json} NOT NULL,
  last_unit_added BIGINT,
  last_unit_removed BIGINT,
  version BIGINT NOT NULL
);

CREATE TABLE repo_counts (
  repo_id TEXT NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
  type_id TEXT NOT NULL,
  units BIGINT NOT NULL,
  PRIMARY KEY (repo_id, type_id)
);

CREATE TABLE repo_versions (
  repo_id TEXT NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
  number BIGINT NOT NULL,
  created BIGINT NOT NULL,
  added BIGINT NOT NULL,
  removed BIGINT NOT NULL,
  PRIMARY KEY (repo_id, number)
);

CREATE TABLE importers (
  repo_id TEXT NOT NULL PRIMARY KEY REFERENCES repos (id) ON DELETE CASCADE,
  oid TEXT NOT NULL,
  type_id TEXT NOT NULL,
  config {json} NOT NULL,
  scratchpad {json},
  last_sync BIGINT,
  last_updated BIGINT NOT NULL,
  last_override {json}
);

CREATE TABLE distributors (
  repo_id TEXT NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  oid TEXT NOT NULL,
  type_id TEXT NOT NULL,
  config {json} NOT NULL,
  auto_publish BOOLEAN NOT NULL,
  last_publish BIGINT,
  last_updated BIGINT NOT NULL,
  last_override {json},
  scratchpad {json} NOT NULL,
  PRIMARY KEY (repo_id, id)
);

CREATE TABLE units (
  id {bytes} NOT NULL PRIMARY KEY,
  type_id TEXT NOT NULL,
  key_digest {bytes} NOT NULL,
  blob {bytes},
  size BIGINT,
  downloaded BOOLEAN NOT NULL,
  last_updated BIGINT NOT NULL,
  doc {json} NOT NULL,
  UNIQUE (type_id, key_digest)
);
-- Listing by type and id, without visiting the documents.
CREATE INDEX units_by_type ON units (type_id, id);
-- Few rows when all is well: what deferred download still has to fetch.
CREATE INDEX units_not_here ON units (id) WHERE NOT downloaded;
-- Which units need a blob.
CREATE INDEX units_by_blob ON units (blob) WHERE blob IS NOT NULL;

CREATE TABLE unit_parts (
  unit_id {bytes} NOT NULL,
  part TEXT NOT NULL,
  data {bytes} NOT NULL,
  PRIMARY KEY (unit_id, part)
);

-- removed_in IS NULL: what the repository has now. The others are its history.
CREATE TABLE repo_units (
  repo_id TEXT NOT NULL,
  type_id TEXT NOT NULL,
  unit_id {bytes} NOT NULL,
  added_in BIGINT NOT NULL,
  removed_in BIGINT,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (repo_id, type_id, unit_id, added_in)
) {clustered};
CREATE INDEX repo_units_by_unit ON repo_units (unit_id, repo_id);

CREATE TABLE staged_units (
  task_id {bytes} NOT NULL,
  type_id TEXT NOT NULL,
  unit_id {bytes} NOT NULL,
  remove BOOLEAN NOT NULL,
  PRIMARY KEY (task_id, type_id, unit_id)
) {clustered};

CREATE TABLE blobs (
  sha256 {bytes} NOT NULL PRIMARY KEY,
  size BIGINT NOT NULL,
  created BIGINT NOT NULL
) {clustered};

CREATE TABLE publications (
  id {bytes} NOT NULL PRIMARY KEY,
  repo_id TEXT NOT NULL,
  distributor_id TEXT NOT NULL,
  index_blob {bytes} NOT NULL,
  repo_version BIGINT NOT NULL,
  created BIGINT NOT NULL,
  paths BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  FOREIGN KEY (repo_id, distributor_id) REFERENCES distributors (repo_id, id) ON DELETE CASCADE
);
CREATE INDEX publications_by_distributor ON publications (repo_id, distributor_id, created);

-- Blobs that an index refers to beside the files of units.
CREATE TABLE publication_blobs (
  publication_id {bytes} NOT NULL REFERENCES publications (id) ON DELETE CASCADE,
  blob {bytes} NOT NULL,
  PRIMARY KEY (publication_id, blob)
);
CREATE INDEX publication_blobs_by_blob ON publication_blobs (blob);

CREATE TABLE mounts (
  prefix TEXT NOT NULL PRIMARY KEY,
  repo_id TEXT NOT NULL,
  distributor_id TEXT NOT NULL,
  publication_id {bytes} NOT NULL REFERENCES publications (id) ON DELETE CASCADE,
  http BOOLEAN NOT NULL,
  https BOOLEAN NOT NULL,
  updated BIGINT NOT NULL,
  FOREIGN KEY (repo_id, distributor_id) REFERENCES distributors (repo_id, id) ON DELETE CASCADE
);
CREATE INDEX mounts_by_distributor ON mounts (repo_id, distributor_id);
CREATE INDEX mounts_by_publication ON mounts (publication_id);

-- Numbers that grow, so that caches know when to read again.
CREATE TABLE generations (
  name TEXT NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO generations (name, value) VALUES ('mounts', 0);

CREATE TABLE tasks (
  seq {serial},
  id {bytes} NOT NULL UNIQUE,
  oid TEXT NOT NULL,
  kind TEXT NOT NULL,
  args {json} NOT NULL,
  state TEXT NOT NULL,
  -- Holds its resources: waiting, or executing (also when cancelled meanwhile).
  open BOOLEAN NOT NULL,
  tags {json} NOT NULL,
  worker TEXT,
  group_id {bytes},
  created BIGINT NOT NULL,
  started BIGINT,
  finished BIGINT,
  heartbeat BIGINT,
  progress {json} NOT NULL,
  result {json} NOT NULL,
  error {json},
  traceback TEXT,
  spawned {json} NOT NULL,
  attempt BIGINT NOT NULL,
  cancel_requested BOOLEAN NOT NULL
);
CREATE INDEX tasks_waiting ON tasks (seq) WHERE state = 'waiting';
CREATE INDEX tasks_open ON tasks (worker) WHERE open;
CREATE INDEX tasks_by_group ON tasks (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX tasks_by_created ON tasks (created);

CREATE TABLE task_tags (
  tag TEXT NOT NULL,
  task_id {bytes} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  PRIMARY KEY (tag, task_id)
);
CREATE INDEX task_tags_by_task ON task_tags (task_id);

-- Only of open tasks: a row here stands in the way of later tasks.
CREATE TABLE task_resources (
  task_id {bytes} NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  resource TEXT NOT NULL,
  seq BIGINT NOT NULL,
  exclusive BOOLEAN NOT NULL,
  PRIMARY KEY (task_id, resource)
);
CREATE INDEX task_resources_by_resource ON task_resources (resource, seq);

CREATE TABLE workers (
  name TEXT NOT NULL PRIMARY KEY,
  started BIGINT NOT NULL,
  heartbeat BIGINT NOT NULL
);

CREATE TABLE history (
  seq {serial},
  kind TEXT NOT NULL,
  oid TEXT NOT NULL,
  repo_id TEXT NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
  actor_id TEXT NOT NULL,
  actor_type TEXT NOT NULL,
  started BIGINT NOT NULL,
  completed BIGINT NOT NULL,
  result TEXT NOT NULL,
  error_message TEXT,
  exception TEXT,
  traceback {json} NOT NULL,
  added BIGINT,
  updated BIGINT,
  removed BIGINT,
  summary {json} NOT NULL,
  details {json} NOT NULL
);
CREATE INDEX history_by_repo ON history (repo_id, kind, started);
CREATE INDEX history_by_completed ON history (kind, completed);

CREATE TABLE users (
  seq {serial},
  login TEXT NOT NULL UNIQUE,
  oid TEXT NOT NULL,
  name TEXT NOT NULL,
  password_hash TEXT,
  roles {json} NOT NULL
);

CREATE TABLE settings (
  key TEXT NOT NULL PRIMARY KEY,
  value {json} NOT NULL
);

CREATE TABLE uploads (
  id {bytes} NOT NULL PRIMARY KEY,
  created BIGINT NOT NULL,
  size BIGINT NOT NULL
);

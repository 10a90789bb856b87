-- {bytes}, {json} and {serial} are filled in by the dialect.

CREATE TABLE repo_groups (
  seq {serial},
  id TEXT NOT NULL UNIQUE,
  oid TEXT NOT NULL,
  display_name {json} NOT NULL,
  description {json} NOT NULL,
  notes {json} NOT NULL
);

-- In the order in which the repositories joined.
CREATE TABLE repo_group_members (
  seq {serial},
  group_id TEXT NOT NULL REFERENCES repo_groups (id) ON DELETE CASCADE,
  repo_id TEXT NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
  UNIQUE (group_id, repo_id)
);
CREATE INDEX repo_group_members_by_repo ON repo_group_members (repo_id);

CREATE TABLE repo_group_distributors (
  seq {serial},
  group_id TEXT NOT NULL REFERENCES repo_groups (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  oid TEXT NOT NULL,
  type_id TEXT NOT NULL,
  config {json} NOT NULL,
  last_publish BIGINT,
  scratchpad {json} NOT NULL,
  UNIQUE (group_id, id)
);

-- Schedules go with what they run on: the importer, the distributor, and so the repository.
CREATE TABLE schedules (
  seq {serial},
  oid TEXT NOT NULL UNIQUE,
  resource TEXT NOT NULL,
  importer_of TEXT REFERENCES importers (repo_id) ON DELETE CASCADE,
  distributor_of TEXT,
  distributor_id TEXT,
  task TEXT NOT NULL,
  args {json} NOT NULL,
  kwargs {json} NOT NULL,
  iso_schedule TEXT NOT NULL,
  first_run TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  failure_threshold BIGINT,
  consecutive_failures BIGINT NOT NULL,
  total_run_count BIGINT NOT NULL,
  remaining_runs BIGINT,
  last_run_at BIGINT,
  last_updated BIGINT NOT NULL,
  -- When it has to run next; null for never. Follows from the columns above and is kept for the index.
  due BIGINT,
  FOREIGN KEY (distributor_of, distributor_id) REFERENCES distributors (repo_id, id) ON DELETE CASCADE
);
CREATE INDEX schedules_by_resource ON schedules (resource, seq);
CREATE INDEX schedules_by_importer ON schedules (importer_of) WHERE importer_of IS NOT NULL;
CREATE INDEX schedules_by_distributor ON schedules (distributor_of, distributor_id) WHERE distributor_of IS NOT NULL;
CREATE INDEX schedules_due ON schedules (due) WHERE due IS NOT NULL;

-- Tasks that a schedule queued, and those that they spawned: their ends count for the schedule.
CREATE TABLE scheduled_tasks (
  task_id {bytes} NOT NULL PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
  schedule TEXT NOT NULL
);

-- Who may do what only one process should do at a time.
CREATE TABLE leases (
  name TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  expires BIGINT NOT NULL
);

-- Housekeeping that comes round by itself.
CREATE TABLE periodic (
  name TEXT NOT NULL PRIMARY KEY,
  last_run BIGINT NOT NULL
);

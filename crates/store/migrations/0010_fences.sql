-- {bytes}, {json} and {serial} are filled in by the dialect.

-- What is staged belongs to one attempt of a task: two of them never mix. Nothing that was staged before counts: the tasks
-- that were running start over.
DROP TABLE staged_units;
CREATE TABLE staged_units (
  task_id {bytes} NOT NULL,
  attempt BIGINT NOT NULL,
  type_id TEXT NOT NULL,
  unit_id {bytes} NOT NULL,
  remove BOOLEAN NOT NULL,
  PRIMARY KEY (task_id, attempt, type_id, unit_id)
) {clustered};

-- An upload that nobody came back for: its bytes are being deleted.
ALTER TABLE uploads ADD COLUMN expired BOOLEAN NOT NULL DEFAULT FALSE;

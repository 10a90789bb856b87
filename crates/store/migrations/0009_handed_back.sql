-- How often a task was given back by a worker that was told to stop: those starts are no sign of anything wrong with it.
ALTER TABLE tasks ADD COLUMN handed_back BIGINT NOT NULL DEFAULT 0;

-- What waits and runs, by kind: counted without a look at the rows. It begins with the kind, so that nobody takes it for the order of
-- the queue; SQLite looks at the rows for `open` where the index does not have it.
CREATE INDEX tasks_open_by_kind ON tasks (kind, state, created, open) WHERE open;

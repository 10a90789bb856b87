-- {bytes}, {json} and {serial} are filled in by the dialect.

-- The files of units that have several are in a list, which is the file of such a unit. What the list names is needed as long as
-- the list is.
CREATE TABLE file_lists (
  list {bytes} NOT NULL,
  -- A file, or many small ones together.
  blob {bytes} NOT NULL,
  size BIGINT NOT NULL,
  -- When somebody last made this list.
  made BIGINT NOT NULL,
  PRIMARY KEY (list, blob)
) {clustered};
CREATE INDEX file_lists_by_blob ON file_lists (blob);

-- Of a retired file that is a part of its blob: its digest, and where it begins.
ALTER TABLE retired_paths ADD COLUMN sha256 {bytes};
ALTER TABLE retired_paths ADD COLUMN start BIGINT;

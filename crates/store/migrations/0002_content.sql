-- {bytes}, {json} and {serial} are filled in by the dialect.

-- When it was found that nothing needs the blob; NULL while something does. Kept for a grace period, because work under
-- way may have found the file and not yet saved the row that needs it.
ALTER TABLE blobs ADD COLUMN condemned BIGINT;
-- 'here'; 'leaving' while its file is being deleted; 'gone' afterwards. The row of a deleted file stays for a grace period,
-- so that whoever comes with a row for it learns that the file may not be there any more.
ALTER TABLE blobs ADD COLUMN state TEXT NOT NULL DEFAULT 'here';
CREATE INDEX blobs_condemned ON blobs (condemned) WHERE condemned IS NOT NULL;

-- When bytes last came in.
ALTER TABLE uploads ADD COLUMN written BIGINT;

-- Upkeep that one process does for all: when each chore is due next.
CREATE TABLE chores (
  name TEXT NOT NULL PRIMARY KEY,
  due BIGINT NOT NULL
);

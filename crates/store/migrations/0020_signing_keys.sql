-- {bytes}, {json} and {serial} are filled in by the dialect.

-- Keys that sign what is published. `secret` is sealed; it is null once the key was retired, and where the key that sealed it was
-- lost. Of the keys that are not retired each name is there once, and one of them at most is the default.
CREATE TABLE signing_keys (
  seq {serial},
  fingerprint TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  user_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  public TEXT NOT NULL,
  secret TEXT,
  is_default BOOLEAN NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT,
  retired BIGINT
);
CREATE UNIQUE INDEX signing_keys_by_name ON signing_keys (name) WHERE retired IS NULL;

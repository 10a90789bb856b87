-- {bytes}, {json} and {serial} are filled in by the dialect.

-- Units of one key of which sources say different things are several units: `said` is the digest of what was said. Of what is
-- stored nobody kept it, so it gets a value that is never equal to such a digest. `site` is where the file comes from, and all
-- zero where it was uploaded or there is none.
CREATE TABLE units_said (
  id {bytes} NOT NULL PRIMARY KEY,
  type_id TEXT NOT NULL,
  key_digest {bytes} NOT NULL,
  said {bytes} NOT NULL,
  site {bytes} NOT NULL,
  blob {bytes},
  size BIGINT,
  downloaded BOOLEAN NOT NULL,
  last_updated BIGINT NOT NULL,
  doc {json} NOT NULL,
  UNIQUE (type_id, key_digest, said, site)
);
INSERT INTO units_said (id, type_id, key_digest, said, site, blob, size, downloaded, last_updated, doc)
  SELECT id, type_id, key_digest, key_digest, key_digest, blob, size, downloaded, last_updated, doc FROM units;
DROP TABLE units;
ALTER TABLE units_said RENAME TO units;
CREATE INDEX units_by_type ON units (type_id, id);
CREATE INDEX units_not_here ON units (id) WHERE NOT downloaded;
CREATE INDEX units_by_blob ON units (blob) WHERE blob IS NOT NULL;

-- The unit of the same key that comes in its place.
ALTER TABLE staged_units ADD COLUMN instead {bytes};

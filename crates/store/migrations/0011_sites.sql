-- The site that an entry of the catalog came from. Of entries that are there already only the kind is told: they go on
-- following the feed of their importer as long as that is no other.
ALTER TABLE sources ADD COLUMN site TEXT NOT NULL DEFAULT '';
UPDATE sources SET site = 'file://'
  WHERE repo_id IN (SELECT repo_id FROM importers WHERE LOWER(config ->> 'feed') LIKE 'file:%');

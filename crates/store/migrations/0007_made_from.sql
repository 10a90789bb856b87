-- Counts how often units that a repository has were changed in place. Beside `version`: equal numbers mean equal content.
ALTER TABLE repos ADD COLUMN changes BIGINT NOT NULL DEFAULT 0;

-- Everything that a publication, or the last good sync, was made from. Null means that nobody knows: it is made anew.
ALTER TABLE publications ADD COLUMN made_from {json};
ALTER TABLE importers ADD COLUMN made_from {json};

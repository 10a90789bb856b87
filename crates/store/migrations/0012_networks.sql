-- Is true when the feed of an entry was in the internet when the entry was written: it has no business elsewhere later on.
ALTER TABLE sources ADD COLUMN in_internet BOOLEAN NOT NULL DEFAULT FALSE;

-- Is true when the file was here and was lost: whoever mends it mends it for all who had it.
ALTER TABLE units ADD COLUMN lost BOOLEAN NOT NULL DEFAULT FALSE;

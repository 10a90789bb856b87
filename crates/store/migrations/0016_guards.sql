-- The digest of the authorities whose clients alone may read what the distributor publishes; none for everybody. It follows from
-- the settings and is written with them.
ALTER TABLE distributors ADD COLUMN guard {bytes};

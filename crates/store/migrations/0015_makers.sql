-- Who last said what a schedule does, by login and `_id`: it ends with their right. Null where nobody did, or an earlier version.
ALTER TABLE schedules ADD COLUMN maker_login TEXT;
ALTER TABLE schedules ADD COLUMN maker_oid TEXT;

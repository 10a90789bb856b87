-- Uploads belong to whoever made them: the `oid` of a user. Those from before belong to nobody, which is to super-users.
ALTER TABLE uploads ADD COLUMN owner TEXT;

-- A task whose process died more than once is not run again before this.
ALTER TABLE tasks ADD COLUMN not_before BIGINT;

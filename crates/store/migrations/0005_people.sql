-- {bytes}, {json} and {serial} are filled in by the dialect.

-- `name` may be null. A login certificate from before `password_changed` does not count any more.
ALTER TABLE users RENAME TO users_first;
CREATE TABLE users (
  seq {serial},
  login TEXT NOT NULL UNIQUE,
  oid TEXT NOT NULL,
  name TEXT,
  password_hash TEXT,
  password_changed BIGINT NOT NULL,
  roles {json} NOT NULL
);
INSERT INTO users (login, oid, name, password_hash, password_changed, roles)
  SELECT login, oid, name, password_hash, 0, roles FROM users_first ORDER BY seq;
DROP TABLE users_first;

-- `display_name` and `description` are whatever JSON a client sent. `grants` is a list of
-- {"resource": text, "permission": [number]}; null while nothing was ever granted.
CREATE TABLE roles (
  seq {serial},
  id TEXT NOT NULL UNIQUE,
  oid TEXT NOT NULL,
  display_name {json} NOT NULL,
  description {json} NOT NULL,
  grants {json} NOT NULL
);

-- A resource on which somebody has rights.
CREATE TABLE permissions (
  seq {serial},
  resource TEXT NOT NULL UNIQUE,
  oid TEXT NOT NULL
);

-- `operations` are numbers, in the order in which they were granted. Only what stands here is ever checked: what a role
-- grants is copied to its members.
CREATE TABLE user_rights (
  login TEXT NOT NULL REFERENCES users (login) ON DELETE CASCADE,
  resource TEXT NOT NULL REFERENCES permissions (resource) ON DELETE CASCADE,
  operations {json} NOT NULL,
  PRIMARY KEY (login, resource)
);
CREATE INDEX user_rights_by_resource ON user_rights (resource);

INSERT INTO generations (name, value) VALUES ('people', 0);

-- What an account needs to sign in beside its password: the sealed secret of a second factor, what is left of
-- recovery codes (their digests, as JSON), whether another password is to be chosen, and which password of
-- the configuration the account took over.
ALTER TABLE user_event ADD COLUMN totp_secret TEXT COLLATE "C";
ALTER TABLE user_event ADD COLUMN recovery_codes TEXT COLLATE "C";
ALTER TABLE user_event ADD COLUMN must_change BIGINT;
ALTER TABLE user_event ADD COLUMN configured TEXT COLLATE "C";

-- Tokens of programs; each event holds the whole token after it. Only the digest of the secret is known.
CREATE TABLE api_token_event (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  token_id BIGINT NOT NULL,
  event TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  owner TEXT COLLATE "C" NOT NULL,
  scope TEXT COLLATE "C" NOT NULL,
  secret_sha256 TEXT COLLATE "C" NOT NULL,
  expires_at TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX api_token_event_secret ON api_token_event (secret_sha256);

-- Not part of the books, and in no copy of them: who is signed in.
CREATE TABLE session (
  token_sha256 TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  session_id TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  credential TEXT COLLATE "C" NOT NULL,
  csrf TEXT COLLATE "C" NOT NULL,
  pending_totp BIGINT NOT NULL,
  must_change BIGINT NOT NULL,
  totp_setup TEXT COLLATE "C",
  period TEXT COLLATE "C",
  address TEXT COLLATE "C" NOT NULL,
  user_agent TEXT COLLATE "C" NOT NULL,
  created TEXT COLLATE "C" NOT NULL,
  last_seen TEXT COLLATE "C" NOT NULL,
  expires_at TEXT COLLATE "C" NOT NULL
);
CREATE INDEX session_name ON session (name);

-- Attempts to sign in that did not succeed, or not yet. Names stand as digests: people type passwords there.
CREATE TABLE sign_in_attempt (
  attempt TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  subject TEXT COLLATE "C" NOT NULL,
  network TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL
);
CREATE INDEX sign_in_attempt_subject ON sign_in_attempt (subject);
CREATE INDEX sign_in_attempt_network ON sign_in_attempt (network);

-- The time step of the last code of a second factor: each is good once.
CREATE TABLE totp_used (
  name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  step BIGINT NOT NULL
);

-- Links by which the first account is made.
CREATE TABLE set_up_link (
  token_sha256 TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  expires_at TEXT COLLATE "C" NOT NULL
);

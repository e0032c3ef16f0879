-- What an account needs to sign in beside its password: the sealed secret of a second factor, what is left of
-- recovery codes (their digests, as JSON), whether another password is to be chosen, and which password of
-- the configuration the account took over.
ALTER TABLE user_event ADD COLUMN totp_secret TEXT;
ALTER TABLE user_event ADD COLUMN recovery_codes TEXT;
ALTER TABLE user_event ADD COLUMN must_change INTEGER;
ALTER TABLE user_event ADD COLUMN configured TEXT;

-- Tokens of programs; each event holds the whole token after it. Only the digest of the secret is known.
CREATE TABLE api_token_event (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  token_id INTEGER NOT NULL,
  event TEXT NOT NULL,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  scope TEXT NOT NULL,
  secret_sha256 TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX api_token_event_secret ON api_token_event (secret_sha256);

-- Not part of the books, and in no copy of them: who is signed in.
CREATE TABLE session (
  token_sha256 TEXT NOT NULL PRIMARY KEY,
  session_id TEXT NOT NULL,
  name TEXT NOT NULL,
  credential TEXT NOT NULL,
  csrf TEXT NOT NULL,
  pending_totp INTEGER NOT NULL,
  must_change INTEGER NOT NULL,
  totp_setup TEXT,
  period TEXT,
  address TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  created TEXT NOT NULL,
  last_seen TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX session_name ON session (name);

-- Attempts to sign in that did not succeed, or not yet. Names stand as digests: people type passwords there.
CREATE TABLE sign_in_attempt (
  attempt TEXT NOT NULL PRIMARY KEY,
  subject TEXT NOT NULL,
  network TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
CREATE INDEX sign_in_attempt_subject ON sign_in_attempt (subject);
CREATE INDEX sign_in_attempt_network ON sign_in_attempt (network);

-- The time step of the last code of a second factor: each is good once.
CREATE TABLE totp_used (
  name TEXT NOT NULL PRIMARY KEY,
  step INTEGER NOT NULL
) STRICT;

-- Links by which the first account is made.
CREATE TABLE set_up_link (
  token_sha256 TEXT NOT NULL PRIMARY KEY,
  expires_at TEXT NOT NULL
) STRICT;

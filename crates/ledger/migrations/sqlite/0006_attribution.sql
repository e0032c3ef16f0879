-- The attribution table: whose what is, and from when to when.
CREATE TABLE attribution_rule (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  rule_id INTEGER NOT NULL UNIQUE,
  source_name TEXT,
  rule_key TEXT NOT NULL,
  value TEXT NOT NULL,
  gives TEXT NOT NULL,
  valid_from TEXT,
  valid_to TEXT,
  note TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;

-- The last day of a rule, said later; the latest of a rule counts.
CREATE TABLE attribution_end (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  rule_id INTEGER NOT NULL,
  valid_to TEXT NOT NULL,
  note TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX attribution_end_rule ON attribution_end (rule_id);

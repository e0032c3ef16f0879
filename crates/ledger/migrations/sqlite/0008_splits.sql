-- Charges over several funds.
CREATE TABLE split_rule (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  rule_id INTEGER NOT NULL UNIQUE,
  rule TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;

-- The last day of a split, said later; the latest of a rule counts.
CREATE TABLE split_end (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  rule_id INTEGER NOT NULL,
  last_day TEXT NOT NULL,
  note TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX split_end_rule ON split_end (rule_id);

-- Rules that people write: of the attribution table, splits, subsidies; as JSON.
CREATE TABLE rule (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  rule_id INTEGER NOT NULL,
  rule TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (kind, rule_id)
) STRICT;

-- Where a rule ends, said later; the latest of a rule counts.
CREATE TABLE rule_end (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  rule_id INTEGER NOT NULL,
  ends TEXT NOT NULL,
  note TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;

-- What subsidies saw and paid of the lines of a statement.
CREATE TABLE statement_leg (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  statement_number TEXT NOT NULL,
  version INTEGER NOT NULL,
  line INTEGER NOT NULL,
  leg INTEGER NOT NULL,
  rule_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  payer TEXT NOT NULL,
  account_code TEXT,
  seen TEXT NOT NULL,
  paid TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX statement_leg_statement ON statement_leg (statement_number, version);

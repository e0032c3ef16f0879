-- Who pays what of others' charges.
CREATE TABLE subsidy_rule (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  rule_id INTEGER NOT NULL UNIQUE,
  rule TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;

-- The last period of a rule, said later; the latest of a rule counts.
CREATE TABLE subsidy_end (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  rule_id INTEGER NOT NULL,
  last_period TEXT NOT NULL,
  note TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX subsidy_end_rule ON subsidy_end (rule_id);

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

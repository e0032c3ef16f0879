-- Rules that people write: of the attribution table, splits, subsidies; as JSON.
CREATE TABLE rule (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  rule_id BIGINT NOT NULL,
  rule TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (kind, rule_id)
);

-- Where a rule ends, said later; the latest of a rule counts.
CREATE TABLE rule_end (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  rule_id BIGINT NOT NULL,
  ends TEXT COLLATE "C" NOT NULL,
  note TEXT COLLATE "C",
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);

-- What subsidies saw and paid of the lines of a statement.
CREATE TABLE statement_leg (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  statement_number TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  line BIGINT NOT NULL,
  leg BIGINT NOT NULL,
  rule_id BIGINT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  payer TEXT COLLATE "C" NOT NULL,
  account_code TEXT COLLATE "C",
  seen TEXT COLLATE "C" NOT NULL,
  paid TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX statement_leg_statement ON statement_leg (statement_number, version);

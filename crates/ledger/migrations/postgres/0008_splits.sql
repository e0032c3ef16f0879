-- Charges over several funds.
CREATE TABLE split_rule (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  rule_id BIGINT NOT NULL UNIQUE,
  rule TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);

-- The last day of a split, said later; the latest of a rule counts.
CREATE TABLE split_end (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  rule_id BIGINT NOT NULL,
  last_day TEXT COLLATE "C" NOT NULL,
  note TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX split_end_rule ON split_end (rule_id);

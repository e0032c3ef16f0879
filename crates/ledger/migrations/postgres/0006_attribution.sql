-- The attribution table: whose what is, and from when to when.
CREATE TABLE attribution_rule (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  rule_id BIGINT NOT NULL UNIQUE,
  source_name TEXT COLLATE "C",
  rule_key TEXT COLLATE "C" NOT NULL,
  value TEXT COLLATE "C" NOT NULL,
  gives TEXT COLLATE "C" NOT NULL,
  valid_from TEXT COLLATE "C",
  valid_to TEXT COLLATE "C",
  note TEXT COLLATE "C",
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);

-- The last day of a rule, said later; the latest of a rule counts.
CREATE TABLE attribution_end (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  rule_id BIGINT NOT NULL,
  valid_to TEXT COLLATE "C" NOT NULL,
  note TEXT COLLATE "C",
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX attribution_end_rule ON attribution_end (rule_id);

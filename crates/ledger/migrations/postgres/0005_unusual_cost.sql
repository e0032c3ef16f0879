-- What of a period was found unusual when its charges last changed; the latest of a period counts.
CREATE TABLE unusual_cost (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  period TEXT COLLATE "C" NOT NULL,
  rule TEXT COLLATE "C" NOT NULL,
  found TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX unusual_cost_period ON unusual_cost (period);

-- What of a period was found unusual when its charges last changed; the latest of a period counts.
CREATE TABLE unusual_cost (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  period TEXT NOT NULL,
  rule TEXT NOT NULL,
  found TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX unusual_cost_period ON unusual_cost (period);

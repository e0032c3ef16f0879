-- Sums of a period's charges, kept so that pages need not ask the lake: bookkeeping, made again at any time.
-- `made_of` says of which books, settings and program they are; of others they are worth nothing.
CREATE TABLE kept_sums (
  period TEXT NOT NULL PRIMARY KEY,
  made_of TEXT NOT NULL,
  sums TEXT NOT NULL
) STRICT;

-- When did anything about the charges of a period change last?
CREATE INDEX part_event_changed ON part_event (period, number);
CREATE INDEX decision_changed ON decision (period, number);

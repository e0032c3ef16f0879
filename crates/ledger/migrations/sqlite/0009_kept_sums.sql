-- Sums of a period's charges, kept so that pages need not ask the lake: bookkeeping, made again at any time.
CREATE TABLE kept_sums (
  period TEXT NOT NULL PRIMARY KEY,
  -- What of the books, the settings and the program they were made of; of another they are worth nothing.
  made_of TEXT NOT NULL,
  sums TEXT NOT NULL
) STRICT;

-- When did anything about the charges of a period change last?
CREATE INDEX part_event_changed ON part_event (period, number);
CREATE INDEX decision_changed ON decision (period, number);

-- What became of a journal after it was exported; without an event it is exported and not answered.
-- `by_document` names the document that posts again what was rejected (event `replaced`).
CREATE TABLE journal_event (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  document TEXT NOT NULL,
  event TEXT NOT NULL,
  note TEXT,
  by_document TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX journal_event_document ON journal_event (document, number, seq);

-- What became of a journal after it was exported; without an event it is exported and not answered.
-- `by_document` names the document that posts again what was rejected (event `replaced`).
CREATE TABLE journal_event (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  document TEXT COLLATE "C" NOT NULL,
  event TEXT COLLATE "C" NOT NULL,
  note TEXT COLLATE "C",
  by_document TEXT COLLATE "C",
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX journal_event_document ON journal_event (document, number, seq);

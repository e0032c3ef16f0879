-- Files of the lake that were removed on purpose: of deliveries that count no more and that nothing issued
-- was computed from.
CREATE TABLE pruned_file (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  import_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX pruned_file_import ON pruned_file (import_id);

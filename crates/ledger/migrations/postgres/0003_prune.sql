-- Files of the lake that were removed on purpose: of deliveries that count no more and that nothing issued
-- was computed from.
CREATE TABLE pruned_file (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  path TEXT COLLATE "C" NOT NULL,
  size_bytes BIGINT NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX pruned_file_import ON pruned_file (import_id);

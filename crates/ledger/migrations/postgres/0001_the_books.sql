-- The books. Every table of them begins with (number, seq): the ledger number of the act that wrote the
-- row, and the row's place in it. Rows are only ever added; triggers (src/engine.rs) refuse the rest.
-- Money is whole minor units (`…_minor`) or exact decimal text. Times are RFC 3339 text in UTC.

CREATE TABLE installation (
  id TEXT COLLATE "C" NOT NULL,
  product TEXT COLLATE "C" NOT NULL,
  created_at TEXT COLLATE "C" NOT NULL,
  schema_version BIGINT NOT NULL
);

-- The head of the audit chain: what a removal of the last rows would contradict.
CREATE TABLE ledger_head (
  number BIGINT NOT NULL,
  entries BIGINT NOT NULL,
  hash TEXT COLLATE "C" NOT NULL
);

CREATE TABLE audit (
  number BIGINT NOT NULL PRIMARY KEY,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  act TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  detail TEXT COLLATE "C" NOT NULL,
  books TEXT COLLATE "C" NOT NULL,
  prev_hash TEXT COLLATE "C" NOT NULL,
  hash TEXT COLLATE "C" NOT NULL
);

-- Not part of the books: what a running import holds on to until it commits. Rows stay, so that an
-- import id (and with it a file name in the lake) is never given twice.
CREATE TABLE import_lease (
  import_id BIGINT NOT NULL PRIMARY KEY,
  source_key TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  lease_until TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL
);

CREATE TABLE currency (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  code TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);

CREATE TABLE configuration (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  digest TEXT COLLATE "C" NOT NULL UNIQUE,
  effective TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);

CREATE TABLE source (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  source_key TEXT COLLATE "C" NOT NULL UNIQUE,
  name TEXT COLLATE "C" NOT NULL,
  description TEXT COLLATE "C",
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);

CREATE TABLE import (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  import_id BIGINT NOT NULL UNIQUE,
  source_key TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  expected_periods TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C" NOT NULL,
  rereads BIGINT,
  configuration_digest TEXT COLLATE "C" NOT NULL,
  notes TEXT COLLATE "C" NOT NULL,
  row_count BIGINT NOT NULL,
  charge_count BIGINT NOT NULL,
  quarantined_count BIGINT NOT NULL,
  flagged_count BIGINT NOT NULL,
  list_cost TEXT COLLATE "C" NOT NULL,
  contracted_cost TEXT COLLATE "C" NOT NULL,
  billed_cost TEXT COLLATE "C" NOT NULL,
  effective_cost TEXT COLLATE "C" NOT NULL,
  quarantine_file TEXT COLLATE "C",
  PRIMARY KEY (number, seq)
);

CREATE TABLE import_file (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  sha256 TEXT COLLATE "C" NOT NULL,
  size_bytes BIGINT NOT NULL,
  format TEXT COLLATE "C" NOT NULL,
  row_count BIGINT NOT NULL,
  quarantined_count BIGINT NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX import_file_sha256 ON import_file (sha256);
CREATE INDEX import_file_import ON import_file (import_id, ordinal);

CREATE TABLE import_charge_file (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  path TEXT COLLATE "C" NOT NULL UNIQUE,
  period TEXT COLLATE "C" NOT NULL,
  sha256 TEXT COLLATE "C" NOT NULL,
  row_count BIGINT NOT NULL,
  size_bytes BIGINT NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX import_charge_file_import ON import_charge_file (import_id, period);

CREATE TABLE import_flag (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  flag TEXT COLLATE "C" NOT NULL,
  row_count BIGINT NOT NULL,
  billed_cost TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX import_flag_import ON import_flag (import_id);

CREATE TABLE part (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  source_key TEXT COLLATE "C" NOT NULL,
  period TEXT COLLATE "C" NOT NULL,
  account TEXT COLLATE "C" NOT NULL,
  row_count BIGINT NOT NULL,
  flagged_count BIGINT NOT NULL,
  list_cost TEXT COLLATE "C" NOT NULL,
  contracted_cost TEXT COLLATE "C" NOT NULL,
  billed_cost TEXT COLLATE "C" NOT NULL,
  effective_cost TEXT COLLATE "C" NOT NULL,
  flagged_cost TEXT COLLATE "C" NOT NULL,
  billed_magnitude TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (import_id, period, account)
);
CREATE INDEX part_period ON part (period, source_key);

CREATE TABLE part_event (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  period TEXT COLLATE "C" NOT NULL,
  account TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  by_import BIGINT,
  reason TEXT COLLATE "C",
  PRIMARY KEY (number, seq)
);
CREATE INDEX part_event_part ON part_event (import_id, period, account, number, seq);

CREATE TABLE period_event (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  period TEXT COLLATE "C" NOT NULL,
  event TEXT COLLATE "C" NOT NULL,
  note TEXT COLLATE "C",
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  configuration_digest TEXT COLLATE "C",
  PRIMARY KEY (number, seq)
);
CREATE INDEX period_event_period ON period_event (period, number, seq);

-- One act of review a number: what all its decisions have in common.
CREATE TABLE decision_act (
  number BIGINT NOT NULL UNIQUE,
  seq BIGINT NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  note TEXT COLLATE "C",
  filter TEXT COLLATE "C" NOT NULL,
  decided_count BIGINT NOT NULL,
  cost TEXT COLLATE "C" NOT NULL,
  list_digest TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);

CREATE TABLE decision (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  source_key TEXT COLLATE "C" NOT NULL,
  fingerprint BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  content_digest BIGINT NOT NULL,
  import_id BIGINT NOT NULL,
  charge_row BIGINT NOT NULL,
  period TEXT COLLATE "C" NOT NULL,
  deferred_to TEXT COLLATE "C",
  decision TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX decision_period ON decision (period, source_key);
CREATE INDEX decision_fingerprint ON decision (fingerprint);
CREATE INDEX decision_deferred ON decision (deferred_to);

CREATE TABLE decision_undo (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  undone_number BIGINT NOT NULL,
  undone_seq BIGINT NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (undone_number, undone_seq)
);

-- Allotted before the statement is written, because the statement says its number.
CREATE TABLE statement_number (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  statement_number TEXT COLLATE "C" NOT NULL UNIQUE,
  period TEXT COLLATE "C" NOT NULL,
  ordinal BIGINT NOT NULL,
  pi_email TEXT COLLATE "C" NOT NULL,
  project_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (period, pi_email, project_id),
  UNIQUE (period, ordinal)
);

CREATE TABLE statement (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  statement_number TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  period TEXT COLLATE "C" NOT NULL,
  pi_email TEXT COLLATE "C" NOT NULL,
  project_id TEXT COLLATE "C" NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  list_minor BIGINT NOT NULL,
  discount_minor BIGINT NOT NULL,
  subsidy_minor BIGINT NOT NULL,
  due_minor BIGINT NOT NULL,
  computed_at BIGINT NOT NULL,
  configuration_digest TEXT COLLATE "C" NOT NULL,
  rule_version BIGINT NOT NULL,
  model TEXT COLLATE "C" NOT NULL,
  model_digest TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (statement_number, version)
);
CREATE INDEX statement_period ON statement (period, statement_number, version);

CREATE TABLE statement_line (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  statement_number TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  line BIGINT NOT NULL,
  fund_org TEXT COLLATE "C",
  source_name TEXT COLLATE "C" NOT NULL,
  service_name TEXT COLLATE "C",
  account_code TEXT COLLATE "C",
  kind TEXT COLLATE "C" NOT NULL,
  charge_count BIGINT NOT NULL,
  list_cost TEXT COLLATE "C" NOT NULL,
  cost TEXT COLLATE "C" NOT NULL,
  list_minor BIGINT NOT NULL,
  discount_minor BIGINT NOT NULL,
  subsidy_minor BIGINT NOT NULL,
  due_minor BIGINT NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (statement_number, version, line)
);

CREATE TABLE statement_document (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  statement_number TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  sha256 TEXT COLLATE "C" NOT NULL,
  path TEXT COLLATE "C" NOT NULL,
  size_bytes BIGINT NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX statement_document_statement ON statement_document (statement_number, version);

CREATE TABLE journal (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  document TEXT COLLATE "C" NOT NULL UNIQUE,
  period TEXT COLLATE "C" NOT NULL,
  ordinal BIGINT NOT NULL,
  computed_at BIGINT NOT NULL,
  configuration_digest TEXT COLLATE "C" NOT NULL,
  rule_version BIGINT NOT NULL,
  line_count BIGINT NOT NULL,
  debit_minor BIGINT NOT NULL,
  credit_minor BIGINT NOT NULL,
  model TEXT COLLATE "C" NOT NULL,
  model_digest TEXT COLLATE "C" NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (period, ordinal)
);

CREATE TABLE journal_line (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  document TEXT COLLATE "C" NOT NULL,
  line BIGINT NOT NULL,
  reference_id TEXT COLLATE "C" NOT NULL,
  party TEXT COLLATE "C" NOT NULL,
  side TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL,
  fund_org TEXT COLLATE "C" NOT NULL,
  segments TEXT COLLATE "C" NOT NULL,
  account TEXT COLLATE "C" NOT NULL,
  description TEXT COLLATE "C" NOT NULL,
  source_name TEXT COLLATE "C" NOT NULL,
  pi_email TEXT COLLATE "C",
  project_id TEXT COLLATE "C",
  PRIMARY KEY (number, seq),
  UNIQUE (document, line)
);
CREATE INDEX journal_line_reference ON journal_line (reference_id);

CREATE TABLE journal_export (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  document TEXT COLLATE "C" NOT NULL,
  format TEXT COLLATE "C" NOT NULL,
  copy BIGINT NOT NULL,
  sha256 TEXT COLLATE "C" NOT NULL,
  path TEXT COLLATE "C" NOT NULL,
  size_bytes BIGINT NOT NULL,
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX journal_export_document ON journal_export (document);

CREATE TABLE email_message (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL UNIQUE,
  period TEXT COLLATE "C" NOT NULL,
  pi_email TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX email_message_period ON email_message (period, pi_email);

CREATE TABLE email_statement (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  statement_number TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX email_statement_message ON email_statement (message_id);

CREATE TABLE email_event (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  event TEXT COLLATE "C" NOT NULL,
  error TEXT COLLATE "C",
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX email_event_message ON email_event (message_id, number, seq);

-- Each row is the whole of an account after the event; the latest counts.
CREATE TABLE user_event (
  number BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  event TEXT COLLATE "C" NOT NULL,
  email TEXT COLLATE "C" NOT NULL,
  display_name TEXT COLLATE "C" NOT NULL,
  role TEXT COLLATE "C" NOT NULL,
  password_hash TEXT COLLATE "C",
  at TEXT COLLATE "C" NOT NULL,
  by_user TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (number, seq)
);
CREATE INDEX user_event_name ON user_event (name, number, seq);

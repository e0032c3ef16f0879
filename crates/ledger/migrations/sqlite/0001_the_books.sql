-- The books. Every table of them begins with (number, seq): the ledger number of the act that wrote the
-- row, and the row's place in it. Rows are only ever added; triggers (src/engine.rs) refuse the rest.
-- Money is whole minor units (`…_minor`) or exact decimal text. Times are RFC 3339 text in UTC.

CREATE TABLE installation (
  id TEXT NOT NULL,
  product TEXT NOT NULL,
  created_at TEXT NOT NULL,
  schema_version INTEGER NOT NULL
) STRICT;

-- The head of the audit chain: what a removal of the last rows would contradict.
CREATE TABLE ledger_head (
  number INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
  number INTEGER NOT NULL PRIMARY KEY,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  act TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  books TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;

-- Not part of the books: what a running import holds on to until it commits. Rows stay, so that an
-- import id (and with it a file name in the lake) is never given twice.
CREATE TABLE import_lease (
  import_id INTEGER NOT NULL PRIMARY KEY,
  source_key TEXT NOT NULL,
  by_user TEXT NOT NULL,
  at TEXT NOT NULL,
  lease_until TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT;

CREATE TABLE currency (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  code TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;

CREATE TABLE configuration (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  digest TEXT NOT NULL UNIQUE,
  effective TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;

CREATE TABLE source (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  source_key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  description TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;

CREATE TABLE import (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  import_id INTEGER NOT NULL UNIQUE,
  source_key TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  expected_periods TEXT NOT NULL,
  mode TEXT NOT NULL,
  rereads INTEGER,
  configuration_digest TEXT NOT NULL,
  notes TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  charge_count INTEGER NOT NULL,
  quarantined_count INTEGER NOT NULL,
  flagged_count INTEGER NOT NULL,
  list_cost TEXT NOT NULL,
  contracted_cost TEXT NOT NULL,
  billed_cost TEXT NOT NULL,
  effective_cost TEXT NOT NULL,
  quarantine_file TEXT,
  PRIMARY KEY (number, seq)
) STRICT;

CREATE TABLE import_file (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  import_id INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  format TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  quarantined_count INTEGER NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX import_file_sha256 ON import_file (sha256);
CREATE INDEX import_file_import ON import_file (import_id, ordinal);

CREATE TABLE import_charge_file (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  import_id INTEGER NOT NULL,
  path TEXT NOT NULL UNIQUE,
  period TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX import_charge_file_import ON import_charge_file (import_id, period);

CREATE TABLE import_flag (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  import_id INTEGER NOT NULL,
  flag TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  billed_cost TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX import_flag_import ON import_flag (import_id);

CREATE TABLE part (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  import_id INTEGER NOT NULL,
  source_key TEXT NOT NULL,
  period TEXT NOT NULL,
  account TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  flagged_count INTEGER NOT NULL,
  list_cost TEXT NOT NULL,
  contracted_cost TEXT NOT NULL,
  billed_cost TEXT NOT NULL,
  effective_cost TEXT NOT NULL,
  flagged_cost TEXT NOT NULL,
  billed_magnitude TEXT NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (import_id, period, account)
) STRICT;
CREATE INDEX part_period ON part (period, source_key);

CREATE TABLE part_event (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  import_id INTEGER NOT NULL,
  period TEXT NOT NULL,
  account TEXT NOT NULL,
  state TEXT NOT NULL,
  by_import INTEGER,
  reason TEXT,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX part_event_part ON part_event (import_id, period, account, number, seq);

CREATE TABLE period_event (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  period TEXT NOT NULL,
  event TEXT NOT NULL,
  note TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  configuration_digest TEXT,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX period_event_period ON period_event (period, number, seq);

-- One act of review a number: what all its decisions have in common.
CREATE TABLE decision_act (
  number INTEGER NOT NULL UNIQUE,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  note TEXT,
  filter TEXT NOT NULL,
  decided_count INTEGER NOT NULL,
  cost TEXT NOT NULL,
  list_digest TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;

CREATE TABLE decision (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  source_key TEXT NOT NULL,
  fingerprint INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  content_digest INTEGER NOT NULL,
  import_id INTEGER NOT NULL,
  charge_row INTEGER NOT NULL,
  period TEXT NOT NULL,
  deferred_to TEXT,
  decision TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX decision_period ON decision (period, source_key);
CREATE INDEX decision_fingerprint ON decision (fingerprint);
CREATE INDEX decision_deferred ON decision (deferred_to);

CREATE TABLE decision_undo (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  undone_number INTEGER NOT NULL,
  undone_seq INTEGER NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (undone_number, undone_seq)
) STRICT;

-- Allotted before the statement is written, because the statement says its number.
CREATE TABLE statement_number (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  statement_number TEXT NOT NULL UNIQUE,
  period TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  pi_email TEXT NOT NULL,
  project_id TEXT NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (period, pi_email, project_id),
  UNIQUE (period, ordinal)
) STRICT;

CREATE TABLE statement (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  statement_number TEXT NOT NULL,
  version INTEGER NOT NULL,
  period TEXT NOT NULL,
  pi_email TEXT NOT NULL,
  project_id TEXT NOT NULL,
  currency TEXT NOT NULL,
  list_minor INTEGER NOT NULL,
  discount_minor INTEGER NOT NULL,
  subsidy_minor INTEGER NOT NULL,
  due_minor INTEGER NOT NULL,
  computed_at INTEGER NOT NULL,
  configuration_digest TEXT NOT NULL,
  rule_version INTEGER NOT NULL,
  model TEXT NOT NULL,
  model_digest TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (statement_number, version)
) STRICT;
CREATE INDEX statement_period ON statement (period, statement_number, version);

CREATE TABLE statement_line (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  statement_number TEXT NOT NULL,
  version INTEGER NOT NULL,
  line INTEGER NOT NULL,
  fund_org TEXT,
  source_name TEXT NOT NULL,
  service_name TEXT,
  account_code TEXT,
  kind TEXT NOT NULL,
  charge_count INTEGER NOT NULL,
  list_cost TEXT NOT NULL,
  cost TEXT NOT NULL,
  list_minor INTEGER NOT NULL,
  discount_minor INTEGER NOT NULL,
  subsidy_minor INTEGER NOT NULL,
  due_minor INTEGER NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (statement_number, version, line)
) STRICT;

CREATE TABLE statement_document (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  statement_number TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  path TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX statement_document_statement ON statement_document (statement_number, version);

CREATE TABLE journal (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  document TEXT NOT NULL UNIQUE,
  period TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  computed_at INTEGER NOT NULL,
  configuration_digest TEXT NOT NULL,
  rule_version INTEGER NOT NULL,
  line_count INTEGER NOT NULL,
  debit_minor INTEGER NOT NULL,
  credit_minor INTEGER NOT NULL,
  model TEXT NOT NULL,
  model_digest TEXT NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq),
  UNIQUE (period, ordinal)
) STRICT;

CREATE TABLE journal_line (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  document TEXT NOT NULL,
  line INTEGER NOT NULL,
  reference_id TEXT NOT NULL,
  party TEXT NOT NULL,
  side TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  fund_org TEXT NOT NULL,
  segments TEXT NOT NULL,
  account TEXT NOT NULL,
  description TEXT NOT NULL,
  source_name TEXT NOT NULL,
  pi_email TEXT,
  project_id TEXT,
  PRIMARY KEY (number, seq),
  UNIQUE (document, line)
) STRICT;
CREATE INDEX journal_line_reference ON journal_line (reference_id);

CREATE TABLE journal_export (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  document TEXT NOT NULL,
  format TEXT NOT NULL,
  copy INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  path TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX journal_export_document ON journal_export (document);

CREATE TABLE email_message (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  message_id TEXT NOT NULL UNIQUE,
  period TEXT NOT NULL,
  pi_email TEXT NOT NULL,
  subject TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX email_message_period ON email_message (period, pi_email);

CREATE TABLE email_statement (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  statement_number TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX email_statement_message ON email_statement (message_id);

CREATE TABLE email_event (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  event TEXT NOT NULL,
  error TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX email_event_message ON email_event (message_id, number, seq);

-- Each row is the whole of an account after the event; the latest counts.
CREATE TABLE user_event (
  number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  name TEXT NOT NULL,
  event TEXT NOT NULL,
  email TEXT NOT NULL,
  display_name TEXT NOT NULL,
  role TEXT NOT NULL,
  password_hash TEXT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  PRIMARY KEY (number, seq)
) STRICT;
CREATE INDEX user_event_name ON user_event (name, number, seq);

-- Credits pay lines as subsidies do: by which kind of rule a leg is paid.
ALTER TABLE statement_leg ADD COLUMN kind TEXT NOT NULL DEFAULT 'subsidy';

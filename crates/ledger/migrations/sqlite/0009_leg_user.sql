-- Whose use a leg pays for, of subsidies that count by user.
ALTER TABLE statement_leg ADD COLUMN usage_user TEXT;

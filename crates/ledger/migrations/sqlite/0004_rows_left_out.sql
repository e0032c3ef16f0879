-- Rows of a delivery that `--only-open` left out: without them, rows delivered are not the sum of charges
-- and quarantined rows. NULL in imports from before.
ALTER TABLE import ADD COLUMN left_out_count INTEGER;

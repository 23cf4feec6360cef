-- The first row of a block, by which a result is compared with its rows. Null for a block of an earlier version.
ALTER TABLE blocks ADD COLUMN first_row bigint;

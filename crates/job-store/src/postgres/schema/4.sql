-- The first row of a block; null of a block that an earlier version wrote. So a result can be compared with its rows.
ALTER TABLE blocks ADD COLUMN first_row bigint;

-- Rows that change have room beside them for the next version.
ALTER TABLE finished SET (fillfactor = 90);
ALTER TABLE queue SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- JSON in blocks is read far more often than it is written: never compressed.
ALTER TABLE blocks ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE checkpoints ALTER COLUMN bytes SET STORAGE EXTERNAL;

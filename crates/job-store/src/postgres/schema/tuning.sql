-- Pages of rows that change keep room for the next version of a row.
ALTER TABLE finished SET (fillfactor = 90);
ALTER TABLE queue SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- Blocks are not compressed, since their JSON is read far more often than it is written.
ALTER TABLE blocks ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE checkpoints ALTER COLUMN bytes SET STORAGE EXTERNAL;

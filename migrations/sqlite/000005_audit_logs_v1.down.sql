-- database: audit_logs-v1
DROP TABLE audit_logs_v1;
DROP TABLE parked_events;
DROP TABLE projection_checkpoints;

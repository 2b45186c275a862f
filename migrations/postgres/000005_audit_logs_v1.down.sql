DROP TABLE audit_logs_v1;
DELETE FROM parked_events WHERE name = 'audit_logs' AND version = 1;
DELETE FROM projection_checkpoints WHERE name = 'audit_logs' AND version = 1;

-- Rows of one batch have one time; their position puts them in order. The rows are filled again from the log.
DELETE FROM audit_logs_v1;
DELETE FROM parked_events WHERE name = 'audit_logs' AND version = 1;
UPDATE projection_checkpoints SET log_id = NULL, epoch = 0, position = 0, recorded_at = NULL
    WHERE name = 'audit_logs' AND version = 1;

DROP INDEX audit_logs_v1_workspace;
DROP INDEX audit_logs_v1_user;
DROP INDEX audit_logs_v1_resource;
DROP INDEX audit_logs_v1_newest;
ALTER TABLE audit_logs_v1 ADD COLUMN position bigint NOT NULL;
CREATE INDEX audit_logs_v1_workspace ON audit_logs_v1 (workspace_id, position);
CREATE INDEX audit_logs_v1_user ON audit_logs_v1 (user_id, position);
CREATE INDEX audit_logs_v1_resource ON audit_logs_v1 (resource_type, resource_id, position);
CREATE UNIQUE INDEX audit_logs_v1_position ON audit_logs_v1 (position);

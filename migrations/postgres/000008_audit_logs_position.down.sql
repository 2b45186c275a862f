DROP INDEX audit_logs_v1_workspace;
DROP INDEX audit_logs_v1_user;
DROP INDEX audit_logs_v1_resource;
DROP INDEX audit_logs_v1_position;
ALTER TABLE audit_logs_v1 DROP COLUMN position;
CREATE INDEX audit_logs_v1_workspace ON audit_logs_v1 (workspace_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_user ON audit_logs_v1 (user_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_resource ON audit_logs_v1 (resource_type, resource_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_newest ON audit_logs_v1 (created_at DESC, id DESC);

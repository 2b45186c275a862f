-- Who did what, when, with old and new values. Filled by the projection `audit_logs`, version 1.

INSERT INTO projection_checkpoints (name, version, active, epoch, position, updated_at)
VALUES ('audit_logs', 1, true, 0, 0, now());

CREATE TABLE audit_logs_v1 (
    id uuid PRIMARY KEY,
    workspace_id uuid,
    user_id uuid,
    action text NOT NULL,
    resource_type text NOT NULL,
    resource_id uuid,
    old_values jsonb,
    new_values jsonb,
    metadata jsonb NOT NULL,
    ip_address text,
    user_agent text,
    created_at timestamptz NOT NULL
);
CREATE INDEX audit_logs_v1_workspace ON audit_logs_v1 (workspace_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_user ON audit_logs_v1 (user_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_resource ON audit_logs_v1 (resource_type, resource_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_newest ON audit_logs_v1 (created_at DESC, id DESC);

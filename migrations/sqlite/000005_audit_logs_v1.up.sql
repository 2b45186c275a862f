-- database: audit_logs-v1
-- Who did what, when, with old and new values. Filled by the projection `audit_logs`, version 1.

CREATE TABLE projection_checkpoints (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    active INTEGER NOT NULL,  -- 1: the version that reads are answered from
    log_id TEXT,  -- NULL: not started yet
    epoch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    recorded_at TEXT,  -- of the last event it moved past
    updated_at TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
INSERT INTO projection_checkpoints (name, version, active, epoch, position, updated_at)
VALUES ('audit_logs', 1, 1, 0, 0, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'));

-- Events that could not be applied, and later ones of the same aggregate (subject) that wait for them.
CREATE TABLE parked_events (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    subject TEXT NOT NULL,
    type TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    parked_at TEXT NOT NULL,
    PRIMARY KEY (name, version, position)
) STRICT;

CREATE TABLE audit_logs_v1 (
    id TEXT PRIMARY KEY,
    workspace_id TEXT,
    user_id TEXT,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT,
    old_values TEXT,
    new_values TEXT,
    metadata TEXT NOT NULL,
    ip_address TEXT,
    user_agent TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX audit_logs_v1_workspace ON audit_logs_v1 (workspace_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_user ON audit_logs_v1 (user_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_resource ON audit_logs_v1 (resource_type, resource_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_v1_newest ON audit_logs_v1 (created_at DESC, id DESC);

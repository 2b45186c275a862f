-- database: accounts-v1
-- Users, workspaces, members, invitations and API keys. Filled by the projection `accounts`, version 1.

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
VALUES ('accounts', 1, 1, 0, 0, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'));

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

CREATE TABLE users_v1 (
    id TEXT PRIMARY KEY,
    email TEXT,  -- NULL: erased, or the first admin
    password_hash TEXT,
    name TEXT,
    search_text TEXT NOT NULL,  -- name and e-mail, case-folded
    avatar_url TEXT,
    email_verified_at TEXT,
    two_factor_enabled INTEGER NOT NULL DEFAULT 0,
    two_factor_secret TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
) STRICT;
CREATE UNIQUE INDEX users_v1_email ON users_v1 (email) WHERE deleted_at IS NULL;

CREATE TABLE workspaces_v1 (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    plan TEXT NOT NULL,
    settings TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
) STRICT;
CREATE UNIQUE INDEX workspaces_v1_slug ON workspaces_v1 (slug) WHERE deleted_at IS NULL;
CREATE INDEX workspaces_v1_newest ON workspaces_v1 (created_at DESC, id DESC);

CREATE TABLE workspace_members_v1 (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    invited_by TEXT,  -- NULL: the workspace's creator
    joined_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX workspace_members_v1_member ON workspace_members_v1 (workspace_id, user_id);
CREATE INDEX workspace_members_v1_user ON workspace_members_v1 (user_id);

CREATE TABLE invitations_v1 (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    email TEXT,  -- NULL: erased
    role TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    accepted_at TEXT,
    revoked_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX invitations_v1_newest ON invitations_v1 (workspace_id, created_at DESC, id DESC);

CREATE TABLE api_keys_v1 (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    workspace_id TEXT,  -- NULL: all workspaces of the user
    name TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    scopes TEXT NOT NULL,
    is_root INTEGER NOT NULL,
    last_used_at TEXT,
    request_count INTEGER NOT NULL DEFAULT 0,
    rate_limit INTEGER,
    expires_at TEXT,
    revoked_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX api_keys_v1_prefix ON api_keys_v1 (key_prefix);
CREATE INDEX api_keys_v1_newest ON api_keys_v1 (workspace_id, created_at DESC, id DESC);
CREATE INDEX api_keys_v1_user ON api_keys_v1 (user_id);

-- Users, workspaces, members, invitations and API keys. Filled by the projection `accounts`, version 1.

CREATE TABLE projection_checkpoints (
    name text NOT NULL,
    version integer NOT NULL,
    active boolean NOT NULL,  -- the version that reads are answered from
    log_id uuid,  -- NULL: not started yet
    epoch bigint NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz,  -- of the last event it moved past
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX projection_checkpoints_active ON projection_checkpoints (name) WHERE active;

-- Events that could not be applied, and later ones of the same aggregate (subject) that wait for them.
CREATE TABLE parked_events (
    name text NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL,
    subject text NOT NULL,
    type text NOT NULL,
    error text NOT NULL,
    attempts bigint NOT NULL,
    parked_at timestamptz NOT NULL,
    PRIMARY KEY (name, version, position)
);

INSERT INTO projection_checkpoints (name, version, active, epoch, position, updated_at)
VALUES ('accounts', 1, true, 0, 0, now());

CREATE TABLE users_v1 (
    id uuid PRIMARY KEY,
    email text COLLATE "C",  -- NULL: erased, or the first admin
    password_hash text,
    name text,
    search_text text COLLATE "C" NOT NULL,  -- name and e-mail, case-folded
    avatar_url text,
    email_verified_at timestamptz,
    two_factor_enabled boolean NOT NULL DEFAULT false,
    two_factor_secret text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE UNIQUE INDEX users_v1_email ON users_v1 (email) WHERE deleted_at IS NULL;

CREATE TABLE workspaces_v1 (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    slug text COLLATE "C" NOT NULL,
    owner_id uuid NOT NULL,
    plan text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE UNIQUE INDEX workspaces_v1_slug ON workspaces_v1 (slug) WHERE deleted_at IS NULL;
CREATE INDEX workspaces_v1_newest ON workspaces_v1 (created_at DESC, id DESC);

CREATE TABLE workspace_members_v1 (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    invited_by uuid,  -- NULL: the workspace's creator
    joined_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX workspace_members_v1_member ON workspace_members_v1 (workspace_id, user_id);
CREATE INDEX workspace_members_v1_user ON workspace_members_v1 (user_id);

CREATE TABLE invitations_v1 (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    email text,  -- NULL: erased
    role text NOT NULL,
    invited_by uuid NOT NULL,
    token_hash text NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX invitations_v1_newest ON invitations_v1 (workspace_id, created_at DESC, id DESC);

CREATE TABLE api_keys_v1 (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    workspace_id uuid,  -- NULL: all workspaces of the user
    name text NOT NULL,
    key_hash text NOT NULL,
    key_prefix text NOT NULL,
    scopes jsonb NOT NULL,
    is_root boolean NOT NULL,
    last_used_at timestamptz,
    request_count bigint NOT NULL DEFAULT 0,
    rate_limit bigint,
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX api_keys_v1_prefix ON api_keys_v1 (key_prefix);
CREATE INDEX api_keys_v1_newest ON api_keys_v1 (workspace_id, created_at DESC, id DESC);
CREATE INDEX api_keys_v1_user ON api_keys_v1 (user_id);

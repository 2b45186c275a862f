-- database: realtime-v1
-- Clicks of the current 24-hour windows. Filled by the projection `realtime`, version 1.

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
VALUES ('realtime', 1, 1, 0, 0, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'));

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

CREATE TABLE realtime_v1 (
    id TEXT PRIMARY KEY,  -- a link's or a workspace's
    kind TEXT NOT NULL,  -- link or workspace
    window_opened_at TEXT NOT NULL,  -- recorded_at of the window's first click; it lasts 86,400 s
    count INTEGER NOT NULL,
    position INTEGER NOT NULL,  -- of the last click that was counted
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX realtime_v1_position ON realtime_v1 (position);

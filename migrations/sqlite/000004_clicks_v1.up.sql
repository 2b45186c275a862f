-- database: clicks-v1
-- A row per click. Filled by the projection `clicks`, version 1.

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
VALUES ('clicks', 1, 1, 0, 0, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'));

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

-- The primary key is what a link's clicks are listed by; an index more would cost every click.
CREATE TABLE clicks_v1 (
    id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    clicked_at TEXT NOT NULL,
    visitor_id TEXT,  -- NULL here and below: unknown, or erased
    ip_address TEXT,
    user_agent TEXT,
    referer TEXT,
    referer_domain TEXT,
    country_code TEXT,
    region TEXT,
    city TEXT,
    device_type TEXT,
    browser TEXT,
    browser_version TEXT,
    os TEXT,
    os_version TEXT,
    is_bot INTEGER NOT NULL,
    utm_source TEXT,
    utm_medium TEXT,
    utm_campaign TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (link_id, clicked_at, id)
) STRICT;
CREATE INDEX clicks_v1_visitor ON clicks_v1 (visitor_id, clicked_at DESC);

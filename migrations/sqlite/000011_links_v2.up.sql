-- database: links-v2
-- works with executables from: 000009
-- Links with their tags and click counters. Filled by the projection `links`, version 2: version 1 and clicks by country.

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
VALUES ('links', 2, 0, 0, 0, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'));

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

CREATE TABLE links_v2 (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    domain_id TEXT,
    url TEXT NOT NULL,
    short_code TEXT NOT NULL,
    title TEXT,
    description TEXT,
    favicon_url TEXT,
    og_image_url TEXT,
    is_active INTEGER NOT NULL,
    has_password INTEGER NOT NULL,
    password_hash TEXT,  -- always NULL: the hash stays sealed in the log
    expires_at TEXT,
    max_clicks INTEGER,
    utm_source TEXT,
    utm_medium TEXT,
    utm_campaign TEXT,
    utm_term TEXT,
    utm_content TEXT,
    total_clicks INTEGER NOT NULL DEFAULT 0,
    unique_clicks INTEGER NOT NULL DEFAULT 0,
    clicks_by_country TEXT NOT NULL DEFAULT '{}',  -- of people: {"DE": 3}; unknown countries are left out
    title_folded TEXT NOT NULL,  -- for sorting
    search_text TEXT NOT NULL,  -- code, url, title and description, case-folded
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
) STRICT;
CREATE UNIQUE INDEX links_v2_short_code
    ON links_v2 (short_code, coalesce(domain_id, '00000000-0000-0000-0000-000000000000'))
    WHERE deleted_at IS NULL;
CREATE INDEX links_v2_newest ON links_v2 (workspace_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

-- Which visitors are counted in a link's unique_clicks.
CREATE TABLE link_visitors_v2 (
    link_id TEXT NOT NULL,
    visitor_id TEXT NOT NULL,
    PRIMARY KEY (link_id, visitor_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags_v2 (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    name TEXT NOT NULL,
    color TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX tags_v2_name ON tags_v2 (workspace_id, name);

CREATE TABLE link_tags_v2 (
    link_id TEXT NOT NULL,
    tag_id TEXT NOT NULL,
    place INTEGER NOT NULL,  -- the link's first tag has 0
    created_at TEXT NOT NULL,
    PRIMARY KEY (link_id, tag_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_tags_v2_tag ON link_tags_v2 (tag_id, link_id);

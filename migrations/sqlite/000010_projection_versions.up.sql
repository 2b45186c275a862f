-- database: projections
-- works with executables from: 000009
-- Which versions of which read models there are, and how their rebuilds go. A version is switched in by a row here.

CREATE TABLE projection_versions (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    build INTEGER NOT NULL,  -- 1: in the file that the migrations made; others have a file of their own
    state TEXT NOT NULL CHECK (state IN ('building', 'ready', 'live', 'kept', 'dropping')),
    fingerprint TEXT NOT NULL,  -- of tables, columns and event types when it was first filled
    changed_at TEXT NOT NULL,
    PRIMARY KEY (name, version, build)
) STRICT;
CREATE UNIQUE INDEX projection_versions_live ON projection_versions (name) WHERE state = 'live';

-- The latest rebuild of each read model. Times are microseconds since the Unix epoch.
CREATE TABLE projection_rebuilds (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    build INTEGER NOT NULL,
    phase TEXT NOT NULL,
    position INTEGER NOT NULL,  -- events done of those in `target`
    target INTEGER NOT NULL,
    rate INTEGER NOT NULL,  -- events a second
    eta_ms INTEGER,  -- NULL: not known
    disk_bytes INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    progressed_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    error TEXT,
    differences TEXT NOT NULL  -- a JSON array of lines
) STRICT;

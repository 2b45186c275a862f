-- works with executables from: 000009
-- Which versions of which read models there are, and how their rebuilds go. A version is switched in by a row here.

CREATE TABLE projection_versions (
    name text NOT NULL,
    version integer NOT NULL,
    build integer NOT NULL,  -- 1: in the tables that the migrations made; others have a schema of their own
    state text NOT NULL CHECK (state IN ('building', 'ready', 'live', 'kept', 'dropping')),
    fingerprint text NOT NULL,  -- of tables, columns and event types when it was first filled
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (name, version, build)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX projection_versions_live ON projection_versions (name) WHERE state = 'live';

-- The latest rebuild of each read model. Times are microseconds since the Unix epoch.
CREATE TABLE projection_rebuilds (
    name text PRIMARY KEY,
    version integer NOT NULL,
    build integer NOT NULL,
    phase text NOT NULL,
    position bigint NOT NULL,  -- events done of those in `target`
    target bigint NOT NULL,
    rate bigint NOT NULL,  -- events a second
    eta_ms bigint,  -- NULL: not known
    disk_bytes bigint NOT NULL,
    started_us bigint NOT NULL,
    progressed_us bigint NOT NULL,
    updated_us bigint NOT NULL,
    error text,
    differences text NOT NULL  -- a JSON array of lines
) WITH (fillfactor = 50);

-- database: clicks-v1
-- Unique clicks of days whose visitors were erased (event `clicks.settled`).
CREATE TABLE settled_days_v1 (
    link_id TEXT NOT NULL,
    day TEXT NOT NULL,  -- its beginning, UTC
    key_id TEXT NOT NULL,
    unique_clicks INTEGER NOT NULL,
    PRIMARY KEY (link_id, day, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE settled_hours_v1 (
    link_id TEXT NOT NULL,
    hour TEXT NOT NULL,  -- its beginning, UTC
    key_id TEXT NOT NULL,
    unique_clicks INTEGER NOT NULL,
    PRIMARY KEY (link_id, hour, key_id)
) STRICT, WITHOUT ROWID;

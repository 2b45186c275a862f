-- Unique clicks of days whose visitors were erased (event `clicks.settled`).
CREATE TABLE settled_days_v1 (
    link_id uuid NOT NULL,
    day timestamptz NOT NULL,  -- its beginning, UTC
    key_id uuid NOT NULL,
    unique_clicks bigint NOT NULL,
    PRIMARY KEY (link_id, day, key_id)
);
CREATE TABLE settled_hours_v1 (
    link_id uuid NOT NULL,
    hour timestamptz NOT NULL,  -- its beginning, UTC
    key_id uuid NOT NULL,
    unique_clicks bigint NOT NULL,
    PRIMARY KEY (link_id, hour, key_id)
);

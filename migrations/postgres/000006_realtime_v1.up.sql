-- Clicks of the current 24-hour windows. Filled by the projection `realtime`, version 1.

INSERT INTO projection_checkpoints (name, version, active, epoch, position, updated_at)
VALUES ('realtime', 1, true, 0, 0, now());

CREATE TABLE realtime_v1 (
    id uuid PRIMARY KEY,  -- a link's or a workspace's
    kind text COLLATE "C" NOT NULL,  -- link or workspace
    window_opened_at timestamptz NOT NULL,  -- recorded_at of the window's first click; it lasts 86,400 s
    count bigint NOT NULL,
    position bigint NOT NULL,  -- of the last click that was counted
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX realtime_v1_position ON realtime_v1 (position);

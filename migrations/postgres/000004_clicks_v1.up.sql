-- A row per click. Filled by the projection `clicks`, version 1.

INSERT INTO projection_checkpoints (name, version, active, epoch, position, updated_at)
VALUES ('clicks', 1, true, 0, 0, now());

-- The primary key is what a link's clicks are listed by; an index more would cost every click.
CREATE TABLE clicks_v1 (
    id uuid NOT NULL,
    link_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    clicked_at timestamptz NOT NULL,
    visitor_id text COLLATE "C",  -- NULL here and below: unknown, or erased
    ip_address text,
    user_agent text,
    referer text,
    referer_domain text,
    country_code text,
    region text,
    city text,
    device_type text,
    browser text,
    browser_version text,
    os text,
    os_version text,
    is_bot boolean NOT NULL,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (link_id, clicked_at, id)
) PARTITION BY RANGE (clicked_at);
-- Stays empty: the projection makes a month's partition (clicks_v1_2026_11) and the next one's in the batch
-- that needs the first.
CREATE TABLE clicks_v1_default PARTITION OF clicks_v1 DEFAULT;
CREATE INDEX clicks_v1_visitor ON clicks_v1 (visitor_id, clicked_at DESC);

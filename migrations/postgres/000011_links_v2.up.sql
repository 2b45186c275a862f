-- works with executables from: 000009
-- Links with their tags and click counters. Filled by the projection `links`, version 2: version 1 and clicks by country.

INSERT INTO projection_checkpoints (name, version, active, epoch, position, updated_at)
VALUES ('links', 2, false, 0, 0, now());

CREATE TABLE links_v2 (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    domain_id uuid,
    url text NOT NULL,
    short_code text COLLATE "C" NOT NULL,
    title text,
    description text,
    favicon_url text,
    og_image_url text,
    is_active boolean NOT NULL,
    has_password boolean NOT NULL,
    password_hash text,  -- always NULL: the hash stays sealed in the log
    expires_at timestamptz,
    max_clicks bigint,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    utm_term text,
    utm_content text,
    total_clicks bigint NOT NULL DEFAULT 0,
    unique_clicks bigint NOT NULL DEFAULT 0,
    clicks_by_country jsonb NOT NULL DEFAULT '{}',  -- of people: {"DE": 3}; unknown countries are left out
    title_folded text COLLATE "C" NOT NULL,  -- for sorting
    search_text text COLLATE "C" NOT NULL,  -- code, url, title and description, case-folded
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX links_v2_short_code
    ON links_v2 (short_code, coalesce(domain_id, '00000000-0000-0000-0000-000000000000'))
    WHERE deleted_at IS NULL;
CREATE INDEX links_v2_newest ON links_v2 (workspace_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

-- Which visitors are counted in a link's unique_clicks.
CREATE TABLE link_visitors_v2 (
    link_id uuid NOT NULL,
    visitor_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (link_id, visitor_id)
);

CREATE TABLE tags_v2 (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    color text,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX tags_v2_name ON tags_v2 (workspace_id, name);

CREATE TABLE link_tags_v2 (
    link_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    place bigint NOT NULL,  -- the link's first tag has 0
    created_at timestamptz NOT NULL,
    PRIMARY KEY (link_id, tag_id)
);
CREATE INDEX link_tags_v2_tag ON link_tags_v2 (tag_id, link_id);

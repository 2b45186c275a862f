-- database: log
-- The event log: the only truth. Times are microseconds since the Unix epoch, UUIDs are 16 bytes.

-- One row, made when the log is first opened. `last` is the position of the last event.
CREATE TABLE log_head (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    log_id      BLOB    NOT NULL CHECK (length(log_id) = 16),
    epoch       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;

-- Numbers stand for streams in the index below: half of an index keyed by names would be the names.
CREATE TABLE streams (
    stream TEXT    NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    position        INTEGER PRIMARY KEY,
    stream_number   INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    recorded_at     INTEGER NOT NULL,
    occurred_at     INTEGER NOT NULL,
    schema_version  INTEGER NOT NULL,
    event_id        BLOB    NOT NULL,
    workspace_id    BLOB,
    type            TEXT    NOT NULL,
    stream          TEXT    NOT NULL,
    salt            BLOB    NOT NULL,
    leaf_hash       BLOB    NOT NULL,
    personal_key_id BLOB,
    context_key_id  BLOB,
    data            TEXT    NOT NULL,
    metadata        TEXT    NOT NULL,
    personal        BLOB    NOT NULL,
    context         BLOB    NOT NULL
) STRICT;

-- A stream's version is the last entry of its number here, so an append writes no second counter.
CREATE UNIQUE INDEX events_stream ON events (stream_number, version);
CREATE INDEX events_workspace ON events (workspace_id);  -- Its entries end in the position.
-- Clicks are nearly all events: who reads other types alone passes over them, and no click pays for it.
CREATE INDEX events_but_clicks ON events (position, type) WHERE type <> 'link.clicked';
CREATE INDEX events_workspace_but_clicks ON events (workspace_id, position, type) WHERE type <> 'link.clicked';

CREATE TABLE claims (
    scope TEXT NOT NULL,
    key   TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- The last batch of each writing process, with what came of it, for the process that sends it again.
CREATE TABLE producers (
    producer    BLOB    NOT NULL PRIMARY KEY,
    sequence    INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    outcome     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Entries are numbered as they come, so the oldest are found without an index on their time.
CREATE TABLE idempotency (
    entry           INTEGER PRIMARY KEY,
    id              BLOB    NOT NULL UNIQUE,
    fingerprint     BLOB    NOT NULL,
    last_position   INTEGER NOT NULL,
    primary_version INTEGER NOT NULL,
    stored_at       INTEGER NOT NULL,
    response        BLOB    NOT NULL
) STRICT;

-- A destroyed key keeps its row, without subject and bytes.
CREATE TABLE keys (
    key_id  BLOB NOT NULL PRIMARY KEY,
    subject TEXT UNIQUE,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

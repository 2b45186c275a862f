-- database: log
-- The event log: the only truth. Times are microseconds since the Unix epoch, UUIDs are 16 bytes.

-- One row, made when the log is first opened. `last` is the position of the last event.
CREATE TABLE log_head (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    log_id      BLOB    NOT NULL CHECK (length(log_id) = 16),
    epoch       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    streams     INTEGER NOT NULL,  -- How many there are; the next one's number is one more.
    filed       INTEGER NOT NULL   -- The clicks up to this position are in click_directories.
) STRICT;

-- Numbers stand for streams in the indexes below: half of an index keyed by names would be the names.
CREATE TABLE streams (
    stream TEXT    NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL,
    holds  INTEGER NOT NULL CHECK (holds IN (1, 2, 3))  -- 1: clicks, 2: other events, 3: both.
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

-- A stream's version is the last entry of its number here, or of its clicks below, so an append writes no
-- second counter.
CREATE UNIQUE INDEX events_stream ON events (stream_number, version) WHERE type <> 'link.clicked';
-- Clicks are nearly all events: who reads other types alone passes over them, and no click pays for it.
CREATE INDEX events_but_clicks ON events (position, type) WHERE type <> 'link.clicked';
CREATE INDEX events_workspace ON events (workspace_id, position, type) WHERE type <> 'link.clicked';

-- Clicks have no entry in any index: one for the stream alone, at a random place, costs more than the event, and
-- every redirect waits for it. Instead the writer enters the clicks of the last thousand or so events in a
-- directory, within the append that makes them so many; what came since `log_head.filed` is found by looking at
-- those few events. The bytes are written and read by eventlog/sqlite_click_directory.
CREATE TABLE click_directories (
    until      INTEGER PRIMARY KEY,  -- Has the clicks after the directory before, up to this position.
    workspaces BLOB    NOT NULL,     -- Each workspace's positions.
    streams    BLOB    NOT NULL      -- Each stream's versions and positions, and the directory before that has any.
) STRICT;

-- The newest click in the directories of each stream that has any there.
CREATE TABLE click_streams (
    number    INTEGER PRIMARY KEY,
    version   INTEGER NOT NULL,
    directory INTEGER NOT NULL
) STRICT;

-- From directory to directory the way through a stream's clicks goes backwards. Each thousandth click or so leaves
-- the newest version in its directory here, so that the way to any click is short.
CREATE TABLE click_milestones (
    stream_number INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    directory     INTEGER NOT NULL,
    PRIMARY KEY (stream_number, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX click_milestones_directory ON click_milestones (stream_number, directory);

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

-- The event log: its head, its events, and what decides whether a batch may be appended. Times are
-- microseconds since the Unix epoch. Keys are compared byte by byte, whatever the database's collation.

-- One row, locked by every append until its commit: positions are gapless and in commit order.
CREATE TABLE log_head (
    singleton     boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    log_id        uuid NOT NULL DEFAULT gen_random_uuid(),
    epoch         bigint NOT NULL DEFAULT 1,
    last_position bigint NOT NULL DEFAULT 0,
    recorded_us   bigint NOT NULL DEFAULT 0,
    notified_us   bigint NOT NULL DEFAULT 0,
    last_stream   bigint NOT NULL DEFAULT 0
);
INSERT INTO log_head DEFAULT VALUES;

CREATE TABLE events (
    position       bigint NOT NULL,
    version        bigint NOT NULL,
    stream_number  bigint NOT NULL,
    recorded_us    bigint NOT NULL,
    occurred_us    bigint NOT NULL,
    schema_version integer NOT NULL,
    event_id       uuid NOT NULL,
    workspace_id   uuid NOT NULL,
    personal_key   uuid NOT NULL,
    context_key    uuid NOT NULL,
    stream         text COLLATE "C" NOT NULL,
    type           text COLLATE "C" NOT NULL,
    data           text NOT NULL,
    metadata       text NOT NULL,
    personal       bytea NOT NULL,
    context        bytea NOT NULL,
    salt           bytea NOT NULL,
    leaf_hash      bytea NOT NULL,
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);
-- By the stream's number: names would make up most of the index, and most of what a click writes.
CREATE INDEX events_by_stream ON events (stream_number, version);
CREATE INDEX events_by_workspace ON events (workspace_id, position);

-- Partitions hold positions from `first_position` to below `until_position`; log_extend makes them ahead of
-- need. The default partition takes what comes should one ever be missing.
CREATE TABLE event_partitions (
    first_position bigint PRIMARY KEY,
    until_position bigint NOT NULL UNIQUE,
    name           text NOT NULL
);
CREATE TABLE events_p1 PARTITION OF events FOR VALUES FROM (MINVALUE) TO (10000001);
CREATE TABLE events_default PARTITION OF events DEFAULT;
INSERT INTO event_partitions VALUES (1, 10000001, 'events_p1');

-- Updated in place while pages have room: no index entry changes.
CREATE TABLE streams (
    stream  text COLLATE "C" PRIMARY KEY,
    number  bigint NOT NULL,
    version bigint NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE claims (
    scope text COLLATE "C" NOT NULL,
    key   text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, key)
);

-- The last batch of every writing process, so that a resent one is answered rather than repeated.
CREATE TABLE producers (
    producer       uuid PRIMARY KEY,
    sequence       bigint NOT NULL,
    uniform        boolean NOT NULL,
    first_position bigint NOT NULL,
    recorded_us    bigint NOT NULL,
    outcome        bigint[] NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE producers ALTER COLUMN outcome SET STORAGE EXTERNAL;

CREATE TABLE idempotency (
    id              bytea PRIMARY KEY,
    fingerprint     bytea NOT NULL,
    response        bytea NOT NULL,
    last_position   bigint NOT NULL,
    primary_version bigint NOT NULL,
    stored_us       bigint NOT NULL
);
CREATE INDEX idempotency_by_age ON idempotency (stored_us);

-- Wrapped data keys. A destroyed one keeps its row, without subject and bytes.
CREATE TABLE keys (
    key_id  uuid PRIMARY KEY,
    subject text COLLATE "C" UNIQUE,
    wrapped bytea NOT NULL
);

-- Appends a batch, all of it or, where an append is refused, without that append. One call is one
-- transaction: the head is locked first, and everything that decides is read afterwards, each statement with
-- a snapshot of its own (the function is VOLATILE). No lock outlives a client that stops.
--
-- What is named several times in a batch is sent once and referred to by number, from 1: `names` holds the
-- distinct streams (the first `stream_count`), then other owners of claims. The arrays of appends, stream
-- appends, claim changes and events each go through the batch in order; counts say how many belong to each.
--
-- `uniform` says that every append has one stream, no claims and no idempotency entry, and that expectations
-- are the same for all of a stream: none, or `stream_limits`. Such a batch is decided at once.
--
-- The outcome is a list of numbers. Uniform: the version of each stream before the batch. Otherwise for each
-- append, in order:
--   0, last position, a version for each of its streams   appended
--   1, which of its streams, actual version               version conflict
--   2, which of its claim changes                         claim taken
--   3, last position, primary version                     replayed: its response stands in `idempotency`
--   4                                                     another content under the same idempotency id
CREATE FUNCTION log_append(
    batch_producer uuid, batch_sequence bigint, is_uniform boolean,
    names text[], stream_count integer, stream_totals integer[], stream_limits bigint[],
    append_streams integer[], append_claims integer[], append_ids integer[], append_fingerprints integer[],
    part_streams integer[], part_kinds integer[], part_values bigint[], part_events integer[],
    change_claims integer[], change_kinds integer[], change_owners integer[],
    claim_scopes text[], claim_keys text[],
    ids bytea[], fingerprints bytea[], responses bytea[],
    event_streams integer[], event_numbers integer[], event_ranks integer[],
    event_ids uuid[], event_types text[], event_schemas integer[], event_workspaces uuid[], event_data text[],
    event_personal_keys uuid[], event_personal bytea[], event_context_keys uuid[], event_context bytea[],
    event_metadata text[], event_occurred bigint[], event_salts bytea[], event_hashes bytea[],
    OUT resent boolean, OUT uniform boolean, OUT first_position bigint, OUT recorded bigint, OUT outcome bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    head bigint;
    head_recorded bigint;
    head_notified bigint;
    known bigint;
    streams_made bigint;
    bases bigint[];
    stream_numbers bigint[];
    places tid[];
    added integer[];
    numbers integer[];
    ranks integer[];
    written integer := 0;
    -- Of the general way only:
    held integer[];
    holders integer[];
    saved integer[];
    answered integer[];
    answer_positions bigint[];
    answer_versions bigint[];
    kept integer[] := '{}';
    part integer := 0;
    change integer := 0;
    event integer := 0;
    last_part integer;
    last_change integer;
    id integer;
    s integer;
    c integer;
    version bigint;
    refused boolean;
BEGIN
    SELECT h.last_position, h.recorded_us, h.notified_us, h.last_stream
    INTO STRICT head, head_recorded, head_notified, streams_made
    FROM log_head AS h FOR UPDATE;

    SELECT p.sequence, p.uniform, p.first_position, p.recorded_us, p.outcome
    INTO known, uniform, first_position, recorded, outcome
    FROM producers AS p WHERE p.producer = batch_producer;
    resent := coalesce(known = batch_sequence, false);
    IF resent THEN
        RETURN;
    END IF;
    IF coalesce(known, 0) + 1 <> batch_sequence THEN
        RAISE EXCEPTION 'batch % of a producer whose last one was %', batch_sequence, coalesce(known, 0)
            USING ERRCODE = 'LL001';
    END IF;

    recorded := greatest(head_recorded, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    first_position := head + 1;
    uniform := is_uniform;
    -- Under the head's lock a stream's row stays where it is found, so that it need not be looked up again.
    SELECT coalesce(array_agg(coalesce(f.version, 0) ORDER BY n.number), '{}'),
           coalesce(array_agg(f.number ORDER BY n.number), '{}'), coalesce(array_agg(f.place ORDER BY n.number), '{}')
    INTO bases, stream_numbers, places
    FROM unnest(names[1:stream_count]) WITH ORDINALITY AS n (name, number)
    LEFT JOIN LATERAL (SELECT s1.version, s1.number, s1.ctid AS place FROM streams AS s1
                       WHERE s1.stream = n.name LIMIT 1) AS f ON true;
    IF uniform AND cardinality(stream_limits) > 0 THEN
        uniform := (SELECT bool_and(f.base + f.total <= f.version_limit)
                    FROM unnest(bases, stream_totals, stream_limits) AS f (base, total, version_limit));
    END IF;

    IF uniform THEN
        added := stream_totals;
        numbers := event_numbers;
        ranks := event_ranks;
        written := cardinality(event_numbers);
        outcome := bases;
    ELSE
        added := array_fill(0, ARRAY[stream_count]);
        numbers := array_fill(0, ARRAY[cardinality(event_numbers)]);
        ranks := numbers;
        outcome := '{}';
        -- Who holds each claim: a number of `names`, 0 for nobody, -1 for someone else.
        held := ARRAY(SELECT coalesce((SELECT coalesce(array_position(names, k.owner), -1)
                                       FROM claims AS k WHERE k.scope = d.scope AND k.key = d.key), 0)
                      FROM unnest(claim_scopes, claim_keys) AS d (scope, key));
        holders := held;
        -- Which content each idempotency id was answered for: a number of `fingerprints`, 0 for none, -1 for
        -- another one.
        SELECT coalesce(array_agg(CASE WHEN i.id IS NULL THEN 0
                                       ELSE coalesce(array_position(fingerprints, i.fingerprint), -1) END
                                  ORDER BY d.number), '{}'),
               coalesce(array_agg(coalesce(i.last_position, 0) ORDER BY d.number), '{}'),
               coalesce(array_agg(coalesce(i.primary_version, 0) ORDER BY d.number), '{}')
        INTO answered, answer_positions, answer_versions
        FROM unnest(ids) WITH ORDINALITY AS d (id, number) LEFT JOIN idempotency AS i ON i.id = d.id;

        FOR a IN 1 .. cardinality(append_streams) LOOP
            last_part := part + append_streams[a];
            last_change := change + append_claims[a];
            id := append_ids[a];
            refused := false;
            IF id > 0 AND answered[id] <> 0 THEN
                IF answered[id] = append_fingerprints[a] THEN
                    outcome := outcome || ARRAY[3, answer_positions[id], answer_versions[id]];
                ELSE
                    outcome := outcome || 4::bigint;
                END IF;
                refused := true;
            END IF;

            IF NOT refused THEN
                FOR p IN part + 1 .. last_part LOOP
                    IF part_kinds[p] <> 0 THEN
                        s := part_streams[p];
                        version := bases[s] + added[s];
                        IF (part_kinds[p] = 1 AND version <> part_values[p])
                           OR (part_kinds[p] = 2 AND version + greatest(part_events[p], 1) > part_values[p]) THEN
                            outcome := outcome || ARRAY[1, p - part, version];
                            refused := true;
                            EXIT;
                        END IF;
                    END IF;
                END LOOP;
            END IF;

            -- Releases come first in an append; a refusal undoes what the append changed.
            IF NOT refused AND last_change > change THEN
                IF last_change > change + 1 THEN
                    saved := holders;
                END IF;
                FOR p IN change + 1 .. last_change LOOP
                    c := change_claims[p];
                    IF change_kinds[p] = 1 THEN
                        IF holders[c] = change_owners[p] THEN
                            holders[c] := 0;
                        END IF;
                    ELSIF holders[c] = 0 THEN
                        holders[c] := change_owners[p];
                    ELSIF holders[c] <> change_owners[p] THEN
                        outcome := outcome || ARRAY[2, (p - change)::bigint];
                        refused := true;
                        IF last_change > change + 1 THEN
                            holders := saved;
                        END IF;
                        EXIT;
                    END IF;
                END LOOP;
            END IF;

            IF refused THEN
                FOR p IN part + 1 .. last_part LOOP
                    event := event + part_events[p];
                END LOOP;
            ELSE
                FOR p IN part + 1 .. last_part LOOP
                    s := part_streams[p];
                    FOR e IN event + 1 .. event + part_events[p] LOOP
                        written := written + 1;
                        added[s] := added[s] + 1;
                        numbers[e] := written;
                        ranks[e] := added[s];
                    END LOOP;
                    event := event + part_events[p];
                END LOOP;
                outcome := outcome || 0::bigint;
                outcome := outcome || (head + written);
                FOR p IN part + 1 .. last_part LOOP
                    s := part_streams[p];
                    outcome := outcome || (bases[s] + added[s]);
                END LOOP;
                IF id > 0 THEN
                    s := CASE WHEN last_part > part THEN part_streams[part + 1] END;
                    answered[id] := append_fingerprints[a];
                    answer_positions[id] := head + written;
                    answer_versions[id] := coalesce(bases[s] + added[s], 0);
                    kept := kept || a;
                END IF;
            END IF;
            part := last_part;
            change := last_change;
        END LOOP;

        IF holders <> held THEN
            DELETE FROM claims AS k
            USING (SELECT unnest(claim_scopes) AS scope, unnest(claim_keys) AS key, unnest(holders) AS holder,
                          unnest(held) AS before) AS d
            WHERE k.scope = d.scope AND k.key = d.key AND d.holder = 0 AND d.before <> 0;
            INSERT INTO claims AS k (scope, key, owner)
            SELECT d.scope, d.key, names[d.holder]
            FROM (SELECT unnest(claim_scopes) AS scope, unnest(claim_keys) AS key, unnest(holders) AS holder,
                         unnest(held) AS before) AS d
            WHERE d.holder > 0 AND d.holder <> d.before
            ON CONFLICT (scope, key) DO UPDATE SET owner = excluded.owner;
        END IF;
        IF cardinality(kept) > 0 THEN
            INSERT INTO idempotency (id, fingerprint, response, last_position, primary_version, stored_us)
            SELECT ids[append_ids[k.a]], fingerprints[append_fingerprints[k.a]], responses[k.a],
                   answer_positions[append_ids[k.a]], answer_versions[append_ids[k.a]], recorded
            FROM unnest(kept) AS k (a);
        END IF;
    END IF;

    IF written > 0 THEN
        UPDATE streams AS t SET version = d.version
        FROM (SELECT unnest(places) AS place, unnest(bases) + unnest(added) AS version, unnest(added) AS more) AS d
        WHERE t.ctid = d.place AND d.more > 0;
        IF array_position(stream_numbers, NULL) IS NOT NULL THEN
            FOR n IN 1 .. stream_count LOOP
                IF stream_numbers[n] IS NULL AND added[n] > 0 THEN
                    streams_made := streams_made + 1;
                    stream_numbers[n] := streams_made;
                    INSERT INTO streams VALUES (names[n], streams_made, added[n]);
                END IF;
            END LOOP;
        END IF;

        INSERT INTO events (position, version, stream_number, recorded_us, occurred_us, schema_version, event_id, workspace_id,
                            personal_key, context_key, stream, type, data, metadata, personal, context, salt,
                            leaf_hash)
        SELECT head + d.number, bases[d.stream] + d.rank, stream_numbers[d.stream], recorded, d.occurred, d.schema_version, d.event_id,
               d.workspace_id, d.personal_key, d.context_key, names[d.stream], d.type, d.data, d.metadata,
               d.personal, d.context, d.salt,
               sha256('\x00'::bytea || sha256(int8send(head + d.number) || int8send(bases[d.stream] + d.rank)
                                              || int8send(recorded) || d.body_hash))
        FROM (SELECT unnest(numbers) AS number, unnest(ranks) AS rank, unnest(event_streams) AS stream,
                     unnest(event_ids) AS event_id, unnest(event_types) AS type,
                     unnest(event_schemas) AS schema_version, unnest(event_workspaces) AS workspace_id,
                     unnest(event_data) AS data, unnest(event_personal_keys) AS personal_key,
                     unnest(event_personal) AS personal, unnest(event_context_keys) AS context_key,
                     unnest(event_context) AS context, unnest(event_metadata) AS metadata,
                     unnest(event_occurred) AS occurred, unnest(event_salts) AS salt,
                     unnest(event_hashes) AS body_hash) AS d
        WHERE d.number > 0;

        -- Waiters of other processes are woken at once after a pause, and at most every 20 ms under load
        -- (each notification costs every listener a wake-up); they look for themselves in between.
        IF recorded - head_notified >= 20000 THEN
            head_notified := recorded;
            PERFORM pg_notify('linkledger_log', (head + written)::text);
        END IF;
        UPDATE log_head AS h
        SET last_position = head + written, recorded_us = recorded, notified_us = head_notified,
            last_stream = streams_made;
    END IF;

    IF known IS NULL THEN
        INSERT INTO producers VALUES (batch_producer, batch_sequence, uniform, first_position, recorded, outcome);
    ELSE
        UPDATE producers AS p
        SET sequence = batch_sequence, uniform = log_append.uniform, first_position = log_append.first_position,
            recorded_us = recorded, outcome = log_append.outcome
        WHERE p.producer = batch_producer;
    END IF;
END;
$$;

-- Makes the next partition once the log is within half a partition of the last one's end; returns its name.
-- Called by a process now and then, never by an append: it may have to wait for readers.
CREATE FUNCTION log_extend(partition_events bigint DEFAULT 10000000) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    head bigint := (SELECT last_position FROM log_head);
    start bigint;
    partition text;
BEGIN
    IF (SELECT max(until_position) FROM event_partitions) - head > partition_events / 2 THEN
        RETURN NULL;
    END IF;
    -- One process at a time; the others find the work done.
    LOCK TABLE event_partitions IN SHARE ROW EXCLUSIVE MODE;
    start := (SELECT max(until_position) FROM event_partitions);
    IF start - head > partition_events / 2 THEN
        RETURN NULL;
    END IF;
    -- Should events have reached the default partition, the new one begins well beyond them.
    IF start <= head THEN
        start := head + partition_events / 2;
    END IF;
    partition := 'events_p' || start;
    EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING ALL)', partition);
    EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', partition, start,
                   start + partition_events);
    INSERT INTO event_partitions VALUES (start, start + partition_events, partition);
    RETURN partition;
END;
$$;

-- A stream's events beyond a version. A stream may have events in any partition, so each one's index is asked.
-- That is cheap; planning it is not (2.8 ms of 41 partitions, and 0.4 ms in all with the plan made once), and
-- connections of the log plan every statement anew, for the sake of bounds on positions.
CREATE FUNCTION log_read_stream(wanted text, after_version bigint, how_many bigint) RETURNS SETOF events
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY SELECT e.* FROM events AS e
                 WHERE e.stream_number = (SELECT s.number FROM streams AS s WHERE s.stream = wanted)
                       AND e.version > after_version ORDER BY e.version LIMIT how_many;
END;
$$;

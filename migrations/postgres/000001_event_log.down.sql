DROP FUNCTION log_read_stream;
DROP FUNCTION log_extend(bigint);
DROP FUNCTION log_append;
DROP TABLE keys, idempotency, producers, claims, streams, event_partitions, events, log_head;

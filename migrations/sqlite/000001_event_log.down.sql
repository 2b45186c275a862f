-- database: log
DROP TABLE keys;
DROP TABLE idempotency;
DROP TABLE producers;
DROP TABLE claims;
DROP TABLE events;
DROP TABLE streams;
DROP TABLE log_head;

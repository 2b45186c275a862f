-- database: realtime-v1
DROP TABLE realtime_v1;
DROP TABLE parked_events;
DROP TABLE projection_checkpoints;

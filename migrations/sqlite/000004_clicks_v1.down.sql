-- database: clicks-v1
DROP TABLE clicks_v1;
DROP TABLE parked_events;
DROP TABLE projection_checkpoints;

DROP TABLE realtime_v1;
DELETE FROM parked_events WHERE name = 'realtime' AND version = 1;
DELETE FROM projection_checkpoints WHERE name = 'realtime' AND version = 1;

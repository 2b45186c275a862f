DROP TABLE clicks_v1;
DELETE FROM parked_events WHERE name = 'clicks' AND version = 1;
DELETE FROM projection_checkpoints WHERE name = 'clicks' AND version = 1;

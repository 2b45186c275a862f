-- Visitors stand with their day in front of their hash from now on, so that a day can be forgotten.
-- The rows are filled again from the log.
DELETE FROM links_v1;
DELETE FROM link_visitors_v1;
DELETE FROM tags_v1;
DELETE FROM link_tags_v1;
DELETE FROM parked_events WHERE name = 'links' AND version = 1;
UPDATE projection_checkpoints SET log_id = NULL, epoch = 0, position = 0, recorded_at = NULL
    WHERE name = 'links' AND version = 1;

DROP TABLE link_tags_v1;
DROP TABLE tags_v1;
DROP TABLE link_visitors_v1;
DROP TABLE links_v1;
DELETE FROM parked_events WHERE name = 'links' AND version = 1;
DELETE FROM projection_checkpoints WHERE name = 'links' AND version = 1;

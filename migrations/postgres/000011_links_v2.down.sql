DROP TABLE link_tags_v2;
DROP TABLE tags_v2;
DROP TABLE link_visitors_v2;
DROP TABLE links_v2;
DELETE FROM parked_events WHERE name = 'links' AND version = 2;
DELETE FROM projection_checkpoints WHERE name = 'links' AND version = 2;

-- database: links-v2
DROP TABLE link_tags_v2;
DROP TABLE tags_v2;
DROP TABLE link_visitors_v2;
DROP TABLE links_v2;
DROP TABLE parked_events;
DROP TABLE projection_checkpoints;

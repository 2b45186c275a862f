-- database: links-v1
DROP TABLE link_tags_v1;
DROP TABLE tags_v1;
DROP TABLE link_visitors_v1;
DROP TABLE links_v1;
DROP TABLE parked_events;
DROP TABLE projection_checkpoints;

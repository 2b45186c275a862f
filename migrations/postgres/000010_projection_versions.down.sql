DROP TABLE projection_rebuilds;
DROP TABLE projection_versions;

DROP TABLE merkle_heads;
DROP TABLE merkle_tiles;

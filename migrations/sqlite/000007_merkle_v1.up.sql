-- database: merkle-v1
-- The Merkle tree over the log and its signed heads, each for one history (log id and epoch).

-- Tiles from level 1 on; those of level 0 are the events' leaf hashes, which the log holds. A tile grows
-- until it has 256 hashes of 32 bytes and never changes otherwise.
CREATE TABLE merkle_tiles (
    log_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (log_id, epoch, level, number)
) STRICT;

-- The newest signed head of each history. It is here before anyone sees it.
CREATE TABLE merkle_heads (
    log_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    checkpoint TEXT NOT NULL,  -- the signed note
    signed_at TEXT NOT NULL,
    PRIMARY KEY (log_id, epoch)
) STRICT;

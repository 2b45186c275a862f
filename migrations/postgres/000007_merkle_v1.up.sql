-- The Merkle tree over the log and its signed heads, each for one history (log id and epoch).

-- Tiles from level 1 on; those of level 0 are the events' leaf hashes, which the log holds. A tile grows
-- until it has 256 hashes of 32 bytes and never changes otherwise.
CREATE TABLE merkle_tiles (
    log_id uuid NOT NULL,
    epoch bigint NOT NULL,
    level integer NOT NULL,
    number bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (log_id, epoch, level, number)
);

-- The newest signed head of each history. It is here before anyone sees it.
CREATE TABLE merkle_heads (
    log_id uuid NOT NULL,
    epoch bigint NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    checkpoint text NOT NULL,  -- the signed note
    signed_at timestamptz NOT NULL,
    PRIMARY KEY (log_id, epoch)
);

// Emmett on PostgreSQL: appends, a rebuild of click counters, and what a rebuild loses beside writers.
//   node emmett.mjs append|fill|rebuild|lost CONNECTION ARGUMENT      prints one number (lost: two)
import { randomUUID } from 'node:crypto';
import { SQL } from '@event-driven-io/dumbo';
import {
  getPostgreSQLEventStore,
  postgreSQLProjection,
  rebuildPostgreSQLProjections,
} from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

const [, , what, connectionString, argument] = process.argv;
const writers = Number(process.env.WRITERS ?? 32);
const streams = Number(process.env.STREAMS ?? 10_000);

const click = () => ({
  type: 'link.clicked',
  data: { visitor: randomUUID(), browser: 'Firefox', os: 'Linux', device_type: 'desktop', country_code: 'DE' },
});
const streamName = () => `clicks-${Math.floor(Math.random() * streams)}`;

// A row per link and the number of events that were counted at all, one statement a batch.
const counters = postgreSQLProjection({
  name: 'click_counters',
  canHandle: ['link.clicked'],
  init: async ({ context }) => {
    await context.execute.command(
      SQL`CREATE TABLE IF NOT EXISTS click_counters (stream text PRIMARY KEY, clicks bigint NOT NULL)`,
    );
  },
  truncate: async (context) => {
    await context.execute.command(SQL`TRUNCATE click_counters`);
  },
  handle: async (events, { execute }) => {
    const counts = new Map();
    for (const { metadata } of events) counts.set(metadata.streamName, (counts.get(metadata.streamName) ?? 0) + 1);
    const rows = JSON.stringify([...counts].map(([stream, clicks]) => ({ stream, clicks })));
    await execute.command(SQL`INSERT INTO click_counters AS c (stream, clicks)
      SELECT stream, clicks FROM json_to_recordset(${rows}::json) AS r (stream text, clicks bigint)
      ON CONFLICT (stream) DO UPDATE SET clicks = c.clicks + excluded.clicks`);
  },
});

async function number(client, sql) {
  const { rows } = await client.query(sql);
  return Number(Object.values(rows[0])[0]);
}

// Two writers that make one stream at once meet a conflict, although none asked for a version: not counted.
async function append(stream, events) {
  try {
    await store.appendToStream(stream, events);
    return events.length;
  } catch (error) {
    if (error.errorCode !== 412) throw error;
    return 0;
  }
}

// `writers` appends under way at any moment, one event each, until `more()` says no; returns how many.
async function write(more) {
  let written = 0;
  const writer = async () => {
    while (more()) {
      const done = await append(streamName(), [click()]);
      written += done; // In one statement, the sum would be read before the wait.
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return written;
}

// Under a processor of its own each time: an old one would go on after its checkpoint.
async function rebuild() {
  const processorId = `rebuild-${randomUUID()}`;
  const consumer = rebuildPostgreSQLProjections({
    connectionString,
    projections: [{ projection: counters, processorId }],
    pulling: { batchSize: 1000 },
  });
  await consumer.start();
  await consumer.close();
  return processorId;
}

const pool = new pg.Pool({ connectionString, max: writers });
const store = getPostgreSQLEventStore(connectionString, { connectionOptions: { pool } });
await store.schema.migrate();

if (what === 'append') {
  const until = Date.now() + Number(argument) * 1000;
  const started = Date.now();
  const written = await write(() => Date.now() < until);
  console.log(Math.round((written * 1000) / (Date.now() - started)));
} else if (what === 'fill') {
  // A stream is written in runs of 10: what is measured is reading, not this.
  let left = Number(argument);
  const run = async () => {
    while (left > 0) {
      left -= 10;
      await append(streamName(), Array.from({ length: 10 }, click));
    }
  };
  await Promise.all(Array.from({ length: writers }, run));
  console.log(await number(pool, 'SELECT count(*) FROM emt_messages'));
} else if (what === 'rebuild') {
  const events = await number(pool, 'SELECT count(*) FROM emt_messages');
  const started = Date.now();
  await rebuild();
  const seconds = (Date.now() - started) / 1000;
  const counted = await number(pool, 'SELECT coalesce(sum(clicks), 0) FROM click_counters');
  if (counted !== events) console.error(`emmett: ${counted} of ${events} events counted`);
  console.log(Math.round(events / seconds));
} else if (what === 'lost') {
  // What lies at or below the checkpoint of a rebuild beside writers, and was not counted, is lost.
  let writing = true;
  setTimeout(() => (writing = false), Number(argument) * 1000);
  const written = write(() => writing);
  const processorId = await rebuild();
  writing = false;
  await written;
  const checkpoint = await number(
    pool,
    `SELECT max(last_processed_checkpoint::bigint) FROM emt_processors WHERE processor_id = '${processorId}'`,
  );
  const below = await number(pool, `SELECT count(*) FROM emt_messages WHERE global_position <= ${checkpoint}`);
  const counted = await number(pool, 'SELECT coalesce(sum(clicks), 0) FROM click_counters');
  console.log(`${below - counted} ${below}`);
} else {
  console.error('usage: node emmett.mjs append|fill|rebuild|lost CONNECTION ARGUMENT');
  process.exitCode = 2;
}
await store.close();
await pool.end().catch(() => {});

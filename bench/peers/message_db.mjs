// message-db on PostgreSQL: appends, a read-and-fold of click counters, and what that loses beside writers.
//   node message_db.mjs append|fill|rebuild|lost CONNECTION ARGUMENT      prints one number (lost: two)
import { randomUUID } from 'node:crypto';
import pg from 'pg';

const [, , what, connectionString, argument] = process.argv;
const writers = Number(process.env.WRITERS ?? 32);
const streams = Number(process.env.STREAMS ?? 10_000);

const data = () =>
  JSON.stringify({ visitor: randomUUID(), browser: 'Firefox', os: 'Linux', device_type: 'desktop', country_code: 'DE' });
const streamName = () => `clicks-${Math.floor(Math.random() * streams)}`;
const pool = new pg.Pool({ connectionString, max: writers + 1, options: '-c search_path=message_store,public' });

async function number(sql) {
  const { rows } = await pool.query(sql);
  return Number(Object.values(rows[0])[0]);
}

async function write(more) {
  let written = 0;
  const writer = async () => {
    while (more()) {
      await pool.query({
        name: 'write',
        text: 'SELECT write_message($1::varchar, $2::varchar, $3::varchar, $4::jsonb)',
        values: [randomUUID(), streamName(), 'link.clicked', data()],
      });
      ++written;
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return written;
}

// Reads the category in batches and folds them into a row per link, as its consumers do: the next read begins
// after the last global position that was seen. Rows and checkpoint are committed together.
async function fold() {
  const client = await pool.connect();
  await client.query(`CREATE TABLE IF NOT EXISTS public.click_counters (stream text PRIMARY KEY, clicks bigint NOT NULL)`);
  await client.query(`CREATE TABLE IF NOT EXISTS public.click_checkpoint (position bigint NOT NULL)`);
  await client.query('TRUNCATE public.click_counters, public.click_checkpoint');
  await client.query('INSERT INTO public.click_checkpoint VALUES (0)');
  let position = 0;
  for (;;) {
    const { rows } = await client.query({
      name: 'read',
      text: `SELECT stream_name, global_position, data FROM get_category_messages('clicks', $1::bigint, 1000)`,
      values: [position + 1],
    });
    if (rows.length === 0) break;
    const counts = new Map();
    for (const row of rows) {
      JSON.parse(row.data);
      counts.set(row.stream_name, (counts.get(row.stream_name) ?? 0) + 1);
    }
    position = Number(rows.at(-1).global_position);
    await client.query('BEGIN');
    await client.query({
      name: 'add',
      text: `INSERT INTO public.click_counters AS c (stream, clicks)
             SELECT stream, clicks FROM json_to_recordset($1::json) AS r (stream text, clicks bigint)
             ON CONFLICT (stream) DO UPDATE SET clicks = c.clicks + excluded.clicks`,
      values: [JSON.stringify([...counts].map(([stream, clicks]) => ({ stream, clicks })))],
    });
    await client.query('UPDATE public.click_checkpoint SET position = $1', [position]);
    await client.query('COMMIT');
  }
  client.release();
  return position;
}

if (what === 'append') {
  const started = Date.now();
  const until = started + Number(argument) * 1000;
  const written = await write(() => Date.now() < until);
  console.log(Math.round((written * 1000) / (Date.now() - started)));
} else if (what === 'fill') {
  let left = Number(argument);
  await write(() => left-- > 0);
  console.log(await number('SELECT count(*) FROM messages'));
} else if (what === 'rebuild') {
  const events = await number('SELECT count(*) FROM messages');
  const started = Date.now();
  await fold();
  console.log(Math.round((events * 1000) / (Date.now() - started)));
} else if (what === 'lost') {
  let writing = true;
  setTimeout(() => (writing = false), Number(argument) * 1000);
  const written = write(() => writing);
  const position = await fold();
  writing = false;
  await written;
  const below = await number(`SELECT count(*) FROM messages WHERE global_position <= ${position}`);
  const counted = await number('SELECT coalesce(sum(clicks), 0) FROM public.click_counters');
  console.log(`${below - counted} ${below}`);
} else {
  console.error('usage: node message_db.mjs append|fill|rebuild|lost CONNECTION ARGUMENT');
  process.exitCode = 2;
}
await pool.end();

import { setTimeout as sleep } from 'node:timers/promises';
import { DATABASE, type Ground, LAYOUT } from './ground.js';

export async function sql(ground: Ground, text: string): Promise<string> {
  return ground.host(`cd / && runuser -u postgres -- psql -XAtq -d ${DATABASE} <<'SQL'\n${text}\nSQL`);
}

/** @param command `null`: what the configuration says */
export const setCommand = (ground: Ground, command: string | null): Promise<string> =>
  sql(
    ground,
    command === null
      ? 'ALTER SYSTEM RESET archive_command; SELECT pg_reload_conf()'
      : `ALTER SYSTEM SET archive_command = '${command}'; SELECT pg_reload_conf()`,
  );

/** Segments that wait to be archived. */
export const waiting = async (ground: Ground): Promise<number> =>
  Number(await ground.host(`find ${LAYOUT.data}/pg_wal/archive_status -name '*.ready' | wc -l`));

/** How long what waits may take to be archived. */
const DRAIN_TRIES = 240;

export async function drained(ground: Ground): Promise<void> {
  for (let tries = 0; (await waiting(ground)) > 0; tries += 1) {
    if (tries === DRAIN_TRIES) throw new Error('the log that waits is not taken');
    await sleep(500);
  }
}

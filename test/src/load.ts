import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { DEFAULT_LOAD, Load, type LoadConfig } from './load-run.js';

/**
 * The load generator as a process of its own: `node load.js '{"urls":["http://…"]}'`, with any other setting of `LoadConfig`
 * beside `urls`. It begins at once and is told by lines of JSON on standard input, each answered by one on standard output:
 *
 * - `{"do":"mark","name":"r2"}` begins a window, `{"do":"since","name":"r2"}` says what happened in it
 * - `{"do":"snapshot"}` says what happened since the start
 * - `{"do":"stop"}` lets the requests under way end, `{"do":"account"}` names the POSTs
 *
 * It ends with its standard input.
 */
async function main(setting: string): Promise<void> {
  const config: LoadConfig = {
    ...DEFAULT_LOAD,
    ...(JSON.parse(setting) as Partial<LoadConfig> & { urls: string[] }),
  };
  const load = new Load(config);
  load.start();
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(load, JSON.parse(line) as Command))}\n`);
  }
  await load.stop();
}

interface Command {
  readonly do: 'mark' | 'since' | 'snapshot' | 'stop' | 'account';
  readonly name?: string;
}

async function answer(load: Load, { do: what, name = '' }: Command): Promise<object> {
  switch (what) {
    case 'mark':
      load.mark(name);
      return { marked: name };
    case 'since':
      return load.since(name);
    case 'snapshot':
      return load.since();
    case 'stop':
      await load.stop();
      return load.since();
    case 'account':
      return load.account();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv[2] ?? '{}');

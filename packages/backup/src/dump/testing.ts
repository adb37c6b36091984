import type { StoredDump } from './backup.js';
import type { DumpManifest } from './manifest.js';
import { readDumpManifest } from './manifest.js';

interface Example {
  readonly id: string;
  readonly names?: readonly string[];
  readonly selected?: readonly string[] | null;
  readonly server?: string | null;
}

/** A dump as the tests want it. */
export function exampleDump({ id, names = ['shop'], selected = null, server = null }: Example): StoredDump {
  const at = `${id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6')}.000Z`;
  const object = (key: string): object => ({
    ...{
      key: `shop/pg_dump/dump/${id}/${key}`,
      size: 10,
      sha256: 'a'.repeat(64),
      etag: 'e',
      recipient: null,
    },
    parts: [{ part: 1, size: 10, md5: 'b'.repeat(32) }],
  });
  const manifest = readDumpManifest(
    JSON.stringify({
      ...{ format: 1, id, stack: 'shop', selected, startedAt: at, finishedAt: at, run: null },
      source: { server, host: 'database-2', role: 'replica', lagBytes: 0 },
      postgresql: { major: 17, version: '17.6', program: 17 },
      databases: names.map((name, index) => ({
        ...{ name, number: index + 1, bytes: 1_000, rows: {}, object: object(name) },
      })),
      globals: { passwords: true, object: object('globals') },
    }),
  ) as DumpManifest;
  return { manifest, bytes: manifest.object.size };
}

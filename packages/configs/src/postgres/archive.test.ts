import { describe, expect, it } from '@jest/globals';
import { exampleStack, UBUNTU_EXAMPLE } from '../examples.js';
import { render } from '../render.js';
import { ARCHIVE_PACKAGES } from './archive.js';

const { inventory, secrets } = UBUNTU_EXAMPLE;
const serviceOf = (backups: string) =>
  render(
    exampleStack(`stack: shop\nregion: us-ord\napp: {}\ntiers: { database: { count: 1 } }\n${backups}\n`),
    inventory,
    { secrets },
  )
    .hosts.find(({ host }) => host === 'database-1')
    ?.services.find(({ name }) => name === 'postgresql');

describe('archiving', () => {
  it('keeps no log where backups are dumps, and has what packs and sends them', () => {
    const service = serviceOf('backups: { bucket: shop-backups, engine: pg_dump }');
    expect(service?.files.some(({ content }) => content.includes('archive'))).toBe(false);
    expect(service?.packages).toEqual(['postgresql-17', ...ARCHIVE_PACKAGES]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { exampleStack, UBUNTU_EXAMPLE } from '../examples.js';
import { render } from '../render.js';
import { requiredSecrets } from '../secrets.js';
import { PGBACKREST } from './pgbackrest.js';

const { inventory, secrets } = UBUNTU_EXAMPLE;
const stackWith = (backups: string) =>
  exampleStack(`stack: shop\nregion: us-ord\napp: {}\ntiers: { database: { count: 1 } }\n${backups}\n`);
const serviceOf = (backups: string, given = secrets) =>
  render(stackWith(backups), inventory, { secrets: given })
    .hosts.find(({ host }) => host === 'database-1')
    ?.services.find(({ name }) => name === 'postgresql');
const fileOf = (backups: string, path: string): string =>
  serviceOf(backups)?.files.find((file) => file.path === path)?.content ?? '';

const ENGINE = 'backups: { bucket: shop-backups, engine: pgbackrest }';
const PLAIN = 'backups: { bucket: shop-backups, engine: pgbackrest, encrypt: false }';

describe('pgBackRest', () => {
  it("is told of the region's endpoint at Linode, and of no port where it has its usual one", () => {
    const text = fileOf(ENGINE, PGBACKREST.configuration);
    expect(text).toContain('repo1-s3-endpoint=us-ord-1.linodeobjects.com\n');
    expect(text).toContain('repo1-s3-region=us-ord-1\n');
    expect(text).not.toContain('repo1-storage-port');
    expect(text).toContain('repo1-storage-verify-tls=y\n');
  });

  it('has its secrets in one file, which only PostgreSQL reads', () => {
    const service = serviceOf(ENGINE);
    const ours = Object.entries(secrets).flatMap(([name, value]) =>
      name.startsWith('BACKUP') ? [value] : [],
    );
    const holders = service?.files.filter(({ content }) => ours.some((one) => content.includes(one)));
    const file = service?.files.find(({ path }) => path === PGBACKREST.secrets);
    expect(file).toMatchObject({ owner: 'postgres', mode: 0o600, secret: true });
    expect(file?.content).toContain('repo1-cipher-pass=nur fuer uns\n');
    expect(holders).toEqual([file]);
  });

  it('encrypts unless the stack file says otherwise', () => {
    expect(fileOf(ENGINE, PGBACKREST.configuration)).toContain('repo1-cipher-type=aes-256-cbc\n');
    expect(fileOf(PLAIN, PGBACKREST.configuration)).toContain('repo1-cipher-type=none\n');
    expect(fileOf(PLAIN, PGBACKREST.secrets)).not.toContain('cipher');
  });

  it.each([
    [ENGINE, ['BACKUP_ACCESS_KEY_ID', 'BACKUP_CIPHER_PASSPHRASE', 'BACKUP_SECRET_ACCESS_KEY']],
    [PLAIN, ['BACKUP_ACCESS_KEY_ID', 'BACKUP_SECRET_ACCESS_KEY']],
    ['backups: { bucket: shop-backups }', []],
  ])('%s needs the secrets %j', (backups, names) =>
    expect(
      requiredSecrets(stackWith(backups))
        .map(({ name }) => name)
        .filter((name) => name.startsWith('BACKUP')),
    ).toEqual(names),
  );

  it.each(['', 'backups: { bucket: shop-backups }'])(
    'leaves no key where the stack file says %j',
    (backups) => expect(serviceOf(backups)?.removes).toContain(PGBACKREST.secrets),
  );

  it.each([' x', 'x ', 'x\ny'])('refuses the passphrase %j without repeating it', (value) =>
    expect(() => serviceOf(ENGINE, { ...secrets, BACKUP_CIPHER_PASSPHRASE: value })).toThrow(
      /^backups: the secret BACKUP_CIPHER_PASSPHRASE begins or ends with a space, or has several lines/,
    ),
  );

  it('refuses an address for an endpoint', () =>
    expect(() =>
      serviceOf("backups: { bucket: shop-backups, engine: pgbackrest, endpoint: 'https://192.0.2.1:7443' }"),
    ).toThrow(/^backups\.endpoint: pgBackRest finds no address in a certificate, so 192\.0\.2\.1/));
});

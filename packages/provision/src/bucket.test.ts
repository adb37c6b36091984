import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FULL_TOKEN } from '@perlstack/local-cloud';
import { endpointOf } from '@perlstack/stack';
import { STACK, stackFile, testCloud, type TestCloud } from './cloud.testkit.js';
import { planDestroy } from './destroy.js';
import { observe, observeForDestroy } from './observe.js';
import { plan } from './plan.js';

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await testCloud();
});
afterEach(() => cloud.close());

const withBackups = (more = '', stack = STACK) =>
  stackFile(`${stack}backups: { bucket: shop-backups${more} }\n`);
const planned = async (file = withBackups()) => plan(file, await observe(cloud.reader, file));
const LINE = { label: 'shop-backups', tier: 'backups', type: 'Object Storage', monthly: 5 };
const creations = ({ steps }: Awaited<ReturnType<typeof planned>>) =>
  steps.filter(({ kind }) => kind === 'create-bucket');

/** A cloud whose token may do what a stack without backups needs, and some more. */
async function withScopes(...more: string[]): Promise<void> {
  await cloud.close();
  const kinds = ['linodes', 'firewall', 'vpc'].map((kind) => `${kind}:read_write`);
  cloud = await testCloud({ tokens: [{ ...FULL_TOKEN, scopes: [...kinds, 'events:read_only', ...more] }] });
}

describe('the bucket of the backups', () => {
  it('is made once, is on the bill, and stays when the stack goes', async () => {
    const file = withBackups();
    const before = await planned();
    expect(before.bill.lines).toContainEqual({ ...LINE, change: 'create' });
    expect(before.notes).toContainEqual(
      expect.stringContaining('costs $5 a month for the whole account, and more above 250 GB'),
    );
    const { outcome } = await cloud.apply(file);
    expect(outcome.state).toBe('succeeded');
    expect([...cloud.api.state.buckets.values()]).toMatchObject([
      { label: 'shop-backups', acl: 'private', endpoint: { s3_endpoint: 'us-ord-1.linodeobjects.com' } },
    ]);
    const after = await planned();
    expect(after.steps).toEqual([]);
    expect(after.bill).toMatchObject({ before: before.bill.after, delta: 0 });
    expect(after.bill.lines).toContainEqual({ ...LINE, change: 'keep' });
    const observed = await observeForDestroy(cloud.reader, file.stack);
    const gone = planDestroy('shop', observed, observed.catalogue);
    expect(gone.notes).toContainEqual(
      expect.stringMatching(/^The bucket shop-backups stays, with its backups/),
    );
    expect(gone.bill).toMatchObject({ after: 5, delta: 5 - before.bill.after });
    expect(JSON.stringify(gone.steps)).not.toContain('shop-backups');
  });

  it('that is not there costs nothing when the stack goes, wherever the stack file looks for it', async () => {
    const { stack } = withBackups(", endpoint: 'https://us-ord-2.linodeobjects.com'");
    const observed = await observeForDestroy(cloud.reader, stack);
    expect(planDestroy('shop', observed, observed.catalogue)).toMatchObject({
      bill: { after: 0 },
      notes: [],
    });
  });

  it('is where the endpoint of the stack file is', async () => {
    await cloud.apply(withBackups(", endpoint: 'https://us-lax-4.linodeobjects.com'"));
    expect([...cloud.api.state.buckets.values()]).toMatchObject([
      { endpoint: { region: 'us-lax', endpoint_type: 'E3' } },
    ]);
  });

  it('is another one than that of the same name at another endpoint', async () => {
    await cloud.client.createBucket({
      ...{
        label: 'shop-backups',
        region: 'us-sea',
        endpoint_type: 'E1',
        acl: 'private',
        cors_enabled: false,
      },
    });
    expect(creations(await planned())).toHaveLength(1);
  });

  it('that a stranger has is a failure that names it', async () => {
    cloud.api.state.strangersBuckets.add('us-ord/shop-backups');
    const { outcome } = await cloud.apply(withBackups());
    expect(outcome.state).toBe('failed');
    expect(outcome.failures).toMatchObject([{ step: { kind: 'create-bucket' } }]);
    expect(String(outcome.failures[0]?.error)).toContain('Bucket name is taken');
  });

  it.each([
    ['there are no backups', stackFile()],
    ['they are elsewhere', withBackups(", endpoint: 'https://objects.example.com'")],
  ])('is nothing to Linode where %s', async (_, file) => {
    const { bill, notes } = await planned(file);
    expect(bill.lines.map(({ tier }) => tier)).not.toContain('backups');
    expect(notes.join()).not.toContain('bucket');
    expect(cloud.api.requests.map(({ path }) => path).join()).not.toContain('object-storage');
  });

  it('that is to have Object Lock is missed, and not made without', async () => {
    const made = await planned(withBackups(', lock: 7d'));
    expect(creations(made)).toEqual([]);
    expect(made.notes).toContainEqual(
      expect.stringMatching(
        /^The bucket shop-backups is missing\. It is to have Object Lock \(backups\.lock\)/,
      ),
    );
  });

  it('is not looked for by a token that may not, and is on the bill all the same', async () => {
    await withScopes();
    const { plan: made, outcome } = await cloud.apply(withBackups());
    expect(outcome.state).toBe('succeeded');
    expect(made.bill.lines).toContainEqual({ ...LINE, change: 'keep' });
    expect(made.notes).toContainEqual(
      expect.stringMatching(
        /^Whether the bucket shop-backups exists is not known: the token has not the scope object_storage:read_only/,
      ),
    );
  });

  it('that is missing takes a token that may make it', async () => {
    await withScopes('object_storage:read_only');
    const file = withBackups();
    expect(creations(await planned())).toHaveLength(1);
    await expect(observe(cloud.reader, file, { purpose: 'apply' })).rejects.toThrow(
      /^The Linode token lacks the scope object_storage:read_write/,
    );
  });
});

describe('an endpoint', () => {
  it('is taken from the region wherever Linode has storage', async () => {
    const endpoints = (await cloud.reader.storageEndpoints()).filter((one) => one.s3_endpoint !== null);
    for (const { region } of endpoints) {
      const hosts = endpoints
        .filter((one) => one.region === region)
        .map((one) => `https://${one.s3_endpoint}`);
      expect(hosts).toContain(endpointOf({ region }));
    }
  });

  it('that Linode has not is refused, with those of the region first', async () => {
    const file = withBackups(", endpoint: 'https://us-ord-2.linodeobjects.com'");
    await expect(observe(cloud.reader, file)).rejects.toThrow(
      /^perlstack\.yml:\d+:\d+ backups\.endpoint: us-ord-2\.linodeobjects\.com is no endpoint of Linode's Object Storage; .* those of us-ord first: https:\/\/us-ord-1\.linodeobjects\.com, https:\/\/us-ord-10\.linodeobjects\.com, https:\/\/ap-south-1\./,
    );
  });

  it('that the account learns by its first bucket there is that of its city', async () => {
    const file = withBackups(", endpoint: 'https://us-iad-10.linodeobjects.com'");
    expect((await observe(cloud.reader, file)).bucket).toMatchObject({
      place: { region: 'us-iad-2', endpointType: 'E3', exists: false },
    });
  });
});

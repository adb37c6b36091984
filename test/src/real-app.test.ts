import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import type { Outcome } from '@perlstack/procedure';
import type { DeployResult } from '@perlstack/release';
import { Browser, type Page } from './browser.js';
import type { LoadHandle } from './load-handle.js';
import { sql } from './stack-proofs.js';
import { DOMAIN, StackSite } from './stack-site.js';
import { packTracker, TRACKER_PACKAGES } from './tracker.js';

// The first run builds an image of its own.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

const STACK = `
stack: tracker
region: us-ord
app:
  domains: [${DOMAIN}]
  workers: 2
  workerMemory: 256MiB
  packages: [${TRACKER_PACKAGES.join(', ')}]
  env: { PLACK_ENV: deployment, WEB_DOMAIN: ${DOMAIN} }
  secrets: [RT_ROOT_PASSWORD]
  health: { path: /healthz, body: ok, latency: 5s, successes: 3, timeout: 2m, release: /version }
  hooks: { migrate: bin/migrate, timeout: 5m }
  drainTimeout: 30s
tiers:
  web: { type: g6-nanode-1, count: 1, tls: { files: true } }
  app: { type: g6-standard-1, count: 2 }
  database: { type: g6-standard-1, count: 1 }
`;
const PASSWORD = 'correct "horse" $battery';
const SUBJECT = 'The printer on the third floor is on fire';

/** Debian's Request Tracker 5: an application that knows nothing of this project, with PostgreSQL behind it. */
describeHosts(`Request Tracker on the stack${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  let site: StackSite;
  let browser: Browser;
  let converged: Outcome;
  let deployed: DeployResult;
  let load: LoadHandle | undefined;
  let ticket = '';

  const pack = (release: string, foot: string, settings = ''): Promise<string> =>
    packTracker({ release, foot, settings, directory: site.hosts.folder });

  const signIn = async (password: string): Promise<Page> =>
    browser.submit(await browser.open('/'), 'login', { user: 'root', pass: password });

  /** Pages are long: what they lack is told. */
  function expectShown({ text }: Page, ...words: readonly string[]): void {
    expect(words.filter((one) => !text.includes(one))).toEqual([]);
  }

  const history = (): Promise<Page> => browser.open(`/Ticket/History.html?id=${ticket}`);

  async function expectUnnoticed(mark: string): Promise<void> {
    if (!load) throw new Error('Nobody reads');
    const { failed, failures, requests } = await load.since(mark);
    process.stdout.write(`${mark}: ${failed} of ${requests} pages failed\n`);
    expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
    expect(requests).toBeGreaterThan(0);
  }

  beforeAll(async () => {
    site = await StackSite.open(STACK, {
      packages: TRACKER_PACKAGES,
      secrets: { RT_ROOT_PASSWORD: PASSWORD },
    });
    const { cloud, folder, inventory } = site.hosts;
    const address = inventory.hosts.find(({ tier }) => tier === 'web')?.publicAddress ?? '';
    browser = new Browser(cloud, { origin: `https://${DOMAIN}`, address, ca: site.caFile }, folder);
    converged = await site.converge(site.bundle());
    deployed = await site.deploy('r1', await pack('r1', 'The first edition'));
  });
  afterAll(() => site?.close());

  it('comes up from Debian’s packages, its database made by the migration', async () => {
    expect(converged).toMatchObject({ state: 'succeeded', failures: [] });
    expect(deployed).toMatchObject({ outcome: 'succeeded', previous: null, unresolved: [], notes: [] });
    const users = 'SELECT name FROM users WHERE id IN (1, 6, 12) ORDER BY id';
    expect(await sql(site.hosts.ask, 'database-1', users, 'tracker')).toContain('RT_System');
  });

  it('lets root in by its own form, and nobody with another password', async () => {
    expectShown(await signIn('password'), 'Your username or password is incorrect');
    const page = await signIn(PASSWORD);
    expect(page).toMatchObject({ status: 200, url: `https://${DOMAIN}/` });
    expectShown(page, 'Logged in as', 'The first edition');
  });

  it('keeps a ticket', async () => {
    const form = await browser.open('/Ticket/Create.html?Queue=1');
    const made = await browser.submit(form, 'TicketCreate', {
      ...{
        Queue: '1',
        Status: 'new',
        Subject: SUBJECT,
        Content: 'Please bring water.',
        SubmitTicket: 'Create',
      },
    });
    ticket = /Ticket (\d+) created/.exec(made.text)?.[1] ?? '';
    expect(ticket).not.toBe('');
    expectShown(await history(), SUBJECT, 'Please bring water.');
  });

  describe('under steady reading', () => {
    beforeAll(async () => {
      load = site.startLoad({
        ...{ clients: { get: 3 }, thinkMs: [200, 400] },
        ...{ path: `/Ticket/Display.html?id=${ticket}`, contains: SUBJECT, cookie: await browser.cookies() },
      });
    });
    afterAll(() => load?.close());

    it('is rolled out without a failed request, and the session goes on', async () => {
      await load?.mark('r2');
      const result = await site.deploy('r2', await pack('r2', 'The second edition'));
      expect(result).toMatchObject({ outcome: 'succeeded', previous: 'r1', unresolved: [], notes: [] });
      expectShown(await history(), SUBJECT, 'The second edition');
      await expectUnnoticed('r2');
    });

    it('that does not load stays away, in the words of its own fault', async () => {
      await load?.mark('r3');
      const result = await site.deploy('r3', await pack('r3', 'No edition', 'Set($rtname, ;\n'));
      expect(result).toMatchObject({ outcome: 'rolled-back', unresolved: [] });
      expect(result.reason).toMatch(
        /^app-1: app\.psgi of r3 does not load: .*syntax error at \S+\/etc\/site\.pm/,
      );
      expectShown(await history(), 'The second edition');
      await expectUnnoticed('r3');
    });

    it('is rolled back without a failed request, and what was written stays', async () => {
      await load?.mark('back');
      const form = await browser.open(`/Ticket/Update.html?id=${ticket}&Action=Respond`);
      const answered = await browser.submit(form, 'TicketUpdate', {
        ...{ id: ticket, UpdateType: 'response', UpdateContent: 'Water is on its way.' },
        ...{ SubmitTicket: 'Update Ticket' },
      });
      expectShown(answered, 'Correspondence added');
      expect(await site.rollback()).toMatchObject({ outcome: 'succeeded', release: 'r1', previous: 'r2' });
      expectShown(await history(), 'Water is on its way.', 'The first edition');
      await expectUnnoticed('back');
    });
  });
});

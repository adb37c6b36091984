import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type ConfigBundle, render, type TlsFiles } from '@perlstack/configs';
import { assertAllowed, handlers, observe, plan } from '@perlstack/converge';
import { whyNoHosts } from '@perlstack/local-cloud';
import { execute } from '@perlstack/procedure';
import { messageOf } from '@perlstack/stack';
import { certificateFor } from '../../packages/configs/src/tls.testkit.js';
import { type HostsSite, openHosts } from './hosts-site.js';

// What visitors get of the rendered web tier, with real nginx and Starman: HTTPS, names, limits, who the client is.

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;
const reason = obstacle === null ? '' : ` (skipped: ${obstacle})`;

interface Example {
  readonly image: string;
  readonly entry: 'dns' | 'nodebalancer';
}

const stackFile = ({ image, entry }: Example): string => `
stack: shop
region: us-ord
image: ${image}
app:
  domains: [shop.example.com]
  workers: 4
  limits: { body: 64KiB, rate: 20, burst: 10, connections: 5 }
  env: { PLACK_ENV: deployment, GREETING: 'Say "50% off", \\ or $HOME' }
  secrets: [TOKEN]
tiers:
  web: { type: g6-nanode-1, count: 1, entry: ${entry}, tls: { files: true, hsts: 1d } }
  app: { type: g6-nanode-1, count: 1 }
`;

const TOKEN = 'two\nlines "quoted" $x %i';

/** Says what it was asked, and what it was started with. */
const APPLICATION = `
use strict; use JSON::PP;
sub {
  my $env = shift;
  my %seen = map { $_ => $env->{$_} } grep /^(HTTP_|REQUEST|PATH_INFO)/, keys %$env;
  sleep 2 if $env->{PATH_INFO} eq '/slow';
  [200, ['Content-Type', 'application/json', 'Strict-Transport-Security', 'max-age=1'],
    [encode_json({ request => \\%seen, greeting => $ENV{GREETING}, token => $ENV{TOKEN}, release => $ENV{RELEASE} })]];
};
`;

/** What a deploy would do, for an application of one file. */
const RELEASE = `
mkdir -p /srv/shop/releases/one
base64 -d > /srv/shop/releases/one/app.psgi <<'END'
${Buffer.from(APPLICATION).toString('base64')}
END
systemctl start shop@one.service
for try in $(seq 50); do [ -S /run/shop/one.sock ] && break; sleep 0.1; done
ln -sfn /run/shop/one.sock /srv/shop/current.sock
ln -sfn releases/one /srv/shop/current
`;

interface Answer {
  readonly request: Readonly<Record<string, string>>;
  readonly greeting: string;
  readonly token: string;
  readonly release: string;
}

describeHosts.each<Example>([
  { image: 'linode/debian13', entry: 'nodebalancer' },
  { image: 'linode/debian12', entry: 'dns' },
])(`web tier of $image, entry $entry${reason}`, (example) => {
  let site: HostsSite;
  let tls: TlsFiles;
  /** An address from which the entry speaks, or a visitor. */
  const caller = example.entry === 'nodebalancer' ? '10.10.5.2' : '198.51.100.7';

  beforeAll(async () => {
    site = await openHosts(stackFile(example));
    tls = certificateFor(['shop.example.com'], 30);
    await converge(bundle());
    await site.ask('app-1', RELEASE);
    await site.ask('web-1', `ip address add ${caller}/32 dev lo`);
  });

  afterAll(() => site?.close());

  const bundle = (files = tls): ConfigBundle =>
    render(site.stack, site.inventory, { secrets: { TOKEN }, tls: files });

  async function converge(wanted: ConfigBundle): Promise<void> {
    const intended = plan(wanted, await observe(site.remote, wanted));
    assertAllowed(intended);
    const { failures } = await execute(intended.steps, handlers(site.remote, wanted), { onFailure: 'undo' });
    if (failures[0]) throw new Error(messageOf(failures[0].error));
  }

  const names = ['shop.example.com', 'other.example.com'].flatMap((name) =>
    [80, 443].map((port) => `--resolve ${name}:${port}:127.0.0.1`),
  );
  const proxied = example.entry === 'nodebalancer' ? '--haproxy-protocol' : '';
  const curl = (words: string): Promise<string> =>
    site.ask(
      'web-1',
      `curl -sk ${proxied} ${names.join(' ')} --interface ${caller} ${words} || echo "curl: $?"`,
    );
  const status = (words: string): Promise<string> => curl(`-o /dev/null -w '%{http_code}' ${words}`);
  const answer = async (words: string): Promise<Answer> => JSON.parse(await curl(words)) as Answer;

  it('finds nothing to do the second time', async () => {
    expect(plan(bundle(), await observe(site.remote, bundle()))).toMatchObject({ steps: [], changes: [] });
  });

  it('sends visitors to HTTPS, what they send included', async () => {
    const head = await curl(`-i -X POST -d a=b 'http://shop.example.com/cart?x=1&y=%20'`);
    expect(head).toMatch(/^HTTP\/1.1 308 /);
    expect(head).toMatch(/^Location: https:\/\/shop.example.com\/cart\?x=1&y=%20\r?$/m);
  });

  it('speaks HTTP/2 over TLS 1.3 and 1.2, and nothing older', async () => {
    const spoken = `-o /dev/null -w '%{http_code} %{http_version}' https://shop.example.com/`;
    expect(await curl(spoken)).toBe('200 2');
    expect(await curl(`--tls-max 1.2 ${spoken}`)).toBe('200 2');
    // The client's own policy would refuse these before the server had a chance to.
    const weak = `--ciphers 'DEFAULT@SECLEVEL=0'`;
    expect(await curl(`--tls-max 1.1 ${weak} ${spoken}`)).toMatch(/curl: 35$/);
    expect(await curl(`--tls-max 1.2 --ciphers AES128-GCM-SHA256 ${spoken}`)).toMatch(/curl: 35$/);
  });

  it('tells browsers once to use HTTPS alone', async () => {
    const head = await curl('-I https://shop.example.com/');
    expect(head.match(/^strict-transport-security: .*$/gim)).toEqual([
      expect.stringMatching(/: max-age=86400\r?$/),
    ]);
  });

  it('tells the application who asks, whatever the client says of itself', async () => {
    const lies = `-H 'X-Forwarded-For: 1.2.3.4' -H 'X-Real-IP: 1.2.3.4' -H 'X-Forwarded-Proto: http'`;
    const { request } = await answer(`${lies} https://shop.example.com/who`);
    // curl names itself in its PROXY header, and the header is believed.
    expect(request).toMatchObject({
      HTTP_X_REAL_IP: caller,
      HTTP_X_FORWARDED_FOR: caller,
      HTTP_X_FORWARDED_PROTO: 'https',
      HTTP_HOST: 'shop.example.com',
    });
    const [line = ''] = (await site.ask('web-1', 'grep "/who" /var/log/nginx/access.log')).split('\n');
    expect(JSON.parse(line)).toMatchObject({ client: caller, scheme: 'https', status: '200' });
    const [inner = ''] = (await site.ask('app-1', 'grep "/who" /var/log/nginx/access.log')).split('\n');
    expect(JSON.parse(inner)).toMatchObject({ client: caller });
  });

  (example.entry === 'nodebalancer' ? it : it.skip)(
    'believes the PROXY header of the entry alone',
    async () => {
      const ask = (from: string): Promise<string> =>
        site.ask(
          'web-1',
          `perl -MIO::Socket::INET -e '
          my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:80", LocalAddr => shift) or die "no socket";
          print $s "PROXY TCP4 192.0.2.9 10.10.0.2 4711 80\\r\\nGET /healthz HTTP/1.0\\r\\n\\r\\n";
          print <$s>' ${from}`,
        );
      expect(await ask(caller)).toContain('"HTTP_X_REAL_IP":"192.0.2.9"');
      expect(await ask('127.0.0.1')).toContain('"HTTP_X_REAL_IP":"127.0.0.1"');
      expect(await site.ask('web-1', 'curl -s http://127.0.0.1/nginx_health || echo "curl: $?"')).toMatch(
        /curl: \d/,
      );
    },
  );

  it('answers by its own names alone, but tells anybody of its health', async () => {
    expect(await status('http://other.example.com/')).toBe('421');
    expect(await status('https://other.example.com/')).toBe('421');
    expect(await status('https://127.0.0.1/cart')).toBe('421');
    expect(await status('http://127.0.0.1/nginx_health')).toBe('200');
    expect(await status('https://127.0.0.1/nginx_health')).toBe('200');
    const { request } = await answer('http://127.0.0.1/healthz');
    expect(request).toMatchObject({ PATH_INFO: '/healthz', HTTP_HOST: 'shop.example.com' });
    expect(await site.ask('web-1', 'curl -sf http://127.0.0.1:8080/nginx_health')).toBe('ok');
    expect(await site.ask('web-1', 'curl -sf http://127.0.0.1:8080/stub_status')).toContain(
      'Active connections',
    );
  });

  it('refuses bodies, requests and connections above the limits', async () => {
    const upload = (kib: number): Promise<string> =>
      site
        .ask('web-1', `head -c ${kib * 1_024} /dev/zero > /tmp/body`)
        .then(() => status('--data-binary @/tmp/body https://shop.example.com/'));
    expect(await upload(64)).toBe('200');
    expect(await upload(65)).toBe('413');
    // Four at once, below the limit of connections, as fast as they are answered.
    const streams = Array.from({ length: 4 }, () => status(`--http1.1 'https://shop.example.com/[1-100]'`));
    const codes = (await Promise.all(streams)).join('').match(/\d{3}/g);
    expect(new Set(codes)).toEqual(new Set(['200', '429']));
    await site.ask('web-1', 'sleep 1');
    const parallel = await status(`--http1.1 -Z --parallel-immediate 'https://shop.example.com/slow?[1-8]'`);
    expect(parallel.match(/200/g)).toHaveLength(5);
    expect(parallel.match(/429/g)).toHaveLength(3);
  });

  it('starts the application with its environment and secrets, which nobody else can read', async () => {
    await site.ask('web-1', 'sleep 1');
    const { greeting, token, release } = await answer('https://shop.example.com/');
    expect({ greeting, token, release }).toEqual({
      greeting: 'Say "50% off", \\ or $HOME',
      token: TOKEN,
      release: 'one',
    });
    const nobody = (host: string, path: string) =>
      site.ask(host, `setpriv --reuid nobody --regid nogroup --clear-groups cat ${path} 2>&1 || true`);
    expect(await nobody('web-1', '/etc/nginx/tls/shop.key')).toMatch(/Permission denied$/);
    expect(await nobody('app-1', '/etc/shop/env')).toMatch(/Permission denied$/);
    const process = '$(systemctl show -p MainPID --value shop@one.service)';
    expect(await nobody('app-1', `/proc/${process}/environ`)).toMatch(/Permission denied$/);
  });

  it('brings a master back that ended, cleanly too', async () => {
    const running = () => site.ask('app-1', 'systemctl show -p MainPID --value shop@one.service');
    const before = await running();
    await site.ask(
      'app-1',
      `kill -TERM ${before}; for t in $(seq 80); do sleep 0.1; curl -sf -o /dev/null http://10.10.1.2:5000/healthz && break; done`,
    );
    expect(await running()).not.toBe(before);
    expect(await status('https://shop.example.com/')).toBe('200');
  });

  it('serves a new certificate at once, and keeps the old one where the key is not its own', async () => {
    const served = () =>
      site.ask(
        'web-1',
        `curl -skv ${proxied} ${names.join(' ')} https://shop.example.com/ 2>&1 | sed -n 's/.*expire date: //p'`,
      );
    const first = await served();
    await converge(bundle(certificateFor(['shop.example.com'], 60)));
    const second = await served();
    expect(second).not.toBe(first);
    const mixed = { ...certificateFor(['shop.example.com'], 90), privateKey: tls.privateKey };
    await expect(converge(bundle(mixed))).rejects.toThrow(
      /web-1: nginx: the new configuration is not valid.*key/s,
    );
    expect(await served()).toBe(second);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { AppFacts, WebFacts } from './facts.js';
import { findingsOf, type Intent, seconds } from './findings.js';

const intent: Intent = {
  strategy: 'socket',
  releases: '/srv/shop/releases',
  socketLink: '/srv/shop/current.sock',
  drainTimeout: 30_000,
  addresses: ['10.0.0.1:5000', '10.0.0.2:5000'],
};

const NGINX_APP = 'http { upstream shop_current { server unix:/srv/shop/current.sock max_fails=0; } }';
const NGINX_WEB =
  'http { upstream shop_app { zone z 64k; server 10.0.0.1:5000 max_fails=10 fail_timeout=3s; server 10.0.0.2:5000 max_fails=10 fail_timeout=3s; } }';

const own = '/srv/shop/releases/perlstack-preflight';
const unit: AppFacts['unit'] = {
  killMode: 'mixed',
  killSignal: '3',
  timeoutStop: '45s',
  workingDirectory: own,
  command: ['/usr/bin/starman', '--listen', '/run/shop/x.sock', '-I', `${own}/lib`, `${own}/app.psgi`],
  perl5lib: '/opt/perl5',
};
const app = (more: Partial<AppFacts> = {}): AppFacts => ({
  ...{
    host: 'app-1',
    unit,
    nginx: NGINX_APP,
    perl: '5.40.1 x86_64-linux-gnu-thread-multi',
    ...{ os: 'debian 13', tools: [] },
    starman: '0.4018',
  },
  ...more,
});
const web = (nginx: string | null = NGINX_WEB): WebFacts => ({ host: 'web-1', nginx });

const found = (facts: readonly AppFacts[], webs: readonly WebFacts[], more: Partial<Intent> = {}): string[] =>
  findingsOf({ ...intent, ...more }, facts, webs).map(
    ({ severity, host, text }) => `${severity} ${host}: ${text}`,
  );

it('hosts that were configured by us have no finding', () => {
  expect(found([app()], [web()])).toEqual([]);
  expect(found([app()], [web()], { strategy: 'drain' })).toEqual([]);
});

describe('on an app host', () => {
  const command = (...words: string[]): Partial<AppFacts> => ({
    unit: { ...unit, command: ['/usr/bin/starman', ...words] },
  });

  it.each<[string, Partial<AppFacts>, RegExp]>([
    [
      'KillMode',
      { unit: { ...unit, killMode: 'control-group' } },
      /^refuse app-1: the unit has KillMode=control-group: SIGQUIT then goes/,
    ],
    [
      'KillSignal',
      { unit: { ...unit, killMode: 'control-group', killSignal: '15' } },
      /^warn app-1: the unit stops by signal 15/,
    ],
    [
      'TimeoutStopSec',
      { unit: { ...unit, timeoutStop: '20s' } },
      /^warn app-1: systemd kills an instance 20 s after its stop/,
    ],
    [
      'a file through the link',
      command('/srv/shop/current/app.psgi'),
      /^refuse app-1: the unit runs \/srv\/shop\/current\/app\.psgi, which is not/,
    ],
    [
      'modules that a module names',
      command(`-Mlib=${own}/lib,/srv/shop/current/lib`, `${own}/app.psgi`),
      /^refuse app-1: the unit runs \/srv\/shop\/current\/lib, which is not/,
    ],
    [
      'the same in two words',
      command('-M', 'lib=lib', '-Mlib=/srv/shop/current/lib', `${own}/app.psgi`),
      /^refuse app-1: the unit runs \/srv\/shop\/current\/lib, which is not/,
    ],
    [
      'modules through the link',
      command('-I/srv/shop/current/lib', `${own}/app.psgi`),
      /^refuse app-1: the unit runs \/srv\/shop\/current\/lib,/,
    ],
    [
      'modules through the link, in a variable',
      { unit: { ...unit, perl5lib: `/opt/perl5:${own}/lib:/srv/shop/current/lib` } },
      /^refuse app-1: the unit runs \/srv\/shop\/current\/lib,/,
    ],
    [
      'a relative file below the link',
      { unit: { ...unit, workingDirectory: '/srv/shop/current', command: ['starman', 'app.psgi'] } },
      /^refuse app-1: the unit runs app\.psgi, which is not/,
    ],
    [
      'keepalive to the socket',
      { nginx: NGINX_APP.replace('max_fails=0;', 'max_fails=0; keepalive 16;') },
      /^refuse app-1: nginx keeps connections to Starman open \(keepalive in upstream shop_current\)/,
    ],
    [
      'failures that count',
      { nginx: NGINX_APP.replace(' max_fails=0', '') },
      /^warn app-1: nginx may hold its only Starman for dead/,
    ],
    [
      'POSTs that are repeated',
      { nginx: `${NGINX_APP} location / { proxy_next_upstream error non_idempotent; }` },
      /^refuse app-1: nginx sends a POST that was lost to another server/,
    ],
    [
      'an old Starman without buffering',
      { starman: '0.4016', nginx: `${NGINX_APP} proxy_request_buffering off;` },
      /^refuse app-1: Starman 0\.4016 .* \(proxy_request_buffering off\); set it on$/,
    ],
  ])('%s', (_what, more, text) => {
    const all = found([app(more)], [web()]);
    expect(all).toHaveLength(1);
    expect(all[0]).toMatch(text);
  });

  it('an old Starman that gets whole bodies is no fault', () => {
    expect(found([app({ starman: '0.4016' })], [web()])).toEqual([]);
  });

  it('a relative file in the release itself is no fault', () => {
    expect(found([app({ unit: { ...unit, command: ['starman', '-Ilib', 'app.psgi'] } })], [web()])).toEqual(
      [],
    );
  });

  it('perl that differs from host to host', () => {
    const other = app({ host: 'app-2', perl: '5.36.0 x86_64-linux-gnu-thread-multi' });
    expect(found([app(), other], [web()])).toEqual([
      expect.stringMatching(/^warn app-2: perl is 5\.36\.0 .*, on app-1 5\.40\.1/),
    ]);
  });

  it('without nginx there is nothing to say of it', () => {
    expect(found([app({ nginx: null })], [web(null)])).toEqual([]);
  });
});

describe('on a web host', () => {
  const defaults = NGINX_WEB.replaceAll(' max_fails=10 fail_timeout=3s', '');

  it('one failure that takes a server out for ten seconds', () => {
    expect(found([app()], [web(defaults)])).toEqual([
      expect.stringMatching(/^warn web-1: nginx leaves an app server out for 10 s/),
    ]);
    expect(found([app()], [web(defaults)], { strategy: 'drain' })[0]).toMatch(
      /^refuse web-1: nginx leaves an app server that refused it alone for 10 s/,
    );
    expect(found([app()], [web(NGINX_WEB.replaceAll('=3s', '=4'))], { strategy: 'drain' })[0]).toMatch(
      / for 4 s/,
    );
    expect(found([app()], [web(NGINX_WEB)], { strategy: 'drain' })).toEqual([]);
    const longer = NGINX_WEB.replaceAll('max_fails=10 fail_timeout=3s', 'max_fails=1 fail_timeout=1m');
    expect(found([app()], [web(longer)])[0]).toMatch(/^warn web-1: nginx leaves an app server out/);
    expect(found([app()], [web(longer.replaceAll('=1m', '=3s'))])).toEqual([]);
    expect(found([app()], [web('upstream a { server 10.0.0.1:5000; }')])).toEqual([]);
  });

  it.each(['proxy_next_upstream off;', 'proxy_next_upstream_tries 2;'])(
    '%s, where servers refuse connections',
    (line) => {
      const text = `${NGINX_WEB} http { ${line} }`;
      expect(found([app()], [web(text)], { strategy: 'drain' })[0]).toMatch(
        /^refuse web-1: nginx does not ask two other app servers/,
      );
      expect(found([app()], [web(text)])).toEqual([]);
    },
  );

  it('connections that are kept', () => {
    const kept = NGINX_WEB.replace('zone z 64k;', 'zone z 64k; keepalive 8;');
    expect(found([app()], [web(kept)], { strategy: 'drain' })[0]).toMatch(
      /^refuse web-1: nginx keeps connections to the app servers/,
    );
  });
});

it.each([
  ['1min 30s', 90],
  ['500ms', 0.5],
  ['infinity', null],
  ['', null],
])('systemd means %j', (text, expected) => {
  expect(seconds(text)).toBe(expected);
});

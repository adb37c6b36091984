import { describe, expect, it } from '@jest/globals';
import type { BalancerPort, BalancerSpec } from '../driver.js';
import { publicLink, vpcLink } from './fixture.js';
import { haproxyConfig, nodeHealth, runningGeneration } from './haproxy.js';

const SETTINGS = { generation: 4, socket: '/run/nb/stats.sock', state: '/run/nb/servers.state' };

const PORT: BalancerPort = {
  ...{ id: 7, port: 80, protocol: 'tcp', algorithm: 'leastconn', stickiness: 'none', proxyProtocol: 'v2' },
  check: {
    kind: 'connection',
    intervalSeconds: 3,
    timeoutSeconds: 2,
    attempts: 2,
    path: '',
    body: '',
    passive: true,
  },
  nodes: [
    { id: 1, address: '10.10.0.2', port: 80, weight: 100, mode: 'accept' },
    { id: 2, address: '10.10.0.3', port: 80, weight: 50, mode: 'accept' },
  ],
};

function configOf(port: Partial<BalancerPort> = {}, balancer: Partial<BalancerSpec> = {}): string[] {
  const spec: BalancerSpec = {
    ...{ id: 9, label: 'shop-entry', firewall: null, throttle: 0, sources: ['10.10.5.4', '10.10.5.5'] },
    interfaces: [publicLink(9, '203.0.113.50'), vpcLink(10, '10.10.5.4')],
    ports: [{ ...PORT, ...port }],
    ...balancer,
  };
  return haproxyConfig(spec, SETTINGS)
    .split('\n')
    .map((line) => line.trim());
}

const servers = (lines: readonly string[]): string[] => lines.filter((line) => line.startsWith('server '));

describe('haproxyConfig', () => {
  it('listens at the public address and says whose connections it hands on, from its range in the VPC', () => {
    const lines = configOf();
    expect(lines).toEqual(
      expect.arrayContaining(['listen config-7', 'bind 203.0.113.50:80', 'mode tcp', 'balance leastconn']),
    );
    expect(lines).toContain('timeout check 2s');
    expect(servers(lines)).toEqual([
      'server 1_10.10.0.2_80 10.10.0.2:80 weight 100 check inter 3s fall 2 source 10.10.5.4 send-proxy-v2 tcp-ut 10s',
      'server 2_10.10.0.3_80 10.10.0.3:80 weight 50 check inter 3s fall 2 source 10.10.5.5 send-proxy-v2 tcp-ut 10s',
    ]);
  });

  it.each([
    ['drain', /weight 0 check/, /disabled|backup/],
    ['reject', /weight 100 .* disabled/, /backup/],
    ['backup', /weight 100 .* backup/, /disabled/],
  ] as const)('a node in mode %s', (mode, has, hasNot) => {
    const [line] = servers(
      configOf({ nodes: [{ ...PORT.nodes[0], mode } as BalancerPort['nodes'][number]] }),
    );
    expect(line).toMatch(has);
    expect(line).not.toMatch(hasNot);
  });

  it('checks nothing where it is told so', () => {
    const lines = configOf({ check: { ...PORT.check, kind: 'none' } });
    expect(servers(lines).join()).not.toContain('check');
    expect(lines.join()).not.toContain('timeout check');
  });

  it('speaks HTTP to nodes and clients, and checks by it', () => {
    const check = { ...PORT.check, kind: 'http_body', path: '/a "b"', body: 'it $works' } as const;
    const lines = configOf({ protocol: 'http', proxyProtocol: 'none', stickiness: 'http_cookie', check });
    expect(lines).toEqual(
      expect.arrayContaining([
        'option forwardfor',
        'cookie NB_SRVID insert indirect nocache',
        'http-check send meth GET uri "/a \\"b\\""',
        'http-check expect rstring "it \\$works"',
      ]),
    );
    expect(servers(lines)[0]).toMatch(/observe layer7 .* cookie 1 /);
  });

  it('refuses text that would begin a line of its own', () => {
    const check = { ...PORT.check, kind: 'http', path: '/\n  server evil' } as const;
    expect(() => configOf({ check })).toThrow('must be one line');
  });

  it('turns away whoever connects too often, where there is a limit', () => {
    expect(configOf().join()).not.toContain('throttle');
    expect(configOf({}, { throttle: 5 })).toContain(
      'tcp-request connection reject if { sc0_conn_rate gt 5 }',
    );
  });

  it('says which generation it is', () => {
    const [description = ''] = configOf().filter((line) => line.startsWith('description'));
    // As `show info` repeats it.
    expect(runningGeneration(`Name: HAProxy\ndescription: ${description.split('"')[1] ?? ''}\nNode: x`)).toBe(
      4,
    );
    expect(runningGeneration('Name: HAProxy\n')).toBeNull();
  });
});

describe('nodeHealth', () => {
  const stat = (...rows: string[]): string => `# pxname,svname,status,check_status\n${rows.join('\n')}\n\n`;

  it.each([
    ['UP', 'L4OK', 'UP'],
    ['UP 1/2', 'L4TOUT', 'UP'],
    ['UP', '* L4OK', 'UP'],
    ['DRAIN', 'L7OK', 'UP'],
    ['DOWN', 'L4TOUT', 'DOWN'],
    ['DOWN 1/2', 'L4OK', 'DOWN'],
    ['DOWN', '* L4CON', 'DOWN'],
    ['UP', 'INI', undefined],
    ['UP', '* INI', undefined],
    ['no check', '', undefined],
    ['MAINT', '', undefined],
  ])('%s, last check %s: %s', (status, check, health) => {
    expect(nodeHealth(stat(`config-7,12_10.10.0.2_80,${status},${check}`)).get(12)).toBe(health);
  });

  it('takes servers only', () => {
    const rows = ['config-7,FRONTEND,OPEN,', 'config-7,12_10.10.0.2_80,UP,L4OK', 'config-7,BACKEND,UP,'];
    expect([...nodeHealth(stat(...rows)).keys()]).toEqual([12]);
  });
});

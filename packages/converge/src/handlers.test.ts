import { describe, expect, it } from '@jest/globals';
import { applyRecords, directoryRecords, stageRecords, userRecords } from './handlers.js';
import { plan } from './plan.js';
import { decodeContent } from './records.js';
import type { ConvergeStep } from './step.js';
import { bundleOf, freshHost, nginxService, worldOf } from './testing.js';

const bundle = bundleOf({ 'web-1': [nginxService({ daemonReload: true })] });
const host = bundle.hosts[0] as (typeof bundle.hosts)[number];
const { steps } = plan(bundle, worldOf({ 'web-1': freshHost() }));

function stepOf<K extends ConvergeStep['kind']>(kind: K): Extract<ConvergeStep, { kind: K }> {
  return steps.find((step) => step.kind === kind) as Extract<ConvergeStep, { kind: K }>;
}

describe('what the scripts are told', () => {
  it('about accounts and folders', () => {
    expect(userRecords(host, stepOf('users'))).toEqual([
      ['user', 'shop', '/srv/shop', '/usr/sbin/nologin', 'adm'],
    ]);
    expect(directoryRecords(host, stepOf('directories'))).toEqual([
      ['directory', '/srv/shop', 'shop', 'shop', '0750'],
    ]);
  });

  it('about staging: roots first, then files with their content, what goes, and the checkers', () => {
    const records = stageRecords(host, stepOf('validate'));
    expect(records.map((fields) => fields.slice(0, 5))).toEqual([
      ['root', '/etc/nginx'],
      ['file', '/etc/nginx/nginx.conf', 'root', 'root', '0644'],
      ['file', '/etc/shop/env', 'root', 'root', '0600'],
      ['remove', '/etc/nginx/sites-enabled/default'],
      ['check', 'nginx', expect.any(String)],
    ]);
    expect(decodeContent(records[2]?.[5] ?? '')).toBe('TOKEN=hunter2\n');
    expect(decodeContent(records[4]?.[2] ?? '')).toBe('nginx -t');
  });

  it('about applying: paths and no content', () => {
    const [service] = host.services;
    if (!service) throw new Error('no service');
    const records = applyRecords(service, stepOf('apply'), 60);
    expect(records.map((fields) => fields.slice(0, 6))).toEqual([
      ['file', '/etc/nginx/nginx.conf'],
      ['file', '/etc/shop/env'],
      ['remove', '/etc/nginx/sites-enabled/default'],
      ['daemon-reload'],
      ['unit', 'nginx.service', 'reload', 'yes', 'running'],
      ['probe', expect.any(String)],
      ['remember', '/etc/nginx/nginx.conf', expect.any(String), 'root', 'root', '0644'],
      ['remember', '/etc/shop/env', expect.any(String), 'root', 'root', '0600'],
      ['remember', '/etc/nginx/sites-enabled/default', '-'],
      ['digest', stepOf('apply').digest],
    ]);
    expect(JSON.stringify(records)).not.toContain(Buffer.from('TOKEN').toString('base64').slice(0, 5));
  });
});

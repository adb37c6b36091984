import { describe, expect, it } from '@jest/globals';
import type { ConfigBundle, ServiceConfig } from '@perlstack/configs';
import { playbookOf } from './playbook.js';

const service = (name: string, more: Partial<ServiceConfig> = {}): ServiceConfig => ({
  ...{ name, packages: [name], directories: [], removes: [], roots: [], validate: [['check', name]] },
  files: [
    { path: `/etc/${name}.conf`, content: 'x', owner: 'root', group: 'adm', mode: 0o640, secret: false },
  ],
  unit: { name: `${name}.service`, enabled: true, state: 'running', onChange: 'reload' },
  ...{ daemonReload: false, probe: [], ...more },
});

const SENTINEL: ServiceConfig['engine'] = {
  ...{ kind: 'sentinel', version: 7, port: 1, liveFile: '/x', passwordFile: '/y', members: [], watched: [] },
  ...{ watchedPort: 2, service: 'shop', quorum: 1 },
};

const BUNDLE: ConfigBundle = {
  stack: 'shop',
  notes: [],
  hosts: [
    { host: 'web-1', users: [], services: [service('nginx')] },
    { host: 'cache-1', users: [], services: [service('sentinel', { engine: SENTINEL })] },
  ],
};

describe('playbookOf', () => {
  const playbook = playbookOf(BUNDLE, (host) => `/files/${host}`, { engines: true });

  it('gives every host each list over which the play loops', () => {
    const loops = [...JSON.stringify(playbook.play).matchAll(/"loop":"{{ (\w+) }}"/g)].map(
      ([, name]) => name,
    );
    expect(loops.length).toBeGreaterThan(10);
    for (const variables of Object.values(playbook.variables)) {
      expect(Object.keys(variables)).toEqual(expect.arrayContaining(loops));
    }
  });

  it('has the files of a host with owner, mode and where their contents lie', () => {
    expect(playbook.variables['web-1']).toMatchObject({
      our_packages: ['nginx'],
      our_files_nginx: [
        {
          src: '/files/web-1/etc/nginx.conf',
          path: '/etc/nginx.conf',
          owner: 'root',
          group: 'adm',
          mode: '0640',
        },
      ],
      our_validate_nginx: [['check', 'nginx']],
      our_reload_nginx: [{ name: 'nginx.service', state: 'reloaded' }],
      our_files_sentinel: [],
    });
  });

  it('leaves units alone whose data is yet to be made, but not their files', () => {
    const without = playbookOf(BUNDLE, (host) => `/files/${host}`, { engines: false }).variables['cache-1'];
    expect(playbook.variables['cache-1']).toMatchObject({ our_units: [{ name: 'sentinel.service' }] });
    expect(without).toMatchObject({ our_units: [], our_reload_sentinel: [], our_validate_sentinel: [] });
    expect(without).toMatchObject({ our_files_sentinel: [{ path: '/etc/sentinel.conf' }] });
  });
});

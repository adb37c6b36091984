import { describe, expect, it } from '@jest/globals';
import { upstreamServers, withDown, withoutDown } from './down.js';

const upstream = (first = '', second = '', third = ''): string => `upstream shop_app {
    zone shop_app 512k;
    server 10.10.1.2:5000 weight=3 max_fails=10 fail_timeout=3s${first};
    server [fd00::3]:5000${second};
\tserver\t10.10.1.20:5000  max_fails=10${third};
}
server {
    server_name down;
    listen 80;
}
`;

describe('servers that get no requests', () => {
  it('are told from those that do', () =>
    expect(upstreamServers(upstream(' down', '', '\tdown '))).toEqual([
      { server: '10.10.1.2:5000', down: true },
      { server: '[fd00::3]:5000', down: false },
      { server: '10.10.1.20:5000', down: true },
    ]));

  it('are none where no upstream is', () => {
    expect(upstreamServers('server { listen 80; } # server down;\n')).toEqual([]);
    expect(upstreamServers('')).toEqual([]);
  });

  it('are marked by their whole address, once', () => {
    const marked = upstream(' down', ' down');
    expect(withDown(upstream(), ['10.10.1.2:5000', '[fd00::3]:5000', '10.10.1.9:5000'])).toBe(marked);
    expect(withDown(marked, ['10.10.1.2:5000'])).toBe(marked);
    expect(withDown(upstream(), [])).toBe(upstream());
  });

  it('get requests again, and nothing else changes', () => {
    expect(withoutDown(upstream(' down', ' down', ' down'))).toBe(upstream());
    expect(withoutDown(upstream())).toBe(upstream());
  });
});

import { describe, expect, it } from '@jest/globals';
import { hostSpec, publicLink, vpcLink } from './fixture.js';
import { hostCommands, networkOf, sourceCommands, unplugCommands } from './links.js';
import { namesOf, portName } from './names.js';

const names = namesOf('t1');
const lines = (commands: readonly (readonly string[])[]): string[] =>
  commands.map((words) => words.join(' '));

describe('networkOf', () => {
  it.each([
    ['203.0.113.77', 24, '203.0.113.0/24'],
    ['10.0.3.200', 22, '10.0.0.0/22'],
    ['10.0.1.6', 30, '10.0.1.4/30'],
  ])('%s/%i is in %s', (ipv4, prefix, network) => {
    expect(networkOf({ ipv4, prefix })).toBe(network);
  });
});

describe('hostCommands', () => {
  it('names interfaces in their order and sends the default route through the one that says so', () => {
    const spec = hostSpec(7, [publicLink(11, '203.0.113.10'), vpcLink(12, '10.0.1.2')]);
    const commands = lines(hostCommands(names, spec));
    expect(commands).toContain('-n perlstack-t1-host-7 address add 203.0.113.10/24 dev eth0');
    expect(commands).toContain('-n perlstack-t1-host-7 address add 10.0.1.2/24 dev eth1');
    expect(commands.filter((line) => line.includes('route add default'))).toEqual([
      '-n perlstack-t1-host-7 route add default via 203.0.113.1 dev eth0',
    ]);
    expect(commands).toContain('-n perlstack-t1-host-7 route replace 10.0.0.0/8 via 10.0.1.1 dev eth1');
    expect(commands.at(-1)).toBe('-n perlstack-t1-host-7 route add 169.254.169.254/32 via 203.0.113.1');
  });

  it('gives the internet a way to a translated address, and none to a private one', () => {
    const commands = lines(hostCommands(names, hostSpec(7, [vpcLink(12, '10.0.1.2', '203.0.113.20')])));
    const internet = commands.filter((line) => line.startsWith('-n perlstack-t1-internet'));
    expect(internet).toEqual([
      '-n perlstack-t1-internet route replace 203.0.113.20/32 dev vpc5 src 192.0.2.1',
    ]);
  });
});

describe('unplugCommands', () => {
  it('takes the routers’ ends away', () => {
    const spec = hostSpec(7, [publicLink(11, '203.0.113.10'), vpcLink(12, '10.0.1.2')]);
    expect(lines(unplugCommands(names, spec))).toEqual([
      '-n perlstack-t1-internet link delete portb',
      '-n perlstack-t1-vpc-5 link delete portc',
    ]);
  });
});

describe('portName', () => {
  it('fits a Linux interface name for any id of the API', () => {
    expect(portName(2 ** 31).length).toBeLessThanOrEqual(15);
    expect(() => portName(Number.MAX_SAFE_INTEGER * 36)).toThrow(/too long/);
  });
});

describe('sourceCommands', () => {
  it('gives a NodeBalancer the rest of its range, and the VPC the way to it', () => {
    const spec = hostSpec(7, [publicLink(11, '203.0.113.10'), vpcLink(12, '10.0.5.4')]);
    expect(lines(sourceCommands(names, spec, ['10.0.5.4', '10.0.5.5']))).toEqual([
      '-n perlstack-t1-host-7 address add 10.0.5.5/24 dev eth1',
      `-n perlstack-t1-vpc-5 route replace 10.0.5.5/32 dev ${portName(12)} src 10.0.5.1`,
    ]);
  });

  it('gives one without a VPC nothing', () => {
    expect(sourceCommands(names, hostSpec(7, [publicLink(11, '203.0.113.10')]), [])).toEqual([]);
  });
});

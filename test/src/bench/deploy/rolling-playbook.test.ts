import { describe, expect, it } from '@jest/globals';
import { rollingInventory, rollingPlaybook } from './rolling-playbook.js';
import { ROLLOUT } from './rollout.testkit.js';

interface Play {
  readonly name: string;
  readonly hosts: string;
  readonly serial?: number;
  readonly gather_facts: boolean;
  readonly tasks: readonly Readonly<Record<string, unknown>>[];
}

interface Replace {
  readonly path: string;
  readonly regexp: string;
  readonly replace: string;
}

describe('rollingPlaybook', () => {
  const plays = rollingPlaybook(ROLLOUT, '42') as unknown as readonly Play[];
  const roll = plays.find(({ name }) => name === 'roll');

  it('prepares and cleans up on all hosts at once, and rolls one after the other', () => {
    expect(plays.map(({ name, serial }) => [name, serial])).toEqual([
      ['prepare', undefined],
      ['roll', 1],
      ['clean up', undefined],
    ]);
    expect(plays.every((play) => play.hosts === 'app' && !play.gather_facts)).toBe(true);
  });

  it('compiles what was unpacked, on the first server, before any is taken out', () => {
    const prepare = plays.find(({ name }) => name === 'prepare');
    expect(prepare?.tasks.at(-1)).toMatchObject({
      command: {
        argv: ['runuser', '-u', 'shop', '--', 'perl', '-c', 'app.psgi'],
        chdir: '/srv/shop/releases/42',
      },
      run_once: true,
    });
  });

  it('waits for silence between taking a server out and restarting it, and for the gate before it is back', () => {
    expect(roll?.tasks.map(({ name }) => name)).toEqual([
      ...['take out', 'reload nginx', 'drain', 'boot', 'gate', 'put back', 'reload nginx'],
    ]);
  });

  it('marks one server of the upstream down, and up again, and no other', () => {
    const upstream = [
      '    server 10.10.1.2:5000 max_fails=10 fail_timeout=3s;',
      '    server 10.10.1.20:5000 max_fails=10 fail_timeout=3s;',
      '',
    ].join('\n');
    const [out, back] = ['take out', 'put back'].map((wanted) =>
      edit(roll?.tasks.find(({ name }) => name === wanted)?.['replace'] as Replace, '10.10.1.2:5000'),
    );
    const down = out?.(upstream) ?? '';
    expect(down).toBe(upstream.replace('3s;', '3s down;'));
    expect(back?.(down)).toBe(upstream);
  });

  it('reaches app hosts by way of the web host', () => {
    const inventory = JSON.stringify(rollingInventory(ROLLOUT, '-o ControlPath=/x'));
    expect(inventory).toContain('-o ProxyCommand=\\"ssh -W %h:%p deploy@203.0.113.1\\"');
    expect(inventory).toContain('"ansible_host":"203.0.113.1","ansible_port":2222');
  });
});

/** Does as Ansible's module does, whose patterns are Python's. */
function edit({ regexp, replace }: Replace, upstream: string): (text: string) => string {
  const pattern = regexp.replace('{{ upstream | regex_escape }}', upstream.replaceAll('.', String.raw`\.`));
  return (text) => text.replace(new RegExp(pattern, 'gm'), replace.replace(String.raw`\1`, '$1'));
}

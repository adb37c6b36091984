import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { APP_FACTS, appFactsOf, decode, PREFLIGHT_ID } from './facts.js';

const read = (lines: Readonly<Record<string, string>>) => appFactsOf('app-1', (word) => lines[word] ?? '');

describe('the facts of an app host', () => {
  it('are read from what it prints', () => {
    const nginx = 'http { upstream shop { server unix:/run/shop/current.sock; } } # ü\n';
    const facts = read({
      unit: 'KillMode=mixed|KillSignal=3|TimeoutStopUSec=1min 30s|WorkingDirectory=/srv/shop/a=b|',
      command: '/usr/bin/starman --workers  4 app.psgi',
      perl5lib: '/srv/shop/current/lib',
      perl: '5.40.1 x86_64-linux-gnu-thread-multi',
      os: 'debian 13 ',
      tools: 'carton cpm ',
      starman: '0.4018-1',
      nginx: Buffer.from(nginx).toString('base64'),
    });
    expect(facts).toEqual({
      host: 'app-1',
      unit: {
        ...{ killMode: 'mixed', killSignal: '3', timeoutStop: '1min 30s' },
        // A value may hold the sign that stands before it.
        workingDirectory: '/srv/shop/a=b',
        command: ['/usr/bin/starman', '--workers', '4', 'app.psgi'],
        perl5lib: '/srv/shop/current/lib',
      },
      nginx,
      perl: '5.40.1 x86_64-linux-gnu-thread-multi',
      ...{ os: 'debian 13', tools: ['carton', 'cpm'] },
      starman: '0.4018',
    });
  });

  it('are empty where it shows nothing, and nginx is then none', () => {
    expect(read({})).toEqual({
      host: 'app-1',
      unit: {
        killMode: '',
        killSignal: '',
        timeoutStop: '',
        workingDirectory: '',
        command: [],
        perl5lib: '',
      },
      ...{ nginx: null, perl: '', os: '', tools: [], starman: '' },
    });
    expect(decode('')).toBeNull();
  });

  it('tell of the variables of a unit only where modules are looked for', () => {
    const folder = mkdtempSync(join(tmpdir(), 'facts-'));
    try {
      const file = join(folder, 'env');
      const shown = `Environment=PERL5LIB=/first SECRET=one\nEnvironmentFiles=${file}x (ignore_errors=yes)\nEnvironmentFiles=${file} (ignore_errors=no)\n`;
      writeFileSync(join(folder, 'systemctl'), `#!/bin/sh\ncat <<'END'\n${shown}END\n`, { mode: 0o755 });
      const say = String.raw`unit=shop@; say() { printf '%s\t%s\n' "$1" "$2"; }`;
      const facts = () =>
        execFileSync('sh', ['-euc', say + APP_FACTS], {
          ...{ encoding: 'utf8', stdio: 'pipe' },
          env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` },
        });
      expect(facts()).toContain('perl5lib\t/first\n');
      writeFileSync(file, 'SECRET=two\nPERL5LIB="/srv/shop/current/lib:/opt/perl5"\nOTHER=x');
      expect(facts()).toContain('perl5lib\t/srv/shop/current/lib:/opt/perl5\n');
      expect(facts()).not.toMatch(/SECRET|one|two|OTHER/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are printed one a line by a script that no missing program stops', () => {
    const say = String.raw`unit=nobody@; say() { printf '%s\t%s\n' "$1" "$2"; }`;
    const output = execFileSync('sh', ['-euc', say + APP_FACTS], { encoding: 'utf8', stdio: 'pipe' });
    const lines = output.trimEnd().split('\n');
    const words = ['unit', 'command', 'perl5lib', 'perl', 'starman', 'os', 'tools', 'nginx'];
    expect(lines.map((line) => line.split('\t')[0])).toEqual(words);
    const perl = execFileSync('perl', ['-MConfig', '-e', 'print $Config{version}, " ", $Config{archname}'], {
      encoding: 'utf8',
    });
    expect(lines).toContain(`perl\t${perl}`);
    expect(APP_FACTS).toContain(`"$unit"${PREFLIGHT_ID}.service`);
  });
});

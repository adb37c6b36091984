import { join } from 'node:path';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readInputs } from '@perlstack/action';
import { leavesOf, PROBE_KEYS } from '@perlstack/health';
import { HostSchema } from '@perlstack/stack';
import { examplesOf } from '@perlstack/tooling';
import { declaration } from './declaration.js';
import { probesFrom } from './probes.js';
import { needFrom, paceFrom } from './terms.js';

const HOSTS = { web: 2, app: 3, database: 2, cache: 3 };
const inventory = {
  stack: 'shop',
  hosts: Object.entries(HOSTS).flatMap(([tier, count]) =>
    Array.from({ length: count }, (_, index) =>
      HostSchema.parse({
        ...{ name: `${tier}-${index + 1}`, tier, publicAddress: null, privateAddress: '10.0.0.2' },
        ssh: { address: '10.0.0.2', hostKeys: [`SHA256:${'a'.repeat(43)}`] },
      }),
    ),
  ),
};
const examples = examplesOf('health-gate');

describe('an example of the README', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'readme-'));
    writeFileSync(join(folder, 'ca.crt'), rootCertificates[0] ?? '');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each(examples.map((inputs) => [JSON.stringify(inputs).slice(0, 120), inputs] as const))(
    'is what the action takes: %s',
    (_text, inputs) => {
      // In a workflow the file is in the folder where the action works.
      const env: Record<string, string> = Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [
          `INPUT_${name.toUpperCase()}`,
          value.replace('ca.crt', join(folder, 'ca.crt')),
        ]),
      );
      // The expression that stands there is no login yet.
      if (env['INPUT_BASIC-AUTH']) env['INPUT_BASIC-AUTH'] = 'me:s3cret';
      const reading = readInputs(declaration, env);
      if ('faults' in reading) throw new Error(reading.faults.map(({ message }) => message).join('; '));
      const probes = probesFrom({ ...reading.values, inventory });
      expect(leavesOf(probes).length).toBeGreaterThan(0);
      expect(needFrom(reading.values.need, probes.length)).toBe('all');
      expect(paceFrom(reading.values, probes)).toHaveProperty('timeoutMs');
    },
  );
});

it('the README has an example for every kind of probe and every key of it', () => {
  const text = examples.map(({ probes = '' }) => probes).join('\n');
  const shown = (key: string): boolean => new RegExp(`(^|[\\s{,-])${key}:\\s`, 'm').test(text);
  const missing = Object.entries(PROBE_KEYS).flatMap(([kind, keys]) =>
    [kind, ...keys].filter((key) => !shown(key)),
  );
  expect(missing).toEqual([]);
});

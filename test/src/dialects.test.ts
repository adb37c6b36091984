import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { UserError } from '@perlstack/stack';
import { DIALECTS } from '../../packages/configs/src/print/dialects/all.testkit.js';
import {
  type Dialect,
  type Trial,
  TRIAL_FOLDER,
} from '../../packages/configs/src/print/dialects/dialect.testkit.js';
import { nastyValues } from '../../packages/configs/src/print/dialects/nasty.testkit.js';
import { type HostsSite, openHosts } from './hosts-site.js';

// A value with quotes, line ends, braces, dollar signs, … in every configuration language that is rendered: the
// language's own program must see it unchanged, or it must have been refused.

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;
const SEED = 20_250_611;

describeHosts.each(['linode/debian13', 'linode/debian12'])(
  `dialects on %s${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  (image) => {
    let site: HostsSite;

    beforeAll(async () => {
      site = await openHosts(stackFile(image));
      const packages = [...new Set(DIALECTS.flatMap(({ packages }) => packages))].join(' ');
      await site.ask('web-1', `DEBIAN_FRONTEND=noninteractive apt-get install -qq -y ${packages} >&2`);
    });

    afterAll(() => site?.close());

    it.each(DIALECTS.map((dialect) => [dialect.name, dialect] as const))('%s', async (_name, dialect) => {
      const values = nastyValues(SEED, 400).filter((value) => accepts(dialect, value));
      const seen = await run(dialect.trial(values));
      expect(seen).toEqual(values);
      process.stdout.write(`${image}: ${dialect.name}: ${values.length} values came back\n`);
    });

    async function run({ files, script }: Trial): Promise<string[]> {
      const writing = Object.entries(files).map(([path, content]) => {
        const text = Buffer.from(content).toString('base64');
        return `mkdir -p "$(dirname '${path}')" && base64 -d > '${path}' <<'END'\n${text}\nEND\n`;
      });
      const around = `set -e\nrm -rf ${TRIAL_FOLDER}\nmkdir ${TRIAL_FOLDER}\n`;
      const printed = await site.ask(
        'web-1',
        `${around}${writing.join('')}${script}\nrm -rf ${TRIAL_FOLDER}`,
      );
      return printed.split('\n').map((hex) => Buffer.from(hex.slice(1), 'hex').toString());
    }
  },
);

const stackFile = (image: string): string => `
stack: words
region: us-ord
image: ${image}
app: {}
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-nanode-1, count: 1 }
`;

function accepts(dialect: Dialect, value: string): boolean {
  if (dialect.senseless?.(value)) return false;
  try {
    dialect.trial([value]);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

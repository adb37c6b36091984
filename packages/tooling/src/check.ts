// `npm run check [-- ACTION…] [--keep DIR]`: is every dist what a build makes of the sources?
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkDist } from './dist-check.js';
import { verb } from './program.js';
import { chosenActions } from './repository.js';

await verb(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { keep: { type: 'string' } },
  });
  const keep = values.keep === undefined ? {} : { keep: resolve(values.keep) };
  const checks = await checkDist(chosenActions(positionals), { cache: false, ...keep });
  for (const { action, faults } of checks) {
    if (faults.length === 0) console.log(`actions/${action}/dist is what the sources make`);
    for (const fault of faults) console.log(`actions/${action}/dist/${fault}`);
  }
  const wrong = checks.some(({ faults }) => faults.length > 0);
  if (wrong) console.log('Cure: npm run build, and commit the dist folders.');
  return wrong ? 1 : 0;
});

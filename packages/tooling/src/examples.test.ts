import { expect, it } from '@jest/globals';
import { examplesIn } from './examples.js';

const block = (text: string): string => `\`\`\`yaml\n${text}\`\`\`\n`;

it('examplesIn finds the steps that use the action, with their inputs as text', () => {
  const readme = [
    '# gate\n',
    block('- uses: org/perlstack/actions/gate@v1\n  with:\n    urls: |\n      http://a\n    successes: 2\n'),
    'and\n',
    block('- uses: org/perlstack/actions/other@v1\n  with: { a: b }\n'),
    block('stack: shop\n'),
    block('- uses: org/perlstack/actions/gate@v2\n'),
  ].join('\n');
  expect(examplesIn(readme, 'gate')).toEqual([{ urls: 'http://a\n', successes: '2' }, {}]);
});

import { describe, expect, it } from '@jest/globals';
import type { ConfigBundle, FileDiff } from '@perlstack/configs';
import { commentBody, differenceSections, fullDiff, headline, markerOf } from './report.js';

const patch = (lines: readonly string[]): string =>
  ['--- /etc/nginx/nginx.conf', '+++ /etc/nginx/nginx.conf', '@@ -1,1 +1,2 @@', ...lines, ''].join('\n');
const PATCH = patch(['-worker_processes 1;', '+worker_processes auto;', '+# `new`']);
const changed = (host: string, text = PATCH, path = '/etc/nginx/nginx.conf'): FileDiff => ({
  ...{ host, path, change: 'changed', patch: text },
});

const bundle: ConfigBundle = { stack: 'shop', hosts: [], notes: ['app: <one> note'] };
const parts = (diffs: readonly FileDiff[]) => ({
  ...{ bundle, diffs, base: 'main', remark: undefined },
  ...{ commit: 'abcdef0123456789', url: 'https://github.com/acme/shop/actions/runs/1' },
});

describe('headline', () => {
  it.each<[readonly FileDiff[], string]>([
    [[], "No server's configuration differs from main."],
    [[changed('web-1')], '1 file differs from main, on 1 server.'],
    [
      [changed('web-1'), changed('web-2', PATCH, 'nginx')],
      '1 file and 1 other setting differ from main, on 2 servers.',
    ],
    [
      [changed('web-1', PATCH, 'nginx'), changed('web-1', PATCH, 'users')],
      '2 other settings differ from main, on 1 server.',
    ],
  ])('%#', (diffs, sentence) => expect(headline(diffs, 'main')).toBe(sentence));
});

describe('differenceSections', () => {
  it('is a table with the number of lines, and the folded diffs', () => {
    const [table, diff] = differenceSections([changed('web-1'), changed('web-2')]);
    expect(table?.body).toMatch(/\| \/etc\/nginx\/nginx\.conf \| changed \| +\+2 -1 \| web-1, web-2 \|/);
    expect(diff).toMatchObject({ title: '/etc/nginx/nginx.conf (web-1, web-2)', code: 'diff', folded: true });
    expect(diff?.body).toBe(PATCH.trimEnd());
  });
  it('is nothing where nothing differs', () => expect(differenceSections([])).toEqual([]));
});

it('fullDiff has every server', () =>
  expect(fullDiff([changed('web-1'), changed('web-2')])).toBe(`# web-1\n${PATCH}\n# web-2\n${PATCH}`));

describe('commentBody', () => {
  it('says what differs, in which commit, and where the rest is', () => {
    const body = commentBody(parts([changed('web-1')]));
    expect(body).toMatch(/^### Configuration of shop\n\n1 file differs from main, on 1 server\.\n/);
    expect(body).toContain('````'.slice(0, 3) + 'diff\n--- /etc/nginx/nginx.conf');
    expect(body).toContain('app: <one> note');
    expect(body).toMatch(
      /Rendered from abcdef012345 by .*\[the run\]\(https:\/\/github\.com\/acme\/shop\/actions\/runs\/1\)/,
    );
  });

  it('fits into a comment, points to the summary, and closes what it opened', () => {
    const long = patch(Array.from({ length: 5_000 }, (_, line) => `+# line ${line} ünïcode`));
    const body = commentBody(parts([changed('web-1', long), changed('web-2', patch(['-a']))]));
    expect(`${markerOf('shop')}\n${body}`.length).toBeLessThanOrEqual(65_536);
    expect(body).toMatch(/_\d+ more lines are left out here: see the summary of \[the run\]/);
    expect(body.match(/<details>/g)).toHaveLength(body.match(/<\/details>/g)?.length ?? 0);
    expect(body.match(/```/g)?.length).toBe((body.match(/```diff/g)?.length ?? 0) * 2);
  });

  it('says why there is less to compare with', () => {
    const remark = 'There is no perlstack.yml of main: everything is new';
    expect(commentBody({ ...parts([changed('web-1')]), remark })).toContain('everything is new.');
  });
});

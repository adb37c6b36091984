import { expect, it } from '@jest/globals';
import { allOf, readNginx } from './nginx.js';

it('reads files one after the other, with comments, quotes and blocks', () => {
  const text = `# configuration file /etc/nginx/nginx.conf:
user www-data; # who { it } is;
http {
    log_format main '{"a":"$b"}' "it\\"s;";
    include /etc/nginx/conf.d/*.conf;
}
# configuration file /etc/nginx/conf.d/a.conf:
upstream a { server unix:/run/a.sock max_fails=0; keepalive 8; }
map $x $y { default 1; ~^/a{2}$ 2; }
`;
  const all = readNginx(text);
  expect(all.map(({ name }) => name)).toEqual(['user', 'http', 'upstream', 'map']);
  expect(allOf(all, 'log_format')[0]?.words).toEqual(['main', '{"a":"$b"}', 'it\\"s;']);
  expect(allOf(all, 'server')[0]?.words).toEqual(['unix:/run/a.sock', 'max_fails=0']);
  expect(allOf(all, 'keepalive')).toHaveLength(1);
});

it('is not thrown off by a file that ends early', () => {
  expect(readNginx('a { b; } } c;').map(({ name }) => name)).toEqual(['a', 'c']);
  expect(readNginx('')).toEqual([]);
});

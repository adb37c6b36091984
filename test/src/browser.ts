import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HostCloud } from '@perlstack/local-cloud';

export interface Page {
  readonly status: number;
  /** Where it was found in the end. */
  readonly url: string;
  readonly text: string;
}

/** A site, and the way to it. */
export interface Way {
  /** `https://rt.example.com` */
  readonly origin: string;
  /** Of the web host that answers under this name. */
  readonly address: string;
  /** File with the certificate of who vouches for the site. */
  readonly ca: string;
}

/** Somebody in the internet who fills in forms: keeps cookies, follows redirects and says which page it comes from. */
export class Browser {
  readonly #cloud: HostCloud;
  readonly #way: Way;
  readonly #jar: string;
  #at: string;

  /** @param folder for the cookies */
  constructor(cloud: HostCloud, way: Way, folder: string) {
    this.#cloud = cloud;
    this.#way = way;
    this.#jar = join(folder, 'cookies');
    this.#at = way.origin;
  }

  open(path: string): Promise<Page> {
    return this.#ask(path, [], '');
  }

  /** Sends a form of a page, by its name: its hidden fields and these. @throws Error where the page has no such form. */
  async submit(page: Page, name: string, fields: Readonly<Record<string, string>>): Promise<Page> {
    const { action, hidden } = formIn(page, name);
    return this.#ask(action, ['--data', '@-'], new URLSearchParams({ ...hidden, ...fields }).toString());
  }

  /** All cookies, as a request has them. */
  async cookies(): Promise<string> {
    const lines = (await readFile(this.#jar, 'utf8')).split('\n').map((line) => line.split('\t'));
    return lines
      .filter((fields) => fields.length === 7)
      .map(([, , , , , name = '', value = '']) => `${name}=${value}`)
      .join('; ');
  }

  async #ask(path: string, more: readonly string[], body: string): Promise<Page> {
    const { origin, address, ca } = this.#way;
    const url = new URL(path, origin);
    const way = `${url.hostname}:443:${address}`;
    const curl = ['curl', '-sS', '-L', '-m', '60', '--cacert', ca, '--resolve', way, '-e', this.#at];
    const kept = ['-b', this.#jar, '-c', this.#jar, '-w', '\\n%{http_code} %{url_effective}'];
    const [command = '', ...args] = this.#cloud.inInternet([...curl, ...kept, ...more, url.href]);
    const running = promisify(execFile)(command, args, { maxBuffer: 16 * 1024 ** 2 });
    running.child.stdin?.end(body);
    const { stdout } = await running;
    const end = stdout.lastIndexOf('\n');
    const [status = '', at = ''] = stdout.slice(end + 1).split(' ');
    this.#at = at;
    return { status: Number(status), url: at, text: stdout.slice(0, end) };
  }
}

function formIn({ url, text }: Page, name: string): { action: string; hidden: Record<string, string> } {
  const forms = text.match(/<form\b[^]*?<\/form>/g) ?? [];
  const form = forms.find((one) => attribute(one.slice(0, one.indexOf('>')), 'name') === name);
  if (form === undefined) throw new Error(`${url} has no form "${name}"`);
  const inputs = (form.match(/<input\b[^>]*>/g) ?? []).filter((one) => attribute(one, 'type') === 'hidden');
  const fields = inputs.map((one): [string, string] => [
    attribute(one, 'name') ?? '',
    attribute(one, 'value') ?? '',
  ]);
  const action = attribute(form.slice(0, form.indexOf('>')), 'action') ?? '';
  return { action: new URL(action, url).pathname, hidden: Object.fromEntries(fields) };
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#34': '"',
  '#39': "'",
};

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return value?.replace(/&(#?\w+);/g, (whole, entity: string) => ENTITIES[entity] ?? whole);
}

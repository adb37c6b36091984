// Cuts the calls that the simulated API answers out of GitHub's own description of its API:
//   npm pack @octokit/openapi@23.0.2 && tar -xzf octokit-openapi-23.0.2.tgz
//   node packages/local-cloud/lib/github/excerpt.js package/generated/api.github.com.json
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OPERATIONS } from './operations.js';

type Node = { readonly [key: string]: unknown };

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Says nothing of what is allowed. */
const SILENT = new Set([
  'description',
  'example',
  'examples',
  'title',
  'externalDocs',
  'deprecated',
  'discriminator',
]);

/** The part of a description that some operations need, as JSON Schema. */
export interface Excerpt {
  readonly source: string;
  /** By `GET /path/{of}/it`. */
  readonly operations: Readonly<
    Record<string, { readonly request?: unknown; readonly responses: Readonly<Record<string, unknown>> }>
  >;
  readonly definitions: Readonly<Record<string, unknown>>;
}

/** @param names `GET /path/{of}/it` */
export function excerptOf(description: unknown, names: readonly string[], source: string): Excerpt {
  const cutter = new Cutter(description);
  const operations = names.map((name) => [name, cutter.operation(name)] as const);
  return { source, operations: Object.fromEntries(operations), definitions: cutter.definitions() };
}

class Cutter {
  readonly #root: unknown;
  readonly #wanted = new Map<string, unknown>();

  constructor(root: unknown) {
    this.#root = root;
  }

  operation(name: string): Excerpt['operations'][string] {
    const [method = '', path = ''] = name.split(' ');
    const operation = this.#at(['paths', path, method.toLowerCase()]);
    if (!isNode(operation)) throw new Error(`GitHub describes no ${name}`);
    const request = this.#content(operation['requestBody']);
    const answers = Object.entries(operation['responses'] ?? {}).flatMap(([status, answer]) => {
      const schema = this.#content(answer);
      return schema === undefined ? [] : [[status, schema]];
    });
    return {
      ...(request === undefined ? {} : { request }),
      responses: Object.fromEntries(answers) as Record<string, unknown>,
    };
  }

  definitions(): Record<string, unknown> {
    return Object.fromEntries([...this.#wanted].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #at(path: readonly string[]): unknown {
    return path.reduce<unknown>((node, key) => (isNode(node) ? node[key] : undefined), this.#root);
  }

  #target(reference: string): unknown {
    return this.#at(reference.replace(/^#\//, '').split('/'));
  }

  /** The schema of a body as JSON. */
  #content(holder: unknown): unknown {
    if (!isNode(holder)) return undefined;
    if (typeof holder['$ref'] === 'string') return this.#content(this.#target(holder['$ref']));
    const content = holder['content'];
    const body = isNode(content) ? content['application/json'] : undefined;
    return isNode(body) ? this.#schema(body['schema']) : undefined;
  }

  /** A schema of OpenAPI 3.0 as plain JSON Schema: without what says nothing, `nullable` as a type. */
  #schema(schema: unknown): unknown {
    if (Array.isArray(schema)) return schema.map((item) => this.#schema(item));
    if (!isNode(schema)) return schema;
    if (typeof schema['$ref'] === 'string') return this.#reference(schema['$ref']);
    const { nullable, ...rest } = schema;
    const kept = Object.entries(rest).flatMap(([key, value]) => this.#keyword(key, value));
    const plain: Node = Object.fromEntries(kept);
    return nullable === true ? orNull(plain) : plain;
  }

  #keyword(key: string, value: unknown): [string, unknown][] {
    if (SILENT.has(key) || key.startsWith('x-')) return [];
    // Here keys are names of the user's, whatever they are called.
    if (key === 'properties' && isNode(value)) {
      return [
        [key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#schema(one)]))],
      ];
    }
    return [[key, this.#schema(value)]];
  }

  #reference(reference: string): Node {
    const name = reference.split('/').at(-1) ?? '';
    if (!this.#wanted.has(name)) {
      this.#wanted.set(name, null);
      this.#wanted.set(name, this.#schema(this.#target(reference)));
    }
    return { $ref: `#/definitions/${name}` };
  }
}

function orNull(schema: Node): Node {
  if (typeof schema['type'] !== 'string') return { anyOf: [schema, { type: 'null' }] };
  const values = schema['enum'];
  return {
    ...schema,
    type: [schema['type'], 'null'],
    ...(Array.isArray(values) ? { enum: [...(values as unknown[]), null] } : {}),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const description: unknown = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
  const excerpt = excerptOf(description, OPERATIONS, '@octokit/openapi 23.0.2, MIT');
  const target = fileURLToPath(new URL('../../src/github/openapi.json', import.meta.url));
  writeFileSync(target, `${JSON.stringify(excerpt, null, 2)}\n`);
}

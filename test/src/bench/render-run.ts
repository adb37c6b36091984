import { render } from '@perlstack/configs';
import { HostSchema, type Inventory, parseStack } from '@perlstack/stack';

/** What rendering a large stack took, in a process that did nothing else. */
export interface RenderResult {
  readonly hosts: number;
  readonly files: number;
  /** Wall time of `render`, in milliseconds. */
  readonly ms: number;
  /** The most memory that the whole process ever had, in MiB. */
  readonly peakMiB: number;
}

const STACK = `
stack: shop
region: us-ord
app: { domains: [shop.example.com], limits: { rate: 50 } }
tiers:
  database: { count: 5, connections: 5000 }
  cache: { count: 9 }
  monitor: {}
`;
/** More hosts of a tier than a stack file may ask for: an inventory may hold them all the same. */
const COUNTS = { web: 100, app: 885, database: 5, cache: 9, monitor: 1 };

const SMALL = { memoryMiB: 4_096, vcpus: 2, diskMiB: 81_920 };
/** Room for a connection of every worker. */
const LARGE = { memoryMiB: 131_072, vcpus: 32, diskMiB: 2_621_440 };

function inventory(): Inventory {
  const hosts = Object.entries(COUNTS).flatMap(([tier, count], index) =>
    Array.from({ length: count }, (_, at) => {
      const address = `10.${10 + index}.${at >> 7}.${(at & 127) + 2}`;
      return HostSchema.parse({
        ...{ name: `${tier}-${at + 1}`, tier, publicAddress: null, privateAddress: address },
        ssh: { address, hostKeys: [`SHA256:${'A'.repeat(43)}`], via: tier === 'web' ? null : 'web-1' },
        ...(tier === 'database' ? LARGE : SMALL),
      });
    }),
  );
  return { stack: 'shop', hosts };
}

const { stack } = parseStack(STACK, 'perlstack.yml');
const secrets = {
  DATABASE_PASSWORD: 'geheim',
  REPLICATION_PASSWORD: 'heimlich',
  REDIS_PASSWORD: 'verborgen',
};
const hosts = inventory();
const start = performance.now();
const bundle = render(stack, hosts, { secrets });
const ms = performance.now() - start;
const files = bundle.hosts.flatMap(({ services }) => services.flatMap((service) => service.files)).length;
const peakMiB = process.resourceUsage().maxRSS / 1_024;
process.stdout.write(
  JSON.stringify({ hosts: bundle.hosts.length, files, ms, peakMiB } satisfies RenderResult),
);

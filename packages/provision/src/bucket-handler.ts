import { realClock } from '@perlstack/linode';
import type { Handlers } from '@perlstack/procedure';
import { findBucket } from './bucket.js';
import { makeOnce } from './once.js';
import type { CreateBucket } from './steps.js';
import type { ProvisionTools } from './tools.js';

/** What makes the bucket of the backups. */
export function bucketHandler({ client, clock = realClock }: ProvisionTools): Handlers<CreateBucket> {
  return {
    'create-bucket': {
      check: async (step) => (await findBucket(client, step)) !== undefined,
      run: async (step, { signal }) => {
        const { label, region, endpointType } = step;
        const access = { acl: 'private', cors_enabled: false } as const;
        const make = () =>
          client.withSignal(signal).createBucket({ label, region, endpoint_type: endpointType, ...access });
        await makeOnce(() => findBucket(client, step), make, clock, signal);
      },
    },
  };
}

import type { Handlers } from '@perlstack/procedure';
import { bucketHandler } from './bucket-handler.js';
import { entryHandlers } from './entry-handlers.js';
import { linodeHandlers } from './linode-handlers.js';
import { networkHandlers } from './network-handlers.js';
import { rotateHostKey } from './rotate.js';
import type { ProvisionStep } from './steps.js';
import type { ProvisionTools } from './tools.js';

/**
 * What the steps of a plan do, for `execute`. Every check looks at the API as it is now, so that a plan can be run again
 * after a failure or a kill at any point; nothing is undone: what was made is used by the next run.
 */
export function handlers(tools: ProvisionTools): Handlers<ProvisionStep> {
  return {
    ...networkHandlers(tools),
    ...linodeHandlers(tools),
    'rotate-host-key': rotateHostKey(tools),
    ...entryHandlers(tools),
    ...bucketHandler(tools),
  };
}

export { Budget, endpointClass, type EndpointClass, LIMITS } from './budget.js';
export {
  type ClientOptions,
  createClient,
  createReader,
  type LinodeClient,
  type LinodeReader,
} from './client.js';
export { type Clock, realClock } from './clock.js';
export {
  type ApiFault,
  EventFailed,
  grants,
  LinodeApiError,
  LinodeUnreachable,
  type Reason,
  UncertainOutcome,
} from './errors.js';
export { EventWatcher, judge, type Verdict, type WaitOptions } from './events.js';
export type * from './types.js';

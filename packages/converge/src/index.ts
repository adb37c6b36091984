export { describe, type Description } from './describe.js';
export { handlers } from './handlers.js';
export { observe, type ObserveOptions } from './observe.js';
export { plan } from './plan.js';
export type {
  ApplyStep,
  Change,
  CleanStep,
  ConvergePlan,
  ConvergeStep,
  DirectoriesStep,
  PackagesStep,
  UsersStep,
  ValidateStep,
} from './step.js';
export type { Observed, ObservedHost } from './world.js';

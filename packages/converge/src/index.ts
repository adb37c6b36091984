export { type Change, type Consent, NO_CONSENT } from '@perlstack/engine';
export { describe, type Description } from './describe.js';
export { type HandlerOptions, handlers } from './handlers.js';
export { observe, type ObserveOptions } from './observe.js';
export { assertAllowed, plan } from './plan.js';
export type {
  ApplyStep,
  CleanStep,
  ConvergePlan,
  ConvergeStep,
  DirectoriesStep,
  PackagesStep,
  PlanStep,
  PresetsStep,
  UsersStep,
  ValidateStep,
} from './step.js';
export type { Observed, ObservedHost } from './world.js';

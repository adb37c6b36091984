export {
  type Annotation,
  annotationsOf,
  type Conclusion,
  type JobRun,
  logOf,
  type OutputLine,
  type StepRun,
  type WorkflowRun,
} from './results.js';
export { runWorkflow, type WorkflowOptions } from './run.js';
export { readWorkflow } from './parser.js';
export type { CancelGrace } from './process.js';

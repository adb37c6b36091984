/** How a step or job ended; `skipped` by its `if`. */
export type Conclusion = 'success' | 'failure' | 'cancelled' | 'skipped';

export interface Annotation {
  readonly level: 'notice' | 'warning' | 'error';
  readonly message: string;
  readonly title?: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/** One step of a job. All texts are masked. */
export interface StepRun {
  /** Its `id`, or `__2` for the second step when it has none. */
  readonly id: string;
  readonly name: string;
  readonly phase: 'pre' | 'main' | 'post';
  /** How it ended, before `continue-on-error` was looked at; `conclusion` is after. */
  readonly outcome: Conclusion;
  readonly conclusion: Conclusion;
  readonly outputs: Readonly<Record<string, string>>;
  /** What it wrote to the job summary, in markdown. */
  readonly summary: string;
  readonly annotations: readonly Annotation[];
  readonly log: string;
  readonly seconds: number;
}

export interface JobRun {
  /** The key in the file; the jobs of a matrix share it. */
  readonly id: string;
  /** `test (a, 1)` for a job of a matrix. */
  readonly name: string;
  readonly conclusion: Conclusion;
  readonly outputs: Readonly<Record<string, string>>;
  readonly steps: readonly StepRun[];
  /** Annotations of the job itself; those of its steps stand with them. */
  readonly annotations: readonly Annotation[];
  readonly environment?: { readonly name: string; readonly url: string };
  readonly seconds: number;
}

export interface WorkflowRun {
  readonly id: number;
  readonly name: string;
  /** Its `run-name`, or its name. */
  readonly title: string;
  readonly conclusion: Conclusion;
  readonly jobs: readonly JobRun[];
  /** The folder with a folder for each artifact. */
  readonly artifacts: string;
  readonly seconds: number;
}

/** One line of output, masked, as `onOutput` gets it. */
export interface OutputLine {
  readonly job: string;
  readonly step: string;
  readonly text: string;
}

/** The whole log of a run, each line under its job and step. */
export function logOf(run: WorkflowRun): string {
  return run.jobs
    .flatMap((job) =>
      job.steps.map(
        ({ name, phase, conclusion, log }) => `${job.name} / ${phase} ${name}: ${conclusion}\n${log}`,
      ),
    )
    .join('\n');
}

/** All annotations of a run. */
export function annotationsOf(run: WorkflowRun): Annotation[] {
  return run.jobs.flatMap(({ annotations, steps }) => [
    ...annotations,
    ...steps.flatMap((step) => step.annotations),
  ]);
}

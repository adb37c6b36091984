export { compareWithActionYml } from './contract.js';
export {
  commonInputs,
  declare,
  type Declaration,
  type InputDeclaration,
  type InputsOf,
  type OutputDeclaration,
} from './declaration.js';
export { diffSections, type HostDiff, shareDiffs, type SharedDiff } from './diffs.js';
export { assertSucceeded, Cancelled, notPutBack } from './failures.js';
export { type Comment, connectGitHub, type GitHub, type PullRequest } from './github/client.js';
export { type CommentOutcome, keepComment } from './github/comment.js';
export {
  type DeploymentOptions,
  type DeploymentRecord,
  type DeployOutcome,
  findDeployment,
  openDeployment,
  recordOf,
} from './github/deployment.js';
export { MissingPermission } from './github/errors.js';
export { pullRequest } from './github/event.js';
export { runUrl } from './github/run-url.js';
export { readInputs } from './inputs.js';
export type { Log, Remark } from './log.js';
export { Redactor, secretForms } from './masks.js';
export { eventLine, Reporter } from './reporter.js';
export { resultsOf, type StepResult } from './results.js';
export { type ActionDefinition, type MainContext, type PostContext, runAction } from './run-action.js';
export { renderSummary, type Section, type SummaryContent } from './summary.js';
export { type Alignment, type Cell, escapeMarkdown, markdownTable, terminalTable } from './table.js';
export { timeline } from './timeline.js';
export {
  hostInputs,
  ownStorageInputs,
  inStackFile,
  inventoryFrom,
  inventoryIn,
  openSite,
  type Site,
  stackInputs,
  storageInputs,
} from './stack-inputs.js';

export { bundleProgram } from './bundle.js';
export { examplesOf } from './examples.js';
export { actionNames, inRoot, ROOT } from './repository.js';

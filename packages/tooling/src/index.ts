export { actionNames, inRoot, ROOT } from './repository.js';

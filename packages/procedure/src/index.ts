export * from './event.js';
export * from './execute.js';
export * from './journal.js';
export * from './step.js';
export * from './until.js';

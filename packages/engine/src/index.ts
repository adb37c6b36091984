export * from './change.js';
export * from './consent.js';
export * from './engine.js';

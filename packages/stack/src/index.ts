export * from './errors.js';
export * from './inventory.js';
export * from './duration.js';
export * from './parse.js';
export * from './schema.js';

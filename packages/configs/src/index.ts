export * from './bundle.js';
export * from './compare.js';
export * from './layout.js';
export { render, type RenderOptions } from './render.js';
export * from './secrets.js';
export type { TlsFiles } from './world.js';

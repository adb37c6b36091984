import type { Renderer, World } from '../world.js';

export const redis: Renderer = () => null;
export const sentinel: Renderer = () => null;
export const redisNotes = (_world: World): string[] => [];

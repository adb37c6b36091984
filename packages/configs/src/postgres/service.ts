import type { Renderer, World } from '../world.js';

export const postgres: Renderer = () => null;
export const postgresNotes = (_world: World): string[] => [];

import type { Renderer } from '../world.js';

export const firewall: Renderer = () => null;

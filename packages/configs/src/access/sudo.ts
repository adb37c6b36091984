import type { Renderer } from '../world.js';

export const sudo: Renderer = () => null;

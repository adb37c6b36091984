import type { Renderer } from '../world.js';

export const sshd: Renderer = () => null;

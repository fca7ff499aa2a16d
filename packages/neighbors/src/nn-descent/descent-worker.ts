import { servePhases } from '../kernels/serve-phases.js';
import { bindDescent } from './descent-phases.js';

// The script of a worker: bundled into one text, which imports nothing.
servePhases(bindDescent);

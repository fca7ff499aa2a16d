import { servePhases } from '../../kernels/serve-phases.js';
import { bindJoin } from './phases.js';

// The script of a worker: bundled into one text, which imports nothing.
servePhases(bindJoin);

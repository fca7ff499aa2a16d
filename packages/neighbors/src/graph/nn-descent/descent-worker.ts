import { servePhases } from '../../workers/phases.js';
import { bindDescent } from './descent-phases.js';

// The script of a worker thread.
servePhases(bindDescent);

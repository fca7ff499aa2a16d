import { servePhases } from '../../workers/phases.js';
import { bindJoin } from './join-phases.js';

// The script of a worker thread.
servePhases(bindJoin);

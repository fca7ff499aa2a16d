// Optional and not installed in the workspace: it is only imported at run time, so its types are not needed.
declare module '@tensorflow/tfjs-node-gpu';
